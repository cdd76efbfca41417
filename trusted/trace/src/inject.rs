//! System calls performed by somebody else.

use std::time::Duration;

use crate::raw::{self, op};
use crate::tracee::Stop;
use crate::{TraceError, Tracee};

/// The bytes of the instruction `syscall`, to be looked for in the vDSO.
pub const SYSCALL_INSTRUCTION: [u8; 2] = [0x0f, 0x05];

/// An injected call does not sleep: if it has not returned after this, something is very wrong.
const PATIENCE: Duration = Duration::from_secs(5);

/// Positions in `struct user_regs_struct`.
mod register {
    pub(super) const R10: usize = 7;
    pub(super) const R9: usize = 8;
    pub(super) const R8: usize = 9;
    pub(super) const RAX: usize = 10;
    pub(super) const RDX: usize = 12;
    pub(super) const RSI: usize = 13;
    pub(super) const RDI: usize = 14;
    pub(super) const ORIG_RAX: usize = 15;
    pub(super) const RIP: usize = 16;
}

/// A stopped thread that performs system calls for us. Its signals are blocked meanwhile; its stack
/// and memory are not touched but by the calls themselves. Ends by [`Injection::end`] or when it is
/// dropped.
#[derive(Debug)]
pub struct Injection<'tracee> {
    tracee: &'tracee mut Tracee,
    syscall_at: u64,
    registers: [u64; 27],
    signal_mask: u64,
    over: bool,
}

impl<'tracee> Injection<'tracee> {
    /// Takes over a thread that stopped by [`Tracee::interrupt`]. `syscall_at` is the address of a
    /// [`SYSCALL_INSTRUCTION`] that it can execute.
    ///
    /// # Errors
    /// It is not stopped any more.
    pub fn begin(tracee: &'tracee mut Tracee, syscall_at: u64) -> Result<Self, TraceError> {
        let registers = tracee.registers()?;
        let signal_mask = tracee.signal_mask()?;
        tracee.set_signal_mask(u64::MAX)?;
        Ok(Self {
            tracee,
            syscall_at,
            registers,
            signal_mask,
            over: false,
        })
    }

    /// Performs one system call; what it returned, `-errno` if it failed.
    ///
    /// Only calls that neither sleep nor change control flow make sense.
    ///
    /// # Errors
    /// The thread ended or did not perform the call.
    pub fn call(&mut self, number: i64, arguments: [u64; 6]) -> Result<i64, TraceError> {
        let number = number.cast_unsigned();
        let mut registers = self.registers;
        registers[register::RIP] = self.syscall_at;
        registers[register::RAX] = number;
        // Otherwise the kernel would take the stop for one inside a call that is to be restarted.
        registers[register::ORIG_RAX] = u64::MAX;
        let places = [
            register::RDI,
            register::RSI,
            register::RDX,
            register::R10,
            register::R8,
            register::R9,
        ];
        for (place, argument) in places.into_iter().zip(arguments) {
            registers[place] = argument;
        }
        self.tracee.set_registers(&registers)?;
        self.run_to_syscall_stop(number)?;
        self.run_to_syscall_stop(number)?;
        self.peek_result().map(u64::cast_signed)
    }

    /// Puts the thread back into the stop and state in which it was taken over.
    ///
    /// # Errors
    /// The thread ended.
    pub fn end(mut self) -> Result<(), TraceError> {
        self.restore()
    }

    fn run_to_syscall_stop(&mut self, number: u64) -> Result<(), TraceError> {
        loop {
            self.tracee.resume(op::SYSCALL, 0)?;
            match self.tracee.wait(PATIENCE)? {
                (Stop::Syscall, _) => return Ok(()),
                (Stop::Event, _) => {}
                // The only signal that the mask does not hold back and that does not kill.
                (Stop::Signal(libc::SIGSTOP), _) => self.tracee.owe_stop(),
                (Stop::Signal(_), status) => {
                    let tid = self.tracee.tid();
                    return Err(TraceError::Injection {
                        tid,
                        number,
                        status,
                    });
                }
            }
        }
    }

    // UNSAFETY: a request that writes to our memory.
    #[expect(unsafe_code)]
    fn peek_result(&self) -> Result<u64, TraceError> {
        let offset = (register::RAX * size_of::<u64>()) as u64;
        // SAFETY:
        // 1. The raw PTRACE_PEEKUSER writes one word at `data` (ptrace(2), "C library/kernel
        //    differences").
        // 2. A word holds anything.
        let word = unsafe { raw::fill::<u64>(op::PEEKUSER, self.tracee.tid(), offset) };
        self.tracee
            .check("PTRACE_PEEKUSER", word)
            .map(|(word, _)| word)
    }

    fn restore(&mut self) -> Result<(), TraceError> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        // A thread that waits in a call gets its restart from the kernel only where signals are
        // handled: back to that place first, then its registers.
        self.tracee.settle(PATIENCE)?;
        self.tracee.set_registers(&self.registers)?;
        self.tracee.set_signal_mask(self.signal_mask)
    }
}

impl Drop for Injection<'_> {
    fn drop(&mut self) {
        if self.tracee.is_stopped() {
            // After an error there is nobody to tell; the thread has most likely ended.
            let _ = self.restore();
        }
    }
}
