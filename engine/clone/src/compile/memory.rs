//! Mappings become operations.

use offshoot_image::model::{
    Backing, Manifest, Mapping, MappingFlags, PAGE_BYTES, Protection, Run,
};
use offshoot_plan::Op;

use super::builder::{Builder, PlanFile};
use super::{huge, numbers as sys, traps};
use crate::Memory;

/// A read-only run of so many pages is mapped; a shorter one is copied, because a mapping more costs each fork as much
/// as four or five private pages (0.34 µs against 0.077 µs, docs/design/clone.md).
const LEAST_MAPPED_PAGES: u32 = 6;

/// Advice that maps one to one.
const ADVICE: [(u32, u64); 7] = [
    (MappingFlags::HUGE_PAGES, 14),
    (MappingFlags::NO_HUGE_PAGES, 15),
    (MappingFlags::DONT_DUMP, 16),
    (MappingFlags::MERGEABLE, 12),
    (MappingFlags::SEQUENTIAL, 2),
    (MappingFlags::RANDOM, 1),
    (MappingFlags::WIPE_ON_FORK, 18),
];
const MADV_DONTFORK: u64 = 10;
const MADV_POPULATE_WRITE: u64 = 23;
/// Runs of so many pages are made present by one call before they are read into: 1.3 us a page together, against 1.8 us
/// with a fault each.
const LEAST_POPULATED_PAGES: u32 = 4;
const MADV_GUARD_INSTALL: u64 = 102;
const PR_SET_VMA: u64 = 0x5356_4d41;

/// Adds everything that makes the address space.
pub(super) fn compile_all(builder: &mut Builder, manifest: &Manifest, memory: Memory) {
    super::contents::compile(builder, manifest);
    for mapping in &manifest.mappings {
        if mapping.shared {
            shared(builder, manifest, mapping);
        } else {
            private(
                builder,
                manifest,
                mapping,
                traps::of_mapping(manifest, mapping, memory),
            );
        }
    }
    for mapping in &manifest.mappings {
        afterwards(builder, mapping);
    }
}

/// The runs that are taken from the image. Pages that equal their file's are taken from the file where it is there anyway:
/// the kernel has them in its page cache, as long as any template maps them, and what the program reads in
/// `/proc/self/maps` is what it was.
pub(super) fn taken(mapping: &Mapping, memory: Memory) -> impl Iterator<Item = &Run> {
    mapping
        .runs
        .iter()
        .filter(move |run| !run.clean || memory == Memory::Mapped)
}

/// Whether a run is mapped from the pool; else it is copied.
fn maps(mapping: &Mapping, run: &Run, memory: Memory) -> bool {
    match memory {
        Memory::Mapped => true,
        // Memory without a file is zeros when it is dropped, also if it cannot be written now.
        Memory::Local => {
            let has_file = matches!(mapping.backing, Backing::File { .. });
            has_file && !mapping.protection.write() && run.pages >= LEAST_MAPPED_PAGES
        }
    }
}

/// What the kernel will have as one mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The run that is mapped there; none for what is behind the image.
    pub(super) run: Option<Run>,
}

/// The pieces that a private mapping is made of.
pub(super) fn pieces(mapping: &Mapping, memory: Memory) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = mapping.start;
    for run in taken(mapping, memory).filter(|run| maps(mapping, run, memory)) {
        let (start, end) = (run.page * PAGE_BYTES, run.end() * PAGE_BYTES);
        if start > at {
            pieces.push(Piece {
                start: at,
                end: start,
                run: None,
            });
        }
        pieces.push(Piece {
            start,
            end,
            run: Some(*run),
        });
        at = end;
    }
    if at < mapping.end {
        pieces.push(Piece {
            start: at,
            end: mapping.end,
            run: None,
        });
    }
    pieces
}

fn private(builder: &mut Builder, manifest: &Manifest, mapping: &Mapping, memory: Memory) {
    if let Backing::Content { content, offset } = mapping.backing {
        private_content(builder, mapping, content, offset);
        return;
    }
    let runs: Vec<&Run> = taken(mapping, memory).collect();
    let is_whole = matches!(runs.as_slice(), [run]
        if run.page * PAGE_BYTES == mapping.start && run.end() * PAGE_BYTES == mapping.end);
    let maps = |run: &Run| maps(mapping, run, memory);
    let copies = runs.iter().any(|run| !maps(run));
    // Memory is copied in through the mapping itself, so it has to be writable for so long.
    let final_bits = u64::from(mapping.protection.0);
    let bits = if copies {
        final_bits | u64::from(Protection::READ | Protection::WRITE)
    } else {
        final_bits
    };
    if !is_whole || copies {
        base(builder, mapping, bits);
    }
    if copies && memory == Memory::Local && mapping.protection.write() {
        huge::compile(builder, manifest, mapping);
    }
    for run in runs.iter().filter(|run| !maps(run)) {
        let file = builder.file(PlanFile::Image(run.generation));
        let (address, bytes) = (run.page * PAGE_BYTES, u64::from(run.pages) * PAGE_BYTES);
        if run.pages >= LEAST_POPULATED_PAGES {
            let populate = [address, bytes, MADV_POPULATE_WRITE, 0, 0, 0];
            builder
                .template
                .push(Op::new(sys::MADVISE, populate).anything());
        }
        let read = [file, address, bytes, run.file_page * PAGE_BYTES, 0, 0];
        builder
            .template
            .push(Op::new(sys::PREAD64, read).equals(bytes));
    }
    if bits != final_bits {
        let len = mapping.end - mapping.start;
        let protect = [mapping.start, len, final_bits, 0, 0, 0];
        builder.template.push(Op::new(sys::MPROTECT, protect));
    }
    for run in runs.iter().filter(|run| maps(run)) {
        let file = builder.file(PlanFile::Image(run.generation));
        let (address, bytes) = (run.page * PAGE_BYTES, u64::from(run.pages) * PAGE_BYTES);
        let flags = sys::MAP_PRIVATE | sys::MAP_FIXED | reserve(mapping);
        let map = [
            address,
            bytes,
            final_bits,
            flags,
            file,
            run.file_page * PAGE_BYTES,
        ];
        builder
            .template
            .push(Op::new(sys::MMAP, map).equals(address));
    }
}

/// A private mapping of memory that is each clone's own: made in the clone, and what was written copied over it.
fn private_content(builder: &mut Builder, mapping: &Mapping, content: u32, offset: u64) {
    let bits = u64::from(mapping.protection.0 | Protection::READ | Protection::WRITE);
    let file = u64::from(super::contents::descriptor(builder, content));
    let flags = sys::MAP_PRIVATE | sys::MAP_FIXED | reserve(mapping);
    let (start, len) = (mapping.start, mapping.end - mapping.start);
    let map = Op::new(sys::MMAP, [start, len, bits, flags, file, offset]);
    builder.memory.push(map.equals(start));
    for run in &mapping.runs {
        let image = builder.file(PlanFile::Image(run.generation));
        let (address, bytes) = (run.page * PAGE_BYTES, u64::from(run.pages) * PAGE_BYTES);
        let read = [image, address, bytes, run.file_page * PAGE_BYTES, 0, 0];
        builder
            .memory
            .push(Op::new(sys::PREAD64, read).equals(bytes));
    }
    let protect = [start, len, u64::from(mapping.protection.0), 0, 0, 0];
    builder.memory.push(Op::new(sys::MPROTECT, protect));
}

/// What is behind the pages that the image does not hold.
fn base(builder: &mut Builder, mapping: &Mapping, bits: u64) {
    let mut flags = sys::MAP_PRIVATE | sys::MAP_FIXED | reserve(mapping);
    if mapping.flags.any(MappingFlags::DROPPABLE) {
        flags = sys::MAP_DROPPABLE | sys::MAP_FIXED | reserve(mapping);
    }
    if mapping.flags.any(MappingFlags::GROWS_DOWN) {
        flags |= sys::MAP_GROWSDOWN;
    }
    let (file, offset) = match mapping.backing {
        Backing::File { file, offset } => (builder.file(PlanFile::Named(file)), offset),
        Backing::Anonymous | Backing::Content { .. } => {
            flags |= sys::MAP_ANONYMOUS;
            (u64::MAX, 0)
        }
    };
    let len = mapping.end - mapping.start;
    let map = [mapping.start, len, bits, flags, file, offset];
    builder
        .template
        .push(Op::new(sys::MMAP, map).equals(mapping.start));
}

pub(super) fn reserve(mapping: &Mapping) -> u64 {
    if mapping.flags.any(MappingFlags::NO_RESERVE) {
        sys::MAP_NORESERVE
    } else {
        0
    }
}

/// The advice that a mapping has, bit `n` being the advice `n` of `madvise(2)`.
pub(super) fn advice(mapping: &Mapping) -> u32 {
    let fork = (MappingFlags::DONT_FORK, MADV_DONTFORK);
    let all = ADVICE.into_iter().chain([fork]);
    all.filter(|(flag, _)| mapping.flags.any(*flag))
        .fold(0, |bits, (_, advice)| bits | 1 << advice)
}

/// A shared mapping of a file is the template's, and its clones'; shared memory is each clone's own.
fn shared(builder: &mut Builder, manifest: &Manifest, mapping: &Mapping) {
    let len = mapping.end - mapping.start;
    let bits = u64::from(mapping.protection.0);
    let flags = sys::MAP_SHARED | sys::MAP_FIXED | reserve(mapping);
    match mapping.backing {
        Backing::File { file, offset } => {
            // A mapping may be made writable later only if its file was open for writing.
            let file = builder.file(if mapping.protection.write() {
                PlanFile::Writable(file)
            } else {
                PlanFile::Named(file)
            });
            let map = [mapping.start, len, bits, flags, file, offset];
            builder
                .template
                .push(Op::new(sys::MMAP, map).equals(mapping.start));
        }
        Backing::Content { content, offset } => {
            let index = content as usize;
            if manifest.contents.get(index).is_some() {
                super::contents::map(builder, content, mapping, offset, flags);
            }
        }
        Backing::Anonymous => {
            let map = [
                mapping.start,
                len,
                bits,
                flags | sys::MAP_ANONYMOUS,
                u64::MAX,
                0,
            ];
            builder
                .memory
                .push(Op::new(sys::MMAP, map).equals(mapping.start));
        }
    }
}

/// Advice, names and guards.
fn afterwards(builder: &mut Builder, mapping: &Mapping) {
    let len = mapping.end - mapping.start;
    let of_clone = matches!(mapping.backing, Backing::Content { .. });
    let mut ops = Vec::new();
    for (flag, advice) in ADVICE {
        if mapping.flags.any(flag) {
            ops.push(Op::new(sys::MADVISE, [mapping.start, len, advice, 0, 0, 0]));
        }
    }
    for guard in &mapping.guards {
        let (address, bytes) = (guard.page * PAGE_BYTES, guard.pages * PAGE_BYTES);
        let install = [address, bytes, MADV_GUARD_INSTALL, 0, 0, 0];
        ops.push(Op::new(sys::MADVISE, install));
    }
    if !mapping.name.is_empty() {
        let name = builder.put_path(&mapping.name);
        let set = [PR_SET_VMA, 0, mapping.start, len, name, 0];
        ops.push(Op::new(sys::PRCTL, set).anything());
    }
    if of_clone {
        builder.memory.extend(ops);
    } else {
        builder.template.extend(ops);
    }
    // A child inherits neither locks nor, of course, what it is not to have.
    if mapping.flags.any(MappingFlags::DONT_FORK) {
        let advise = [mapping.start, len, MADV_DONTFORK, 0, 0, 0];
        builder.memory.push(Op::new(sys::MADVISE, advise));
    }
    if mapping.flags.any(MappingFlags::LOCKED) {
        let on_fault = u64::from(mapping.flags.any(MappingFlags::LOCK_ON_FAULT));
        let lock = [mapping.start, len, on_fault, 0, 0, 0];
        builder.memory.push(Op::new(sys::MLOCK2, lock));
    }
    if mapping.flags.any(MappingFlags::SEALED) {
        builder
            .settle
            .push(Op::new(sys::MSEAL, [mapping.start, len, 0, 0, 0, 0]));
    }
}
