//! Obeying a list of operations.

use crate::sys;
use offshoot_plan::{Check, Op, PLAN_BASE, Span};

const O_CLOEXEC: u64 = 0o2_000_000;

/// Runs operations in order. The index and the result of the one that failed.
pub fn run(span: Span) -> Result<(), (u32, i64)> {
    let first = (PLAN_BASE + span.offset) as *const Op;
    let mut index = 0;
    while index < span.count {
        // SAFETY: the nursery has checked that the span lies within the plan, which stays mapped.
        let op = unsafe { core::ptr::read(first.add(index as usize)) };
        // SAFETY: the nursery has checked which calls there are, and that none touches the engine's region.
        let result = unsafe { obey(&op) };
        if let Err(result) = result {
            return Err((index as u32, result));
        }
        index += 1;
    }
    Ok(())
}

/// # Safety
/// The operation is one that [`offshoot_plan::check()`] lets pass.
unsafe fn obey(op: &Op) -> Result<(), i64> {
    let mut args = op.args;
    if op.loads != 0 {
        let mut at = 0;
        while at < 6 {
            if op.loads & (1 << at) != 0 {
                // SAFETY: the address is one of the plan, where an earlier operation has written.
                args[at] = u64::from(unsafe { core::ptr::read(args[at] as *const u32) });
            }
            at += 1;
        }
    }
    // SAFETY: as the caller's.
    let result = unsafe { sys::call(op.number, args) };
    if op.check == Check::Anything as u8 {
        return Ok(());
    }
    if sys::is_error(result) {
        return Err(result);
    }
    if op.store != 0 {
        // SAFETY: the address is one of the plan.
        unsafe { core::ptr::write(op.store as *mut u32, result as u32) };
    }
    if op.check == Check::Equals as u8 && result as u64 != op.expected {
        return Err(result);
    }
    if op.check == Check::Descriptor as u8 && result as u64 != op.expected {
        return move_descriptor(result as u64, op);
    }
    Ok(())
}

fn move_descriptor(from: u64, op: &Op) -> Result<(), i64> {
    let flags = if op.close_on_exec != 0 { O_CLOEXEC } else { 0 };
    // SAFETY: only descriptors change.
    let moved = unsafe { sys::call3(sys::DUP3, from, op.expected, flags) };
    // SAFETY: as above.
    unsafe { sys::call3(sys::CLOSE, from, 0, 0) };
    if sys::is_error(moved) {
        return Err(moved);
    }
    Ok(())
}
