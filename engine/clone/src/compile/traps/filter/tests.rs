//! The filter, run by a small interpreter.
#![allow(clippy::unwrap_used)]

use super::*;

const LIBC: u64 = 0x7f12_3400_0000;
const GETPID: i64 = 39;
const DONTNEED: u64 = 4;
const WILLNEED: u64 = 3;

/// One range.
fn memory() -> Vec<Range<u64>> {
    std::iter::once(0x7f00_0000_0000..0x7f00_0010_0000).collect()
}

/// What the filter says of a call.
fn verdict(filter: &[Instruction], number: i64, pointer: u64, arguments: [u64; 6]) -> u32 {
    let mut data = Vec::new();
    data.extend((number as u32).to_le_bytes());
    data.extend(X86_64.to_le_bytes());
    data.extend(pointer.to_le_bytes());
    data.extend(arguments.into_iter().flat_map(u64::to_le_bytes));
    let word = |offset: u32| u32::from_le_bytes(*data[offset as usize..].first_chunk().unwrap());
    let (mut accumulator, mut index, mut scratch) = (0_u32, 0_u32, [0_u32; 16]);
    let mut at = 0;
    loop {
        let Instruction {
            code,
            if_true,
            if_false,
            k,
        } = filter[at];
        at += 1;
        let holds = match code {
            code::RETURN => return k,
            code::IS => accumulator == k,
            code::IS_ABOVE => accumulator > k,
            code::IS_AT_LEAST => accumulator >= k,
            code::IS_AT_LEAST_INDEX => accumulator >= index,
            _ => {
                match code {
                    code::LOAD => accumulator = word(k),
                    code::LOAD_SCRATCH => accumulator = scratch[k as usize],
                    code::STORE_SCRATCH => scratch[k as usize] = accumulator,
                    code::TO_INDEX => index = accumulator,
                    code::ADD_INDEX => accumulator = accumulator.wrapping_add(index),
                    code::ADD => accumulator = accumulator.wrapping_add(k),
                    code::SKIP => at += k as usize,
                    other => panic!("unknown instruction {other:#x}"),
                }
                continue;
            }
        };
        at += usize::from(if holds { if_true } else { if_false });
    }
}

fn advised(filter: &[Instruction], start: u64, bytes: u64) -> bool {
    let arguments = [start, bytes, DONTNEED, 0, 0, 0];
    verdict(filter, sys::MADVISE, LIBC, arguments) == TRAP
}

#[test]
fn what_touches_memory_of_the_pool_is_trapped() {
    // Within one high word, across a border of words, and wider than any.
    let pool = [
        0x5555_0001_0000..0x5555_0002_0000,
        0x7f00_ffff_f000..0x7f01_0000_1000,
        0x7f10_0000_0000..0x7f14_0000_0000,
    ];
    let filter = compile(pool.to_vec(), Vec::new());
    for Range { start, end } in pool {
        assert!(advised(&filter, start, 4096));
        assert!(advised(&filter, end - 4096, 4096));
        assert!(advised(&filter, start - 4096, 4097), "runs into it");
        assert!(advised(&filter, start - (1 << 33), 1 << 40), "around it");
        assert!(!advised(&filter, start - 4096, 4096), "before it");
        assert!(!advised(&filter, end, 4096), "behind it");
    }
    assert!(advised(&filter, 0x7f12_3456_7000, 1));
    assert!(!advised(&filter, 0x7f20_0000_0000, 1 << 40));
    assert!(!advised(&filter, 0x1000, 1 << 30));
}

#[test]
fn other_advice_and_other_calls_pass() {
    let filter = compile(memory(), Vec::new());
    let call = |number, third| {
        verdict(
            &filter,
            number,
            LIBC,
            [0x7f00_0000_0000, 4096, third, 0, 0, 0],
        )
    };
    assert_eq!(call(sys::MADVISE, DONTNEED), TRAP);
    assert_eq!(call(sys::MADVISE, WILLNEED), ALLOW);
    assert_eq!(call(sys::MREMAP, 8192), TRAP);
    for advice in ADVICE {
        assert_eq!(call(sys::MADVISE, u64::from(advice)), TRAP, "{advice}");
    }
    for number in [sys::MMAP, sys::MPROTECT, sys::PRCTL, GETPID, -1] {
        assert_eq!(call(number, DONTNEED), ALLOW, "{number}");
    }
}

#[test]
fn the_stub_is_not_trapped() {
    let filter = compile(memory(), Vec::new());
    let drop = [0x7f00_0000_0000, 4096, DONTNEED, 0, 0, 0];
    let from = |pointer| verdict(&filter, sys::MADVISE, pointer, drop);
    assert_eq!(from(ENGINE_BASE), ALLOW);
    assert_eq!(from(ENGINE_BASE + ENGINE_BYTES - 1), ALLOW);
    assert_eq!(from(ENGINE_BASE + ENGINE_BYTES), TRAP);
    assert_eq!(from(ENGINE_BASE - 1), TRAP);
}

#[test]
fn masks_are_trapped_where_the_image_has_code() {
    let code = [
        0x5555_0000_0000..0x5555_0000_4000,
        0x7f12_ffff_f000..0x7f13_0000_1000,
    ];
    let filter = compile(memory(), code.to_vec());
    for number in [sys::RT_SIGPROCMASK, sys::RT_SIGACTION] {
        let from = |pointer| verdict(&filter, number, pointer, [0; 6]);
        for Range { start, end } in code.clone() {
            assert_eq!(from(start), TRAP);
            assert_eq!(from(end - 1), TRAP);
            assert_eq!(from(start - 1), ALLOW);
            assert_eq!(from(end), ALLOW);
        }
        assert_eq!(from(0x7f13_0000_0000), TRAP);
        assert_eq!(from(0x7f13_ffff_f000), ALLOW);
    }
}

#[test]
fn other_architectures_pass() {
    let filter = compile(memory(), Vec::new());
    assert_eq!(filter[2], Instruction::new(code::RETURN, ALLOW));
    assert_eq!(filter[1], Instruction::compare(code::IS, X86_64, 1, 0));
}

#[test]
fn thousands_of_ranges_are_joined_where_they_are_near() {
    let many: Vec<Range<u64>> = (0..5000_u64)
        .map(|index| {
            // Pairs, near to one another, then a wide gap.
            let start = 0x7f00_0000_0000 + (index / 100) * (1 << 36) + (index % 100) * 8192;
            start..start + 4096
        })
        .collect();
    let joined = join(many.clone(), 50);
    assert_eq!(joined.len(), 50);
    assert_eq!(joined[0], many[0].start..many[99].end);
    let filter = compile(many.clone(), many);
    assert!(filter.len() as u64 <= offshoot_plan::traps::MAX_INSTRUCTIONS);
    let least = (MOST_POOL_RANGES + 1) as u64 * 8192;
    let alone: Vec<Range<u64>> = (0..least)
        .step_by(8192)
        .map(|start| (1 << 40) + start..(1 << 40) + start + 4096)
        .collect();
    assert!(compile(alone.clone(), alone).len() < 4096);
}
