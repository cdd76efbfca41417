//! One thread under our control.
//!
//! A tracee is *running* or *stopped*; all reading wants it stopped. It gets from one to the other
//! by [`Tracee::interrupt`] with [`Tracee::wait_stopped`], and by [`Tracee::detach`], which ends
//! it. A dropped tracee that is stopped is detached and goes on.
// UNSAFETY: requests that read and write our memory by address.
#![expect(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use crate::raw::{self, op};
use crate::{TraceError, query};

/// `PTRACE_O_TRACESYSGOOD`: stops at system calls can be told from signals.
const OPTION_SYSGOOD: u64 = 1;
/// `PTRACE_O_SUSPEND_SECCOMP`.
const OPTION_SUSPEND_SECCOMP: u64 = 1 << 21;
/// `BPF_MAXINSNS`.
const FILTER_MOST: usize = 4096;
/// `NT_X86_XSTATE` (`elf.h`).
const XSTATE: u64 = 0x202;
/// More than any XSAVE area of today: AMX makes 11 KiB.
const XSTATE_MOST_BYTES: usize = 64 * 1024;
/// How long a stop is waited for without sleeping: longer than a thread takes to wake on another processor.
const BUSY: Duration = Duration::from_micros(50);
/// How long to sleep between looks after that; the kernel makes it some 60 µs more (`prctl(2)`, timer slack).
const NAP: Duration = Duration::from_micros(20);
/// `PTRACE_EVENT_STOP`.
const EVENT_STOP: i32 = 128;

/// A thread that we trace.
#[derive(Debug)]
pub struct Tracee {
    tid: u32,
    state: State,
    /// A `SIGSTOP` arrived while calls were injected: it is sent again at the end.
    stop_owed: bool,
    _not_send: PhantomData<*const ()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Stopped,
    Ended,
}

/// Why a thread has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `PTRACE_INTERRUPT`, or a group stop: no signal is in flight.
    Event,
    /// Entry or exit of a system call.
    Syscall,
    /// A signal is about to be delivered.
    Signal(i32),
}

/// How a thread registered for restartable sequences (`rseq(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RseqRegistration {
    /// Address of its area.
    pub address: u64,
    /// Length of the area, in bytes.
    pub bytes: u32,
    /// The signature before each abort handler.
    pub signature: u32,
}

impl Tracee {
    /// Begins to trace a thread, which goes on running. `None` if it has ended.
    ///
    /// # Errors
    /// Another tracer has it, or it is not permitted.
    pub fn seize(tid: u32) -> Result<Option<Self>, TraceError> {
        // EXITKILL is not among the options: the program must survive our crash.
        match raw::plain(op::SEIZE, tid, 0, OPTION_SYSGOOD) {
            Ok(()) => Ok(Some(Self {
                tid,
                state: State::Running,
                stop_owed: false,
                _not_send: PhantomData,
            })),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            Err(error) => why_not_seized(tid, error),
        }
    }

    /// Its id, in our namespace.
    pub const fn tid(&self) -> u32 {
        self.tid
    }

    /// Asks it to stop.
    ///
    /// # Errors
    /// It has ended.
    pub fn interrupt(&mut self) -> Result<(), TraceError> {
        self.check(
            "PTRACE_INTERRUPT",
            raw::plain(op::INTERRUPT, self.tid, 0, 0),
        )
    }

    /// Waits for the stop that [`Tracee::interrupt`] asked for. A signal that is delivered on the
    /// way is delivered, and the thread then stops at the first instruction of its handler.
    ///
    /// # Errors
    /// It ended, or has not stopped when `patience` is over.
    pub fn wait_stopped(&mut self, patience: Duration) -> Result<(), TraceError> {
        loop {
            match self.wait(patience)? {
                (Stop::Event, _) => return Ok(()),
                (Stop::Syscall, _) => self.resume(op::CONT, 0)?,
                (Stop::Signal(signal), _) => self.resume(op::CONT, signal)?,
            }
        }
    }

    /// Lets seccomp filters be, so that injected calls are not judged by them.
    ///
    /// # Errors
    /// The caller lacks `CAP_SYS_ADMIN`, or has a seccomp filter itself.
    pub fn suspend_seccomp(&mut self) -> Result<(), TraceError> {
        let options = OPTION_SYSGOOD | OPTION_SUSPEND_SECCOMP;
        self.check(
            "PTRACE_O_SUSPEND_SECCOMP",
            raw::plain(op::SETOPTIONS, self.tid, 0, options),
        )
    }

    /// One of its seccomp filters as instructions of eight bytes, 0 being the first that was installed; none if it has no
    /// more.
    ///
    /// # Errors
    /// The caller lacks `CAP_SYS_ADMIN` or has a seccomp filter itself; the kernel keeps no filters
    /// (`CONFIG_CHECKPOINT_RESTORE`); the thread is not stopped any more.
    pub fn seccomp_filter(&self, index: u64) -> Result<Option<Vec<[u8; 8]>>, TraceError> {
        let mut filter = vec![[0_u8; 8]; FILTER_MOST];
        let into = filter.as_mut_ptr() as u64;
        // SAFETY: the kernel writes a whole filter, which has at most `FILTER_MOST` instructions of eight bytes.
        let returned = unsafe { raw::request(op::SECCOMP_GET_FILTER, self.tid, index, into) };
        match returned {
            Ok(count) => {
                filter.truncate(usize::try_from(count).unwrap_or(0));
                Ok(Some(filter))
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => self.check("PTRACE_SECCOMP_GET_FILTER", Err(error)),
        }
    }

    /// Its general registers, in the order of `struct user_regs_struct`.
    ///
    /// # Errors
    /// It is not stopped any more.
    pub fn registers(&self) -> Result<[u64; 27], TraceError> {
        // SAFETY:
        // 1. PTRACE_GETREGS writes one `user_regs_struct`: 27 words (sys/user.h).
        // 2. Words hold anything.
        let registers = unsafe { raw::fill::<[u64; 27]>(op::GETREGS, self.tid, 0) };
        self.check("PTRACE_GETREGS", registers)
            .map(|(registers, _)| registers)
    }

    /// Replaces its general registers.
    ///
    /// # Errors
    /// It is not stopped any more, or a segment register or base is impossible.
    pub fn set_registers(&mut self, registers: &[u64; 27]) -> Result<(), TraceError> {
        // SAFETY: 1. PTRACE_SETREGS reads one `user_regs_struct`: 27 words.
        let set = unsafe { raw::give(op::SETREGS, self.tid, 0, registers) };
        self.check("PTRACE_SETREGS", set)
    }

    /// Its vector and floating point state: an XSAVE area in the standard format.
    ///
    /// # Errors
    /// It is not stopped any more.
    pub fn xsave(&self) -> Result<Vec<u8>, TraceError> {
        let mut bytes = vec![0; XSTATE_MOST_BYTES];
        // SAFETY: 1. PTRACE_GETREGSET takes an iovec at `data` and honours its length.
        let filled = unsafe { raw::fill_bytes(op::GETREGSET, self.tid, XSTATE, &mut bytes) };
        bytes.truncate(self.check("PTRACE_GETREGSET of NT_X86_XSTATE", filled)?);
        bytes.shrink_to_fit();
        Ok(bytes)
    }

    /// The signals that it blocks. In a call that replaces the mask for its duration
    /// (`ppoll`, `sigsuspend`), the mask outside of the call.
    ///
    /// # Errors
    /// It is not stopped any more.
    pub fn signal_mask(&self) -> Result<u64, TraceError> {
        // SAFETY:
        // 1. PTRACE_GETSIGMASK writes `addr` bytes: eight.
        // 2. A word holds anything.
        let mask = unsafe { raw::fill::<u64>(op::GETSIGMASK, self.tid, 8) };
        self.check("PTRACE_GETSIGMASK", mask).map(|(mask, _)| mask)
    }

    /// Replaces the signals that it blocks.
    ///
    /// # Errors
    /// It is not stopped any more.
    pub fn set_signal_mask(&mut self, mask: u64) -> Result<(), TraceError> {
        // SAFETY: 1. PTRACE_SETSIGMASK reads `addr` bytes: eight.
        let set = unsafe { raw::give(op::SETSIGMASK, self.tid, 8, &mask) };
        self.check("PTRACE_SETSIGMASK", set)
    }

    /// How it registered for restartable sequences, if it did.
    ///
    /// # Errors
    /// It is not stopped any more; `EIO` before Linux 5.13.
    pub fn rseq(&self) -> Result<Option<RseqRegistration>, TraceError> {
        #[repr(C)]
        struct Configuration {
            address: u64,
            bytes: u32,
            signature: u32,
            flags: u32,
            pad: u32,
        }
        let size = size_of::<Configuration>() as u64;
        // SAFETY:
        // 1. The kernel writes at most `addr` bytes: the size of the structure.
        // 2. Its fields are words, which hold anything.
        let filled =
            unsafe { raw::fill::<Configuration>(op::GET_RSEQ_CONFIGURATION, self.tid, size) };
        let (found, _) = self.check("PTRACE_GET_RSEQ_CONFIGURATION", filled)?;
        Ok((found.address != 0).then_some(RseqRegistration {
            address: found.address,
            bytes: found.bytes,
            signature: found.signature,
        }))
    }

    /// Whether its system calls are dispatched to its own handler
    /// (`PR_SET_SYSCALL_USER_DISPATCH`).
    ///
    /// # Errors
    /// It is not stopped any more.
    pub fn has_syscall_user_dispatch(&self) -> Result<bool, TraceError> {
        let size = size_of::<[u64; 4]>() as u64;
        // SAFETY:
        // 1. The kernel writes exactly `addr` bytes, four words, or fails.
        // 2. Words hold anything.
        let filled =
            unsafe { raw::fill::<[u64; 4]>(op::GET_SYSCALL_USER_DISPATCH_CONFIG, self.tid, size) };
        match filled {
            Ok((configuration, _)) => Ok(configuration[0] != 0),
            // Before Linux 6.4 nobody can ask.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(false),
            Err(error) => self.check("PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG", Err(error)),
        }
    }

    /// Runs one instruction. Signals other than `SIGTRAP` should be blocked meanwhile.
    ///
    /// The kernel reports the step by a forced `SIGTRAP`, which sets the action of a program that
    /// *ignores* `SIGTRAP` back to the default: do not step such a program.
    ///
    /// # Errors
    /// It ended, or has not stopped when `patience` is over.
    pub fn step(&mut self, patience: Duration) -> Result<(), TraceError> {
        loop {
            self.resume(op::SINGLESTEP, 0)?;
            match self.wait(patience)? {
                (Stop::Signal(libc::SIGTRAP), _) => return Ok(()),
                (Stop::Signal(libc::SIGSTOP), _) => self.stop_owed = true,
                _ => {}
            }
        }
    }

    /// Brings a thread that stopped at a signal or a system call into the plain stop of an
    /// interrupt, without a single instruction of the program being run.
    ///
    /// # Errors
    /// It ended.
    pub fn settle(&mut self, patience: Duration) -> Result<(), TraceError> {
        self.interrupt()?;
        self.resume(op::CONT, 0)?;
        loop {
            match self.wait(patience)? {
                (Stop::Event, _) => return Ok(()),
                (Stop::Signal(libc::SIGSTOP), _) => self.stop_owed = true,
                _ => {}
            }
            self.resume(op::CONT, 0)?;
        }
    }

    /// Lets it go on, untraced.
    ///
    /// # Errors
    /// It ended meanwhile.
    pub fn detach(mut self) -> Result<(), TraceError> {
        self.let_go()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    pub(crate) fn owe_stop(&mut self) {
        self.stop_owed = true;
    }

    pub(crate) fn resume(&mut self, how: u32, signal: i32) -> Result<(), TraceError> {
        let signal = u64::from(signal.cast_unsigned());
        self.check("resuming", raw::plain(how, self.tid, 0, signal))?;
        self.state = State::Running;
        Ok(())
    }

    /// Waits for the next stop; also gives the wait status.
    pub(crate) fn wait(&mut self, patience: Duration) -> Result<(Stop, i32), TraceError> {
        let status = self.wait_status(patience)?;
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            self.state = State::Ended;
            return Err(TraceError::Ended { tid: self.tid });
        }
        self.state = State::Stopped;
        let signal = libc::WSTOPSIG(status);
        let stop = if status >> 16 == EVENT_STOP {
            Stop::Event
        } else if signal == libc::SIGTRAP | 0x80 {
            Stop::Syscall
        } else {
            Stop::Signal(signal)
        };
        Ok((stop, status))
    }

    /// `waitpid` knows no timeout, and a sleeping waiter is woken late on an idle machine: look without pause at first,
    /// then sleep. Not `sched_yield`: beside busy threads it would cost whole time slices.
    fn wait_status(&mut self, patience: Duration) -> Result<i32, TraceError> {
        let began = Instant::now();
        loop {
            match raw::poll_stop(self.tid) {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(_) => {
                    self.state = State::Ended;
                    return Err(TraceError::Ended { tid: self.tid });
                }
            }
            let waited = began.elapsed();
            if waited > patience {
                let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
                return Err(TraceError::Stuck {
                    tid: self.tid,
                    patience_ms,
                });
            }
            if waited > BUSY {
                std::thread::sleep(NAP);
            }
        }
    }

    pub(crate) fn check<T>(
        &self,
        request: &'static str,
        result: io::Result<T>,
    ) -> Result<T, TraceError> {
        result.map_err(|source| match source.raw_os_error() {
            Some(libc::ESRCH) => TraceError::Ended { tid: self.tid },
            _ => TraceError::Request {
                tid: self.tid,
                request,
                source,
            },
        })
    }

    fn let_go(&mut self) -> Result<(), TraceError> {
        if self.state != State::Stopped {
            return Ok(());
        }
        self.state = State::Ended;
        if std::mem::take(&mut self.stop_owed) {
            // The process may be gone: then there is nobody to stop.
            let _ = raw::kill(self.tid, libc::SIGSTOP);
        }
        self.check("PTRACE_DETACH", raw::plain(op::DETACH, self.tid, 0, 0))
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        // Nothing can be done about a thread that ended meanwhile.
        let _ = self.let_go();
    }
}

/// `EPERM` says one thing for a dead thread, a traced one and a foreign one.
fn why_not_seized(tid: u32, source: io::Error) -> Result<Option<Tracee>, TraceError> {
    match query::tracer_and_life(tid) {
        None | Some((_, false)) => Ok(None),
        Some((0, true)) => Err(TraceError::Denied { tid, source }),
        Some((tracer, true)) => Err(TraceError::AlreadyTraced { tid, tracer }),
    }
}
