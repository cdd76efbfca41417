//! Which memory is mapped from the pool though the program may drop or move it, and the traps that this takes.
//!
//! Anonymous memory that is mapped from the pool is a private mapping of a file: dropped, it shows the image's content
//! again, and what grows shows what follows in the pool. So a filter (`seccomp(2)`) raises `SIGSYS` for calls that would
//! do this, and the stub does them (`trusted/stub/stub/traps.rs`). A thread that has blocked the signal would be killed
//! instead: calls that change masks and actions are trapped too, and the stub keeps the signal out of them.
//!
//! The filter survives `execve`, the handler does not. So nothing is trapped but by addresses that another program has
//! hardly ever: memory and code that the kernel has placed at random.

mod filter;

use offshoot_image::model::{Backing, Manifest, Mapping, MappingFlags, PAGE_BYTES, Registers, Run};
use offshoot_plan::Span;
use offshoot_plan::traps::{TrapRange, TrapState, Traps};

use super::builder::Builder;
use super::memory;
use super::numbers as sys;
use crate::Memory;

/// What lies below is at the same address in many programs: executables that are not position-independent, their heaps,
/// Go's heap.
const RANDOM_START: u64 = 1 << 40;
/// `ADDR_NO_RANDOMIZE` (`personality(2)`).
const NO_RANDOM: u32 = 0x0004_0000;

/// Where an image's pages may live. Nowhere but in the template if its addresses are those of other programs.
pub(super) fn of_image(manifest: &Manifest, wanted: Memory) -> Memory {
    let is_random = manifest.process.personality & NO_RANDOM == 0;
    if wanted == Memory::Mapped && is_random && manifest.mappings.iter().any(is_code) {
        Memory::Mapped
    } else {
        Memory::Local
    }
}

/// Where a private mapping's pages live, in an image whose pages live at `memory`.
///
/// Writable mappings of files are few pages, and if they are dropped the file's must come back. Locked memory is in
/// memory anyway. Stacks are where threads run while they can take no signal.
pub(super) fn of_mapping(manifest: &Manifest, mapping: &Mapping, memory: Memory) -> Memory {
    const STAYS: u32 = MappingFlags::GROWS_DOWN | MappingFlags::LOCKED;
    let is_mapped = match mapping.backing {
        Backing::Anonymous => {
            mapping.start >= RANDOM_START
                && !mapping.flags.any(STAYS)
                && !is_stack(manifest, mapping)
        }
        Backing::File { .. } => !mapping.protection.write(),
        Backing::Content { .. } => false,
    };
    if is_mapped { memory } else { Memory::Local }
}

fn is_stack(manifest: &Manifest, mapping: &Mapping) -> bool {
    let mut stacks = manifest
        .threads
        .iter()
        .map(|thread| thread.registers.0[Registers::RSP]);
    stacks.any(|stack| (mapping.start..mapping.end).contains(&stack))
}

/// Whether the program's own calls come from here: libraries at random addresses.
fn is_code(mapping: &Mapping) -> bool {
    matches!(mapping.backing, Backing::File { .. })
        && mapping.protection.exec()
        && !mapping.shared
        && mapping.start >= RANDOM_START
}

/// Puts the traps into the plan, if any memory needs them.
pub(super) fn compile(builder: &mut Builder, manifest: &Manifest, memory: Memory) -> Traps {
    let mut found = Found::default();
    for mapping in manifest.mappings.iter().filter(|mapping| {
        mapping.backing == Backing::Anonymous
            && !mapping.shared
            && of_mapping(manifest, mapping, memory) == Memory::Mapped
    }) {
        found.add(mapping);
    }
    if found.ranges.is_empty() {
        return Traps::default();
    }
    let code = manifest.mappings.iter().filter(|mapping| is_code(mapping));
    let code = code.map(|mapping| mapping.start..mapping.end).collect();
    let pool = found.ranges.iter().map(|range| range.start..range.end);
    let filter = filter::compile(pool.collect(), code);
    let words: Vec<u64> = filter.iter().map(|one| encode_instruction(*one)).collect();
    let ranges: Vec<u64> = found.ranges.iter().flat_map(encode_range).collect();
    let state = vec![0; size_of::<TrapState>() / 8];
    let probes: Vec<u64> = found.probes.into_iter().flatten().collect();
    Traps {
        filter: put(builder, &words, words.len()),
        ranges: put(builder, &ranges, found.ranges.len()),
        probes: put(builder, &probes, probes.len()),
        state: put(builder, &state, 1),
    }
}

fn put(builder: &mut Builder, words: &[u64], count: usize) -> Span {
    Span {
        offset: builder.put_words(words) - offshoot_plan::PLAN_BASE,
        count: count as u64,
    }
}

fn encode_instruction(one: offshoot_plan::traps::Instruction) -> u64 {
    let jumps = u64::from(one.if_true) << 16 | u64::from(one.if_false) << 24;
    u64::from(one.code) | jumps | u64::from(one.k) << 32
}

fn encode_range(range: &TrapRange) -> [u64; 3] {
    let flags = u64::from(range.map_flags) | u64::from(range.advice) << 32;
    [range.start, range.end, flags]
}

/// Memory that needs traps.
#[derive(Debug, Default)]
struct Found {
    ranges: Vec<TrapRange>,
    /// An address at which each image of the chain is mapped.
    probes: Vec<Option<u64>>,
}

impl Found {
    fn add(&mut self, mapping: &Mapping) {
        let Some(first) = mapping.runs.first() else {
            return;
        };
        for run in &mapping.runs {
            self.probe(run);
        }
        let next = TrapRange {
            start: mapping.start,
            end: mapping.end,
            map_flags: memory::reserve(mapping) as u32,
            advice: memory::advice(mapping),
        };
        debug_assert!(first.page * PAGE_BYTES >= mapping.start);
        match self.ranges.last_mut() {
            Some(last) if last.end == next.start && same_kind(last, &next) => last.end = next.end,
            _ => self.ranges.push(next),
        }
    }

    fn probe(&mut self, run: &Run) {
        let generation = usize::from(run.generation);
        if self.probes.len() <= generation {
            self.probes.resize(generation + 1, None);
        }
        self.probes[generation].get_or_insert(run.page * PAGE_BYTES);
    }
}

fn same_kind(one: &TrapRange, other: &TrapRange) -> bool {
    one.map_flags == other.map_flags && one.advice == other.advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use offshoot_image::sample;

    const LIBRARY: u64 = 0x7f12_3400_0000;
    const MEMORY: u64 = 0x7f00_0000_0000;

    fn run(page: u64, generation: u8) -> Run {
        Run {
            page,
            pages: 2,
            file_page: 512,
            generation,
            clean: false,
        }
    }

    fn manifest() -> Manifest {
        let mut manifest = sample::manifest(4);
        let file = Backing::File { file: 0, offset: 0 };
        let library = sample::mapping(LIBRARY, LIBRARY + 0x4000, 5, file);
        let mut memory = sample::mapping(MEMORY, MEMORY + 0x8000, 3, Backing::Anonymous);
        memory.runs = vec![run(MEMORY / PAGE_BYTES, 0), run(MEMORY / PAGE_BYTES + 4, 1)];
        manifest.mappings.extend([memory, library]);
        manifest
    }

    #[test]
    fn without_code_at_random_addresses_pages_live_in_the_template() {
        let mut manifest = manifest();
        assert_eq!(of_image(&manifest, Memory::Mapped), Memory::Mapped);
        assert_eq!(of_image(&manifest, Memory::Local), Memory::Local);
        manifest.process.personality = NO_RANDOM;
        assert_eq!(of_image(&manifest, Memory::Mapped), Memory::Local);
        assert_eq!(
            of_image(&sample::manifest(1), Memory::Mapped),
            Memory::Local
        );
    }

    #[test]
    fn stacks_and_what_other_programs_have_at_the_same_place_stay_local() {
        let mut manifest = manifest();
        let (low, high) = (manifest.mappings[1].clone(), manifest.mappings[2].clone());
        let place = |manifest: &Manifest, mapping| of_mapping(manifest, mapping, Memory::Mapped);
        assert_eq!(place(&manifest, &low), Memory::Local);
        assert_eq!(place(&manifest, &high), Memory::Mapped);
        manifest.threads[0].registers.0[Registers::RSP] = MEMORY + 0x7000;
        assert_eq!(place(&manifest, &high), Memory::Local);
    }

    #[test]
    fn traps_name_the_memory_and_where_each_image_is_mapped() {
        let manifest = manifest();
        let mut builder = Builder::new(64, 0);
        assert_eq!(
            compile(&mut builder, &manifest, Memory::Local),
            Traps::default()
        );
        let traps = compile(&mut builder, &manifest, Memory::Mapped);
        assert_eq!(traps.ranges.count, 1);
        assert_eq!(traps.probes.count, 2);
        assert_eq!(traps.state.count, 1);
        let how = crate::Compilation {
            memory: Memory::Mapped,
            is_confined: false,
        };
        let plan = super::super::compile(&manifest, how).map(|plan| plan.bytes);
        assert_eq!(plan.map(|plan| offshoot_plan::check(&plan)), Ok(Ok(())));
    }
}
