//! The filter: classic BPF (`Documentation/networking/filter.rst`), which jumps only forward.
//!
//! ```text
//! number of the call ──┬── madvise, mremap ──> does it touch memory of the pool? ──┐
//!                      ├── masks, actions ───> does it come from the image's code? ┴─> trap
//!                      └── any other ────────> pass; the kernel remembers this, and asks no more
//! ```

use std::ops::Range;

use offshoot_plan::traps::{ALLOW, Instruction, TRAP, code};
use offshoot_plan::{ENGINE_BASE, ENGINE_BYTES};

use super::sys;

/// Neighbours are joined until there are so few: each costs a dozen instructions, of 4096.
const MOST_POOL_RANGES: usize = 160;
const MOST_CODE_RANGES: usize = 128;

/// `AUDIT_ARCH_X86_64`.
const X86_64: u32 = 0xc000_003e;
// Offsets in `struct seccomp_data`; of 64 bits the low word comes first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const POINTER: u32 = 8;
const ARGUMENTS: u32 = 16;
/// Words of scratch memory: the first address behind the range of the call's first two arguments.
const END_LOW: u32 = 0;
const END_HIGH: u32 = 1;

/// `DONTNEED`, `FREE`, `DONTNEED_LOCKED`, `GUARD_INSTALL`, `WIPEONFORK`: advice that means something else, or is not taken,
/// where memory is a file's.
const ADVICE: [u32; 5] = [4, 8, 24, 102, 18];

/// The filter for these addresses; both lists are ascending.
pub(super) fn compile(pool: Vec<Range<u64>>, calls_from: Vec<Range<u64>>) -> Vec<Instruction> {
    let pool = join(pool, MOST_POOL_RANGES);
    let calls_from = join(calls_from, MOST_CODE_RANGES);
    let parts = [
        dispatch(),
        advice(),
        touches(&pool),
        comes_from(&calls_from),
    ];
    let starts: Vec<usize> = parts
        .iter()
        .scan(0, |at, part| {
            let start = *at;
            *at += part.len();
            Some(start)
        })
        .collect();
    let steps = parts.into_iter().flatten().enumerate();
    steps
        .map(|(at, step)| match step {
            Step::Do(instruction) => instruction,
            Step::Go(part) => Instruction::new(code::SKIP, (starts[part as usize] - at - 1) as u32),
        })
        .collect()
}

/// The parts of the filter, in their order.
#[derive(Debug, Clone, Copy)]
enum Part {
    Advice = 1,
    Touches = 2,
    ComesFrom = 3,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Do(Instruction),
    /// Goes on at the beginning of a part behind this one.
    Go(Part),
}

fn step(code: u16, k: u32) -> Step {
    Step::Do(Instruction::new(code, k))
}

fn compare(code: u16, k: u32, if_true: u8, if_false: u8) -> Step {
    Step::Do(Instruction::compare(code, k, if_true, if_false))
}

fn dispatch() -> Vec<Step> {
    let mut steps = vec![
        step(code::LOAD, ARCHITECTURE),
        compare(code::IS, X86_64, 1, 0),
        step(code::RETURN, ALLOW),
        step(code::LOAD, NUMBER),
    ];
    for (number, part) in [
        (sys::MADVISE, Part::Advice),
        (sys::MREMAP, Part::Touches),
        (sys::RT_SIGPROCMASK, Part::ComesFrom),
        (sys::RT_SIGACTION, Part::ComesFrom),
    ] {
        steps.extend([compare(code::IS, number as u32, 0, 1), Step::Go(part)]);
    }
    steps.push(step(code::RETURN, ALLOW));
    steps
}

fn advice() -> Vec<Step> {
    let mut steps = vec![step(code::LOAD, ARGUMENTS + 16)];
    for (index, advice) in ADVICE.into_iter().enumerate() {
        let left = ADVICE.len() - index;
        steps.push(compare(code::IS, advice, left as u8, 0));
    }
    steps.extend([step(code::RETURN, ALLOW), Step::Go(Part::Touches)]);
    steps
}

/// Whether the range of the first two arguments, address and length, overlaps one of these. The stub's own calls pass.
fn touches(ranges: &[Range<u64>]) -> Vec<Step> {
    let mut steps = vec![
        step(code::LOAD, POINTER + 4),
        compare(code::IS, high(ENGINE_BASE), 0, 3),
        step(code::LOAD, POINTER),
        compare(code::IS_AT_LEAST, low(ENGINE_BASE + ENGINE_BYTES), 1, 0),
        step(code::RETURN, ALLOW),
        // The end of the range: high words, low words, and the carry.
        step(code::LOAD, ARGUMENTS + 12),
        step(code::TO_INDEX, 0),
        step(code::LOAD, ARGUMENTS + 4),
        step(code::ADD_INDEX, 0),
        step(code::STORE_SCRATCH, END_HIGH),
        step(code::LOAD, ARGUMENTS + 8),
        step(code::TO_INDEX, 0),
        step(code::LOAD, ARGUMENTS),
        step(code::ADD_INDEX, 0),
        step(code::STORE_SCRATCH, END_LOW),
        compare(code::IS_AT_LEAST_INDEX, 0, 3, 0),
        step(code::LOAD_SCRATCH, END_HIGH),
        step(code::ADD, 1),
        step(code::STORE_SCRATCH, END_HIGH),
    ];
    for range in ranges {
        let (first, last) = (range.start, range.end - 1);
        steps.extend([
            // Behind this one: the next.
            step(code::LOAD, ARGUMENTS + 4),
            compare(code::IS_ABOVE, high(last), 10, 0),
            compare(code::IS, high(last), 0, 2),
            step(code::LOAD, ARGUMENTS),
            compare(code::IS_ABOVE, low(last), 7, 0),
            // It begins before the end of this one: it touches it if it ends behind its beginning.
            step(code::LOAD_SCRATCH, END_HIGH),
            compare(code::IS_ABOVE, high(first), 3, 0),
            compare(code::IS, high(first), 0, 3),
            step(code::LOAD_SCRATCH, END_LOW),
            compare(code::IS_ABOVE, low(first), 0, 1),
            step(code::RETURN, TRAP),
            step(code::RETURN, ALLOW),
        ]);
    }
    steps.push(step(code::RETURN, ALLOW));
    steps
}

/// Whether the call comes from one of these.
fn comes_from(ranges: &[Range<u64>]) -> Vec<Step> {
    let mut steps = Vec::new();
    for range in ranges {
        let (first, last) = (range.start, range.end - 1);
        steps.extend([
            step(code::LOAD, POINTER + 4),
            compare(code::IS_ABOVE, high(first), 3, 0),
            compare(code::IS, high(first), 0, 8),
            step(code::LOAD, POINTER),
            compare(code::IS_AT_LEAST, low(first), 0, 6),
            step(code::LOAD, POINTER + 4),
            compare(code::IS_ABOVE, high(last), 4, 0),
            compare(code::IS, high(last), 0, 2),
            step(code::LOAD, POINTER),
            compare(code::IS_ABOVE, low(last), 1, 0),
            step(code::RETURN, TRAP),
        ]);
    }
    steps.push(step(code::RETURN, ALLOW));
    steps
}

fn high(address: u64) -> u32 {
    (address >> 32) as u32
}

fn low(address: u64) -> u32 {
    address as u32
}

/// Joins the neighbours that are nearest to one another, until there are at most so many.
fn join(ranges: Vec<Range<u64>>, most: usize) -> Vec<Range<u64>> {
    let mut gaps: Vec<u64> = ranges
        .windows(2)
        .map(|pair| pair[1].start - pair[0].end)
        .collect();
    gaps.sort_unstable();
    // Touching ones always; else what is too much.
    let joined = ranges.len().saturating_sub(most);
    let widest = joined.checked_sub(1).map_or(0, |index| gaps[index]);
    let mut left: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match left.last_mut() {
            Some(last) if range.start - last.end <= widest => last.end = range.end,
            _ => left.push(range),
        }
    }
    left
}

#[cfg(test)]
mod tests;
