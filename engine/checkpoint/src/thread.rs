//! One thread: what can be read of it without its help, and how it is made ready to be woken elsewhere.

use offshoot_image::model::{AltStack, Registers, RobustList, Rseq, Scheduling, Thread};
use offshoot_trace::{Memory, Queue, RseqRegistration, TraceError, Tracee, cpu, query};
use rustix::thread::{CpuSet, Pid, sched_getaffinity};

use crate::interview::ThreadAnswers;
use crate::proc::{self, Status};
use crate::{CheckpointError, Refusal, admission, restart};

/// `SIGSTOP` can wait but is not carried over: a clone is not stopped because its seed was.
const SIGSTOP: u8 = 19;
/// `SCHED_OTHER`, `SCHED_FIFO`, `SCHED_RR`, `SCHED_BATCH`, `SCHED_IDLE`.
const POLICIES: [u32; 5] = [0, 1, 2, 3, 5];

/// Lines of `/proc/pid/status` that say what a thread may do. An image has them once for all threads.
const IDENTITY: [&str; 9] = [
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
];

/// What is known of a stopped thread before it is asked anything.
pub(crate) struct Reading {
    tid: u32,
    name: Vec<u8>,
    registers: [u64; 27],
    xsave: Vec<u8>,
    signal_mask: u64,
    robust_list: RobustList,
    rseq: Option<Rseq>,
    pending: Vec<Vec<u8>>,
    scheduling: Scheduling,
    affinity: Vec<u64>,
    io_priority: u16,
    /// Whether there is a signal that it will take next.
    called: bool,
    /// What it may do.
    identity: Vec<String>,
    /// Whether seccomp filters judge its system calls.
    pub filtered: bool,
}

/// Reads a stopped thread. One that stopped inside a restartable sequence is moved to the sequence's abort handler, as
/// the kernel does with every thread that it interrupts there.
pub(crate) fn read(
    pid: u32,
    thread: &mut Tracee,
    memory: &Memory,
) -> Result<Reading, CheckpointError> {
    let trace = |source: TraceError| CheckpointError::Trace { pid, source };
    let tid = thread.tid();
    let status = Status::read(pid, tid)?;
    let filtered = admission::check_seccomp(tid, &status)?;
    if thread.has_syscall_user_dispatch().map_err(trace)? {
        return Err(Refusal::SyscallUserDispatch { tid }.into());
    }
    let rseq = thread.rseq().map_err(trace)?;
    let mut registers = thread.registers().map_err(trace)?;
    if let Some(rseq) = rseq
        && let Some(abort) = abort_address(memory, rseq, registers[Registers::RIP])?
    {
        registers[Registers::RIP] = abort;
        thread.set_registers(&registers).map_err(trace)?;
    }
    let mut name = proc::read(pid, &format!("task/{tid}/comm"))?;
    name.pop_if(|last| *last == b'\n');
    let (head, bytes) = query::robust_list(tid).map_err(|source| CheckpointError::Query {
        tid,
        what: "the robust list",
        source,
    })?;
    Ok(Reading {
        tid: status.last("NSpid")?,
        name,
        registers,
        xsave: used_state(thread.xsave().map_err(trace)?),
        signal_mask: thread.signal_mask().map_err(trace)?,
        robust_list: if head == 0 {
            RobustList { head: 0, bytes: 0 }
        } else {
            RobustList { head, bytes }
        },
        rseq: rseq.map(|rseq| Rseq {
            address: rseq.address,
            bytes: rseq.bytes,
            signature: rseq.signature,
        }),
        pending: pending(pid, thread, Queue::Thread)?,
        scheduling: scheduling(tid)?,
        affinity: affinity(tid)?,
        io_priority: query::io_priority(tid).map_err(|source| CheckpointError::Query {
            tid,
            what: "the I/O priority",
            source,
        })?,
        called: restart::is_called(thread).map_err(trace)?,
        identity: IDENTITY
            .iter()
            .map(|field| status.text(field).unwrap_or_default().to_owned())
            .collect(),
        filtered,
    })
}

/// The XSAVE area without the data of AMX tiles, if the thread has none there: 8 KiB, and a signal frame may have them
/// only in a thread that has used them.
fn used_state(mut area: Vec<u8>) -> Vec<u8> {
    // XSTATE_BV: the components that are not in their initial state (Intel SDM volume 1, 13.4.2).
    let in_use = area
        .get(512..)
        .and_then(|header| header.first_chunk())
        .map_or(0, |bits| u64::from_le_bytes(*bits));
    if in_use & cpu::TILE_DATA == 0
        && let Some(end) = cpu::tile_data_at(&cpu::processor())
    {
        area.truncate(end);
    }
    area
}

/// The signals that wait for a thread or its process.
pub(crate) fn pending(
    pid: u32,
    thread: &Tracee,
    queue: Queue,
) -> Result<Vec<Vec<u8>>, CheckpointError> {
    let infos = thread
        .pending(queue)
        .map_err(|source| CheckpointError::Trace { pid, source })?;
    let kept = infos.iter().filter(|info| info[0] != SIGSTOP);
    Ok(kept.map(|info| info.to_vec()).collect())
}

impl Reading {
    /// The thread for the manifest, with what it said itself.
    pub(crate) fn with(self, answers: &ThreadAnswers) -> Thread {
        Thread {
            tid: self.tid,
            name: self.name,
            registers: Registers(restart::restartable(self.registers, self.called)),
            xsave: self.xsave,
            signal_mask: self.signal_mask,
            alt_stack: AltStack {
                start: answers.alt_stack[0],
                flags: answers.alt_stack[1] as u32,
                bytes: answers.alt_stack[2],
            },
            clear_child_tid: answers.clear_child_tid,
            robust_list: self.robust_list,
            rseq: self.rseq,
            pending: self.pending,
            scheduling: self.scheduling,
            affinity: self.affinity,
            io_priority: self.io_priority,
            timer_slack_ns: answers.timer_slack_ns,
            parent_death_signal: answers.parent_death_signal,
            time_stamp_denied: answers.time_stamp_denied,
        }
    }
}

/// Refuses threads that may do other things than the main thread, the first.
pub(crate) fn require_one_identity(
    readings: &[Reading],
    tids: &[u32],
) -> Result<(), CheckpointError> {
    let main = readings.first();
    for (reading, &tid) in readings.iter().zip(tids) {
        let lines = IDENTITY.iter().zip(&reading.identity);
        let theirs = main.into_iter().flat_map(|main| &main.identity);
        if let Some(((&field, _), _)) = lines.zip(theirs).find(|((_, mine), main)| mine != main) {
            return Err(Refusal::ThreadCredentials { tid, field }.into());
        }
    }
    Ok(())
}

/// Where a thread goes that was interrupted inside a restartable sequence; none if it is in none.
fn abort_address(
    memory: &Memory,
    rseq: RseqRegistration,
    rip: u64,
) -> Result<Option<u64>, CheckpointError> {
    let unreadable = |source| CheckpointError::Memory {
        what: format!("the restartable sequence at {:#x}", rseq.address),
        source,
    };
    // `struct rseq`: two words of CPU number, then the pointer to a `struct rseq_cs`.
    let [sequence] = memory
        .read_words::<1>(rseq.address.wrapping_add(8))
        .map_err(unreadable)?;
    if sequence == 0 {
        return Ok(None);
    }
    let [_, start, length, abort] = memory.read_words::<4>(sequence).map_err(unreadable)?;
    Ok((rip.wrapping_sub(start) < length).then_some(abort))
}

fn scheduling(tid: u32) -> Result<Scheduling, CheckpointError> {
    let found = query::scheduling(tid).map_err(|source| CheckpointError::Query {
        tid,
        what: "the scheduling",
        source,
    })?;
    if !POLICIES.contains(&found.policy) {
        return Err(Refusal::Scheduling {
            tid,
            policy: found.policy,
        }
        .into());
    }
    Ok(Scheduling {
        policy: found.policy,
        nice: found.nice,
        priority: found.priority,
        reset_on_fork: found.reset_on_fork,
    })
}

/// The processors that a thread may run on; empty for all that there are, or that we may run on ourselves: then nobody has
/// chosen them for it.
fn affinity(tid: u32) -> Result<Vec<u64>, CheckpointError> {
    let ask = |thread| {
        sched_getaffinity(thread).map_err(|errno| CheckpointError::Query {
            tid,
            what: "its processors",
            source: errno.into(),
        })
    };
    let theirs = ask(i32::try_from(tid).ok().and_then(Pid::from_raw))?;
    if theirs == ask(None)? || online().is_some_and(|online| theirs.count() >= online) {
        return Ok(Vec::new());
    }
    let mut words = vec![0_u64; CpuSet::MAX_CPU.div_ceil(64)];
    for cpu in (0..CpuSet::MAX_CPU).filter(|&cpu| theirs.is_set(cpu)) {
        words[cpu / 64] |= 1 << (cpu % 64);
    }
    while words.pop_if(|last| *last == 0).is_some() {}
    Ok(words)
}

/// How many processors run: `0-3,6` (`Documentation/admin-guide/cputopology.rst`).
fn online() -> Option<u32> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    let counts = text.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        Some(last.checked_sub(first)? + 1)
    });
    counts.sum()
}
