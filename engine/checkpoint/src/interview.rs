//! What only the threads themselves can tell, asked by system calls that they are made to perform.
//!
//! Answers that are structures go to a scratch page that the process is made to map first and unmap last; nothing else
//! of its memory is touched. All of it happens in one go, because the time inside an [`Injection`] is the only time at
//! which our own death would harm the process.

use std::io;

use offshoot_image::model::{IntervalTimer, SignalAction};
use offshoot_trace::{Frozen, Injection, Memory, TraceError, Tracee, cpu};

use crate::CheckpointError;

/// Numbers of system calls on x86-64.
mod call {
    pub(super) const MMAP: i64 = 9;
    pub(super) const MUNMAP: i64 = 11;
    pub(super) const BRK: i64 = 12;
    pub(super) const RT_SIGACTION: i64 = 13;
    pub(super) const GETITIMER: i64 = 36;
    pub(super) const SIGALTSTACK: i64 = 131;
    pub(super) const PRCTL: i64 = 157;
    pub(super) const ARCH_PRCTL: i64 = 158;
    pub(super) const TIMER_GETTIME: i64 = 224;
    pub(super) const CLOCK_GETTIME: i64 = 228;
}

/// `PR_GET_*` (`linux/prctl.h`).
mod option {
    pub(super) const PDEATHSIG: u64 = 2;
    pub(super) const DUMPABLE: u64 = 3;
    pub(super) const TSC: u64 = 25;
    pub(super) const SECUREBITS: u64 = 27;
    pub(super) const TIMERSLACK: u64 = 30;
    pub(super) const CHILD_SUBREAPER: u64 = 37;
    pub(super) const TID_ADDRESS: u64 = 40;
    pub(super) const THP_DISABLE: u64 = 42;
    pub(super) const MDWE: u64 = 66;
    pub(super) const MEMORY_MERGE: u64 = 68;
}

/// `ARCH_GET_XCOMP_PERM` (`asm/prctl.h`, Linux 5.16).
const XSTATE_PERMITTED: u64 = 0x1022;
/// `PR_TSC_SIGSEGV`.
const TSC_DENIED: u32 = 2;
const CLOCK_MONOTONIC: u64 = 1;
const CLOCK_BOOTTIME: u64 = 7;
const PAGE_BYTES: u64 = 4096;
/// `PROT_READ | PROT_WRITE`, `MAP_PRIVATE | MAP_ANONYMOUS`.
const READ_WRITE: u64 = 3;
const PRIVATE_ANONYMOUS: u64 = 0x22;
/// `SIGCHLD` keeps flags that matter even with the default action (`SA_NOCLDWAIT`).
const SIGCHLD: u8 = 17;
const NANOSECONDS: u64 = 1_000_000_000;

/// What is asked of the process as a whole.
pub(crate) struct Questions {
    /// Signals that are caught or ignored, as bits.
    pub signals: u64,
    /// POSIX timers, by id.
    pub timers: Vec<u32>,
}

/// What one thread said.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ThreadAnswers {
    /// `stack_t`: address, flags, length.
    pub alt_stack: [u64; 3],
    pub clear_child_tid: u64,
    pub timer_slack_ns: u64,
    pub parent_death_signal: u8,
    pub time_stamp_denied: bool,
}

/// What the main thread said for the process.
#[derive(Debug, Default)]
pub(crate) struct ProcessAnswers {
    pub actions: Vec<SignalAction>,
    pub interval_timers: Vec<IntervalTimer>,
    /// Time left and interval of each timer asked for, in nanoseconds.
    pub timers: Vec<(u64, u64)>,
    pub brk: u64,
    pub dumpable: u8,
    pub securebits: u32,
    pub child_subreaper: bool,
    pub thp_disabled: bool,
    pub write_execute_denied: u8,
    pub merges_memory: bool,
    pub tiles_permitted: bool,
    pub monotonic_ns: u64,
    pub boottime_ns: u64,
}

/// Asks all threads; the answers in their order.
pub(crate) fn ask(
    frozen: &mut Frozen,
    memory: &Memory,
    syscall_at: u64,
    questions: &Questions,
) -> Result<(ProcessAnswers, Vec<ThreadAnswers>), CheckpointError> {
    let pid = frozen.pid();
    let trace = |source: TraceError| CheckpointError::Trace { pid, source };
    let Some((main, others)) = frozen.threads_mut().split_first_mut() else {
        return Err(trace(TraceError::Ended { tid: pid }));
    };
    let mut main = Asked::begin(pid, main, memory, syscall_at)?;
    main.map_scratch()?;
    // Whatever the answers are, the scratch page must go again.
    let answers = ask_everyone(&mut main, others, questions);
    let unmapped = main.number(
        "how to unmap the scratch page",
        call::MUNMAP,
        [main.scratch, PAGE_BYTES],
    );
    main.injection.end().map_err(trace)?;
    let answers = answers?;
    unmapped?;
    Ok(answers)
}

fn ask_everyone(
    main: &mut Asked<'_>,
    others: &mut [Tracee],
    questions: &Questions,
) -> Result<(ProcessAnswers, Vec<ThreadAnswers>), CheckpointError> {
    let pid = main.pid;
    let process = main.ask_process(questions)?;
    let mut threads = vec![main.ask_thread()?];
    for other in others {
        let mut other = Asked::begin(pid, other, main.memory, main.syscall_at)?;
        other.scratch = main.scratch;
        threads.push(other.ask_thread()?);
        other
            .injection
            .end()
            .map_err(|source| CheckpointError::Trace { pid, source })?;
    }
    Ok((process, threads))
}

/// A thread under question.
struct Asked<'a> {
    pid: u32,
    tid: u32,
    injection: Injection<'a>,
    memory: &'a Memory,
    syscall_at: u64,
    /// Address of the scratch page.
    scratch: u64,
}

impl<'a> Asked<'a> {
    fn begin(
        pid: u32,
        thread: &'a mut Tracee,
        memory: &'a Memory,
        syscall_at: u64,
    ) -> Result<Self, CheckpointError> {
        let tid = thread.tid();
        let injection = Injection::begin(thread, syscall_at)
            .map_err(|source| CheckpointError::Trace { pid, source })?;
        Ok(Self {
            pid,
            tid,
            injection,
            memory,
            syscall_at,
            scratch: 0,
        })
    }

    fn map_scratch(&mut self) -> Result<(), CheckpointError> {
        let nowhere = u64::MAX;
        let arguments = [0, PAGE_BYTES, READ_WRITE, PRIVATE_ANONYMOUS, nowhere, 0];
        self.scratch = self
            .call("where a scratch page can be", call::MMAP, arguments)?
            .cast_unsigned();
        Ok(())
    }

    fn ask_thread(&mut self) -> Result<ThreadAnswers, CheckpointError> {
        let scratch = self.scratch;
        let alt_stack = self.words("its signal stack", call::SIGALTSTACK, [0, scratch])?;
        let address = [option::TID_ADDRESS, scratch];
        let [clear_child_tid] = self.words("where its id is cleared", call::PRCTL, address)?;
        let death = [option::PDEATHSIG, scratch];
        let [parent_death] = self.words::<1>("its parent death signal", call::PRCTL, death)?;
        let time_stamp = [option::TSC, scratch];
        let [time_stamp] = self.words::<1>("whether it has a clock", call::PRCTL, time_stamp)?;
        let slack = self.number("its timer slack", call::PRCTL, [option::TIMERSLACK, 0])?;
        Ok(ThreadAnswers {
            alt_stack,
            clear_child_tid,
            timer_slack_ns: slack.cast_unsigned(),
            // The kernel writes an `int`: the upper half is left from the answer before.
            parent_death_signal: parent_death as u8,
            time_stamp_denied: time_stamp as u32 == TSC_DENIED,
        })
    }

    fn ask_process(&mut self, questions: &Questions) -> Result<ProcessAnswers, CheckpointError> {
        let actions = self.ask_actions(questions.signals)?;
        let interval_timers = self.ask_interval_timers()?;
        let mut timers = Vec::with_capacity(questions.timers.len());
        for id in &questions.timers {
            let arguments = [u64::from(*id), self.scratch];
            let [interval_s, interval_ns, left_s, left_ns] =
                self.words("the time left of a timer", call::TIMER_GETTIME, arguments)?;
            timers.push((
                nanoseconds(left_s, left_ns),
                nanoseconds(interval_s, interval_ns),
            ));
        }
        let subreaper = [option::CHILD_SUBREAPER, self.scratch];
        let [subreaper] = self.words::<1>("whether it is a subreaper", call::PRCTL, subreaper)?;
        let mut prctl = |what, option| self.number(what, call::PRCTL, [option, 0]);
        let dumpable = prctl("whether it is dumpable", option::DUMPABLE)?;
        let securebits = prctl("its securebits", option::SECUREBITS)?;
        let thp_disabled = prctl("whether it has huge pages", option::THP_DISABLE)?;
        // Linux 6.3 and 6.4; kernels that do not know the question do not do the thing.
        let write_execute = prctl("whether it denies code", option::MDWE).unwrap_or(0);
        let merges = prctl("whether it merges pages", option::MEMORY_MERGE).unwrap_or(0);
        let permitted = [XSTATE_PERMITTED, self.scratch];
        // A kernel or a processor without such components does not know the question.
        let permitted = self
            .words("what state it may have", call::ARCH_PRCTL, permitted)
            .unwrap_or([0]);
        Ok(ProcessAnswers {
            actions,
            interval_timers,
            timers,
            brk: self.number("its break", call::BRK, [0, 0])?.cast_unsigned(),
            dumpable: dumpable as u8,
            securebits: securebits as u32,
            child_subreaper: subreaper as u32 != 0,
            thp_disabled: thp_disabled != 0,
            write_execute_denied: write_execute as u8,
            merges_memory: merges != 0,
            tiles_permitted: permitted[0] & cpu::TILE_DATA != 0,
            monotonic_ns: self.clock(CLOCK_MONOTONIC)?,
            boottime_ns: self.clock(CLOCK_BOOTTIME)?,
        })
    }

    fn ask_actions(&mut self, signals: u64) -> Result<Vec<SignalAction>, CheckpointError> {
        let mut actions = Vec::new();
        for signal in 1..=64_u8 {
            if signals >> (signal - 1) & 1 == 0 && signal != SIGCHLD {
                continue;
            }
            // No new action, the old one to the scratch page, masks of eight bytes.
            let arguments = [u64::from(signal), 0, self.scratch, 8, 0, 0];
            self.call("the action of a signal", call::RT_SIGACTION, arguments)?;
            let [handler, flags, restorer, mask] = self.scratch_words()?;
            if handler != 0 || flags != 0 || mask != 0 {
                actions.push(SignalAction {
                    signal,
                    handler,
                    flags,
                    restorer,
                    mask,
                });
            }
        }
        Ok(actions)
    }

    fn ask_interval_timers(&mut self) -> Result<Vec<IntervalTimer>, CheckpointError> {
        let mut timers = Vec::new();
        for which in 0..3_u8 {
            let arguments = [u64::from(which), self.scratch];
            let [interval_s, interval_us, left_s, left_us] =
                self.words("its interval timers", call::GETITIMER, arguments)?;
            let left_us = microseconds(left_s, left_us);
            if left_us > 0 {
                let interval_us = microseconds(interval_s, interval_us);
                timers.push(IntervalTimer {
                    which,
                    left_us,
                    interval_us,
                });
            }
        }
        Ok(timers)
    }

    fn clock(&mut self, clock: u64) -> Result<u64, CheckpointError> {
        let [seconds, rest] = self.words("the time", call::CLOCK_GETTIME, [clock, self.scratch])?;
        Ok(nanoseconds(seconds, rest))
    }

    /// A call that answers into the scratch page.
    fn words<const WORDS: usize>(
        &mut self,
        what: &'static str,
        number: i64,
        [first, second]: [u64; 2],
    ) -> Result<[u64; WORDS], CheckpointError> {
        self.call(what, number, [first, second, 0, 0, 0, 0])?;
        self.scratch_words()
    }

    fn scratch_words<const WORDS: usize>(&self) -> Result<[u64; WORDS], CheckpointError> {
        self.memory
            .read_words(self.scratch)
            .map_err(|source| CheckpointError::Memory {
                what: format!("the scratch page of process {}", self.pid),
                source,
            })
    }

    /// A call that answers by its result.
    fn number(
        &mut self,
        what: &'static str,
        number: i64,
        [first, second]: [u64; 2],
    ) -> Result<i64, CheckpointError> {
        self.call(what, number, [first, second, 0, 0, 0, 0])
    }

    fn call(
        &mut self,
        what: &'static str,
        call: i64,
        arguments: [u64; 6],
    ) -> Result<i64, CheckpointError> {
        let (pid, tid) = (self.pid, self.tid);
        let returned = self
            .injection
            .call(call, arguments)
            .map_err(|source| CheckpointError::Trace { pid, source })?;
        // Results between -4095 and -1 are errors (`syscalls(2)`); the highest addresses are not a program's.
        match i32::try_from(returned) {
            Ok(code @ -4095..=-1) => {
                let source = io::Error::from_raw_os_error(-code);
                Err(CheckpointError::Unanswered {
                    tid,
                    what,
                    call,
                    source,
                })
            }
            _ => Ok(returned),
        }
    }
}

fn nanoseconds(seconds: u64, nanoseconds: u64) -> u64 {
    seconds
        .saturating_mul(NANOSECONDS)
        .saturating_add(nanoseconds)
}

fn microseconds(seconds: u64, microseconds: u64) -> u64 {
    seconds
        .saturating_mul(1_000_000)
        .saturating_add(microseconds)
}
