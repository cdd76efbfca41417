//! Where a plan's operations may reach: which descriptors are whose, and what the kernel may write for them.

use crate::{
    ENGINE_BASE, ENGINE_BYTES, Header, PLAN_BASE, PLAN_MAX_BYTES, THREAD_STACK_BYTES, Thread,
    USER_END, fd,
};

/// Kinds of descriptors, a bit each. The stub's own are of no kind: no operation can name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// The program's.
    pub(super) const PROGRAM: Self = Self(1);
    /// Files that the plan names, in the template.
    pub(super) const FILE: Self = Self(2);
    /// Those of them that clones read.
    pub(super) const KEPT: Self = Self(4);
    /// Memory that each clone makes for itself, held until the program goes on.
    pub(super) const CONTENT: Self = Self(8);
    /// What is out of the way for some operations.
    pub(super) const ASIDE: Self = Self(16);
    /// By which a clone is watched.
    pub(super) const WATCHER: Self = Self(32);
    /// The program's, or on the way there.
    pub(super) const MADE: Self = Self(1 | 16);

    const fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What a plan's header says of places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    fd_base: u32,
    file_count: u32,
    kept_files: u32,
    /// Address of the first operation or thread: they lie behind all that is written.
    pub(super) operations: u64,
    /// First address that the kernel may not write to for an operation: of a thread's stack, or [`Self::operations`].
    pub(super) written_end: u64,
}

impl Places {
    /// Of a plan without threads so far.
    pub(super) fn of(header: &Header, op_spans: impl Iterator<Item = crate::Span>) -> Self {
        let offsets = op_spans
            .filter(|span| span.count > 0)
            .map(|span| span.offset);
        let first = offsets.min().unwrap_or(header.bytes).min(header.bytes);
        Self {
            fd_base: header.fd_base,
            file_count: header.file_count,
            kept_files: header.kept_files,
            operations: PLAN_BASE + first,
            written_end: PLAN_BASE + first,
        }
    }

    /// Whether a number is a descriptor of one of these kinds.
    pub(super) fn is(&self, kinds: Kinds, number: u64) -> bool {
        let base = u64::from(self.fd_base);
        let files = base + u64::from(fd::FILES);
        let held = u64::from(fd::held(self.fd_base, self.kept_files));
        let aside = held + u64::from(fd::MAX_CONTENTS);
        let watcher = base + u64::from(fd::WATCHER);
        [
            (Kinds::PROGRAM, 0..base),
            (Kinds::FILE, files..files + u64::from(self.file_count)),
            (Kinds::KEPT, files..files + u64::from(self.kept_files)),
            (Kinds::CONTENT, held..aside),
            (Kinds::ASIDE, aside..aside + u64::from(fd::MAX_ASIDE)),
            (Kinds::WATCHER, watcher..watcher + 1),
        ]
        .into_iter()
        .any(|(kind, range)| kinds.contains(kind) && range.contains(&number))
    }

    /// Whether the kernel may write here for an operation: data of the plan, below threads' stacks and operations.
    pub(super) fn may_write(&self, address: u64, bytes: u64) -> bool {
        let end = address.checked_add(bytes);
        is_plans(address) && end.is_some_and(|end| end <= self.written_end)
    }

    /// Whether a thread may begin; the ones before it have stacks that end at `last`.
    pub(super) fn admits(&self, thread: &Thread, last: u64) -> bool {
        let start = thread.stack_end.checked_sub(THREAD_STACK_BYTES);
        let has_stack = start.is_some_and(|start| start >= last && is_plans(start))
            && thread.stack_end <= self.operations
            && thread.stack_end.is_multiple_of(16);
        has_stack
            && is_plans(thread.frame)
            && is_id_place(thread.child_tid)
            && is_programs(thread.rseq.address, thread.rseq.bytes.into())
    }
}

/// Whether the kernel may write a thread's id here; 0 is nowhere.
pub(super) fn is_id_place(address: u64) -> bool {
    address == 0 || is_programs(address, 4)
}

/// Whether this is an address in the plan, behind its header.
pub(super) fn is_plans(address: u64) -> bool {
    (PLAN_BASE + 4096..PLAN_BASE + PLAN_MAX_BYTES - 8).contains(&address)
}

/// Whether this is user space outside the engine's region.
pub(super) fn is_programs(address: u64, bytes: u64) -> bool {
    let Some(end) = address.checked_add(bytes) else {
        return false;
    };
    end <= USER_END && (end <= ENGINE_BASE || address >= ENGINE_BASE + ENGINE_BYTES)
}
