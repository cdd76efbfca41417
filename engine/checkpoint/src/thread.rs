//! One thread: what can be read of it without its help, and how it is made ready to be woken elsewhere.

use offshoot_image::model::{AltStack, Registers, RobustList, Rseq, Scheduling, Thread};
use offshoot_trace::{Memory, Queue, RseqRegistration, TraceError, Tracee, query};

use crate::interview::ThreadAnswers;
use crate::proc::{self, Status};
use crate::{CheckpointError, Refusal, admission};

/// The kernel's own results of calls that it will start again (Linux `errno.h`).
const ERESTARTSYS: i64 = -512;
const ERESTARTNOINTR: i64 = -513;
const ERESTARTNOHAND: i64 = -514;
const ERESTART_RESTARTBLOCK: i64 = -516;
const EINTR: i64 = -4;
/// Calls that every stop ends with `EINTR` (`signal(7)`, "Interruption of system calls and library functions by stop
/// signals"): `rt_sigtimedwait`, `epoll_wait`, `epoll_pwait`, `epoll_pwait2`.
const ENDED_BY_STOPS: [u64; 4] = [128, 232, 281, 441];
/// Length of the instruction `syscall`.
const SYSCALL_BYTES: u64 = 2;
/// `SIGSTOP` can wait but is not carried over: a clone is not stopped because its seed was.
const SIGSTOP: u8 = 19;
/// `SCHED_OTHER`, `SCHED_FIFO`, `SCHED_RR`, `SCHED_BATCH`, `SCHED_IDLE`.
const POLICIES: [u32; 5] = [0, 1, 2, 3, 5];

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
    /// Whether there is a signal that it will take next.
    called: bool,
    /// Whether seccomp filters judge its system calls.
    pub filtered: bool,
}

/// Sets a thread up to repeat a call that our stop ended, which the program would take for a signal's doing. Not if there
/// is a signal to be delivered: then it is one's.
pub(crate) fn undo_interruption(pid: u32, thread: &mut Tracee) -> Result<(), CheckpointError> {
    let trace = |source: TraceError| CheckpointError::Trace { pid, source };
    let mut registers = thread.registers().map_err(trace)?;
    let call = registers[Registers::ORIG_RAX];
    let ended = registers[Registers::RAX].cast_signed() == EINTR && ENDED_BY_STOPS.contains(&call);
    if !ended || is_called(thread).map_err(trace)? {
        return Ok(());
    }
    repeat(&mut registers);
    thread.set_registers(&registers).map_err(trace)
}

/// Whether there is a signal that the thread will take next.
fn is_called(thread: &Tracee) -> Result<bool, TraceError> {
    let mask = thread.signal_mask()?;
    for queue in [Queue::Thread, Queue::Process] {
        let pending = thread.pending(queue)?;
        let is_open = |signal: u8| {
            let bit = 1_u64.checked_shl(u32::from(signal).wrapping_sub(1));
            bit.is_some_and(|bit| mask & bit == 0)
        };
        if pending.iter().any(|info| is_open(info[0])) {
            return Ok(true);
        }
    }
    Ok(false)
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
        xsave: thread.xsave().map_err(trace)?,
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
        called: is_called(thread).map_err(trace)?,
        filtered,
    })
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
            registers: Registers(restartable(self.registers, self.called)),
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
            timer_slack_ns: answers.timer_slack_ns,
            parent_death_signal: answers.parent_death_signal,
        }
    }
}

/// What the kernel does when a thread leaves an interrupted system call (Linux `arch_do_signal_or_restart`), done
/// beforehand: no other kernel can. `called`: whether a signal waits that it will take next.
///
/// A sleep or a `poll` with a time limit goes by the kernel's memory of the deadline (`restart_syscall(2)`), which
/// cannot be carried over: it begins anew, with its whole time.
fn restartable(mut registers: [u64; 27], called: bool) -> [u64; 27] {
    if registers[Registers::ORIG_RAX].cast_signed() < 0 {
        return registers;
    }
    match registers[Registers::RAX].cast_signed() {
        // Whatever the handler, it ends these.
        ERESTARTNOHAND | ERESTART_RESTARTBLOCK if called => {
            registers[Registers::RAX] = EINTR.cast_unsigned();
        }
        ERESTARTSYS | ERESTARTNOINTR | ERESTARTNOHAND | ERESTART_RESTARTBLOCK => {
            repeat(&mut registers);
        }
        _ => {}
    }
    registers[Registers::ORIG_RAX] = u64::MAX;
    registers
}

/// Goes back to the system call that the thread has left.
fn repeat(registers: &mut [u64; 27]) {
    registers[Registers::RAX] = registers[Registers::ORIG_RAX];
    registers[Registers::RIP] = registers[Registers::RIP].wrapping_sub(SYSCALL_BYTES);
    registers[Registers::ORIG_RAX] = u64::MAX;
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(call: i64, result: i64) -> [u64; 27] {
        let mut registers = [0; 27];
        registers[Registers::ORIG_RAX] = call.cast_unsigned();
        registers[Registers::RAX] = result.cast_unsigned();
        registers[Registers::RIP] = 0x1002;
        registers
    }

    #[test]
    fn interrupted_call_is_made_again() {
        for result in [-512, -513, -514, -516] {
            let registers = restartable(stopped(7, result), false);
            assert_eq!(registers[Registers::RIP], 0x1000);
            assert_eq!(registers[Registers::RAX], 7);
            assert_eq!(registers[Registers::ORIG_RAX], u64::MAX);
        }
    }

    #[test]
    fn signal_that_waits_ends_a_sleep() {
        for result in [-514, -516] {
            let registers = restartable(stopped(35, result), true);
            assert_eq!(registers[Registers::RIP], 0x1002);
            assert_eq!(registers[Registers::RAX].cast_signed(), -4);
        }
        assert_eq!(restartable(stopped(0, -512), true)[Registers::RAX], 0);
    }

    #[test]
    fn thread_outside_a_call_stays_as_it_is() {
        let registers = stopped(-1, -512);
        assert_eq!(restartable(registers, false), registers);
        assert_eq!(restartable(stopped(0, 5), false)[Registers::RAX], 5);
    }
}
