//! System calls that the freeze has interrupted: they begin again, here and in clones.

use offshoot_image::model::Registers;
use offshoot_trace::{Queue, TraceError, Tracee};

use crate::CheckpointError;

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
pub(crate) fn is_called(thread: &Tracee) -> Result<bool, TraceError> {
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

/// What the kernel does when a thread leaves an interrupted system call (Linux `arch_do_signal_or_restart`), done
/// beforehand: no other kernel can. `called`: whether a signal waits that it will take next.
///
/// A sleep or a `poll` with a time limit goes by the kernel's memory of the deadline (`restart_syscall(2)`), which
/// cannot be carried over: it begins anew, with its whole time.
pub(crate) fn restartable(mut registers: [u64; 27], called: bool) -> [u64; 27] {
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
