//! The plan: what the stub does to turn itself into a frozen process.
//!
//! An image is compiled, by a process without rights, into a list of system calls. The stub is a tiny interpreter that
//! maps this list, obeys it, and knows nothing of images; so what runs in the middle of somebody else's address space
//! stays small, and what is decided is decided in ordinary Rust. The plan is one flat piece of memory at
//! [`PLAN_BASE`]: [`Header`], [`Op`]s, [`Thread`]s, signal frames, and the bytes that operations point to.
//!
//! [`check()`] is what the privileged side asks of a plan before it lets a stub run it.
//!
//! `no_std` and without unsafe: the stub includes this file as it is.
#![cfg_attr(not(test), no_std)]

mod check;
mod confine;
mod decode;
mod generation;
mod message;
mod op;
pub mod traps;

pub use check::{Refused, check};
pub use confine::{Beneath, Confinement, MostOf, calls_of_clones};
pub use generation::Generation;
pub use message::{MAX_BROUGHT, MAX_SUBSTITUTIONS, Reply, ReplyKind, Request, Who};
pub use op::{Check, Op, Phase};

/// First address of the engine's own region in every template and clone. No runtime puts anything there: the program
/// itself lies near 0x55.., libraries near 0x7f.., and both are random within far less than what lies between.
pub const ENGINE_BASE: u64 = 0x1000_0000_0000;
/// Length of the engine's region, in bytes.
pub const ENGINE_BYTES: u64 = 0x1000_0000;
/// Where the stub's data and stack lie; its code is at [`ENGINE_BASE`].
pub const STUB_DATA_BASE: u64 = ENGINE_BASE + 0x10_0000;
/// Where the plan is mapped.
pub const PLAN_BASE: u64 = ENGINE_BASE + 0x100_0000;
/// Longest plan, in bytes.
pub const PLAN_MAX_BYTES: u64 = 0x400_0000;
/// Where the kernel's own mappings wait while everything else is unmapped.
pub const PARK_BASE: u64 = ENGINE_BASE + 0x800_0000;
/// Where the stub copies itself to before it lays the copy over itself.
pub const COPY_BASE: u64 = ENGINE_BASE + 0x900_0000;
/// The generation page (`docs/format/generation.md`).
pub const GENERATION_BASE: u64 = ENGINE_BASE + 0xf00_0000;
/// First address behind user space (`TASK_SIZE_MAX` with four levels of page tables).
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// `OFFPLAN\0`.
pub const MAGIC: u64 = 0x004e_414c_5046_464f;
/// Changes with every change of these types: plan and stub come from one build.
pub const VERSION: u32 = 6;

/// Descriptors of the stub, counted from the plan's [`Header::fd_base`].
pub mod fd {
    /// The socket to whoever asks for clones.
    pub const CONTROL: u32 = 0;
    /// The plan's memory.
    pub const PLAN: u32 = 1;
    /// `/proc/self/timens_offsets` of the template.
    pub const CLOCKS: u32 = 2;
    /// The template's own PID namespace.
    pub const PID_NAMESPACE: u32 = 3;
    /// By which a watched clone is watched; stays open in it.
    pub const WATCHER: u32 = 4;
    /// The ring that pins what clones write; never used.
    pub const RING: u32 = 5;
    /// The first of the files that the plan's operations name. What a request has brought lies behind them in a clone.
    pub const FILES: u32 = 8;

    /// Most memory files that a clone makes for itself.
    pub const MAX_CONTENTS: u32 = 4096;
    /// How many numbers lie behind them, for what operations have to put aside.
    pub const MAX_ASIDE: u32 = 8;

    /// The first descriptor that a clone's operations hold for themselves, behind all that a request has brought:
    /// [`MAX_CONTENTS`] memory files, then [`MAX_ASIDE`] others.
    pub const fn held(fd_base: u32, kept_files: u32) -> u32 {
        fd_base + FILES + kept_files + super::MAX_BROUGHT as u32
    }
}

/// Length of the stack on which a thread runs the stub, in bytes.
pub const THREAD_STACK_BYTES: u64 = 4096;

/// Most files that a plan may name.
pub const MAX_FILES: u32 = 2000;

/// A part of the plan: offset of its first byte in the plan, and number of elements.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset in bytes.
    pub offset: u64,
    /// Number of elements.
    pub count: u64,
}

/// The beginning of a plan.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`].
    pub version: u32,
    /// First descriptor of the stub's own: above all that the program has.
    pub fd_base: u32,
    /// Length of the plan, in bytes.
    pub bytes: u64,
    /// The kernel's own mappings, ascending: three since Linux 6.13.
    pub specials: [Special; 4],
    /// How many of them there are.
    pub special_count: u32,
    /// How many files lie at [`fd::FILES`].
    pub file_count: u32,
    /// How many of them clones need: the others are closed when the template is ready.
    pub kept_files: u32,
    /// Whether the operations before the program goes on need what the threads have done.
    pub awaits_threads: u32,
    /// Operations that make the template, by [`Phase`].
    pub template: Span,
    /// Operations of each clone after it has joined its sandbox: memory of its own, filled from the plan's files.
    pub memory: Span,
    /// Then, with no file of the plan's left: descriptors.
    pub clone: Span,
    /// Operations that bring pages in which the program will need, before a clone parks.
    pub prefault: Span,
    /// Operations by which a clone is watched, to learn which pages it needs.
    pub watch: Span,
    /// Operations when all threads are there, of which it does not matter how long before the program goes on: a clone that
    /// parks has them behind it.
    pub settle: Span,
    /// Operations right before the program goes on: signals, and timers.
    pub resume: Span,
    /// The threads but the main thread.
    pub threads: Span,
    /// Memory that is pinned in the template, so that `fork` copies it at once: address and length of each piece, as
    /// `struct iovec` has them.
    pub pinned: Span,
    /// Memory that a clone reads before it parks, laid out in the same way: see `touch` in the stub.
    pub touched: Span,
    /// The program's process id, which no clone gets: what looks whether it is still the same process must see that it is not.
    pub pid: u64,
    /// Address of the main thread's id in its memory (`set_tid_address(2)`); 0 is none.
    pub main_child_tid: u64,
    /// Address of the main thread's signal frame.
    pub main_frame: u64,
    /// The main thread's restartable sequences.
    pub main_rseq: Rseq,
    /// Who the program is.
    pub credentials: Credentials,
    /// `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME` at the checkpoint, in nanoseconds.
    pub clocks_ns: [u64; 2],
    /// How system calls are trapped that memory of the pool would answer wrongly.
    pub traps: traps::Traps,
    /// What the sandbox makes of clones; the compiler leaves it empty.
    pub confinement: Confinement,
}

/// One of the kernel's own mappings (`vdso(7)`).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Special {
    /// Its distance below the vDSO's code, in bytes; the same in all processes of a kernel.
    pub below_vdso: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Where the program has it.
    pub target: u64,
}

/// A thread to be made.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Thread {
    /// Where the kernel writes its id, and zero when it ends; 0 is nowhere.
    pub child_tid: u64,
    /// Its FS base.
    pub tls: u64,
    /// First address behind the stack on which it runs the stub.
    pub stack_end: u64,
    /// What it does before it goes on.
    pub ops: Span,
    /// Address of its signal frame.
    pub frame: u64,
    /// Its restartable sequences.
    pub rseq: Rseq,
}

/// What a thread registers for restartable sequences (`rseq(2)`), as the last thing before it goes on: memory of the
/// program's then says where the kernel has a thread continue that it interrupts, and that must not be the stub.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rseq {
    /// Its `struct rseq`; 0 is none.
    pub address: u64,
    /// Its length, in bytes.
    pub bytes: u32,
    /// What lies in front of the code where a sequence is aborted.
    pub signature: u32,
}

/// Who the program is, and what it may.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Whether they are to be applied at all: not if they are those of the template.
    pub apply: u32,
    /// Real, effective, saved and file system user.
    pub users: [u32; 4],
    /// Real, effective, saved and file system group.
    pub groups: [u32; 4],
    /// How many supplementary groups there are.
    pub supplementary_count: u32,
    /// `PR_SET_SECUREBITS`.
    pub securebits: u32,
    /// Zero.
    pub padding: u32,
    /// Address of the supplementary groups, four bytes each.
    pub supplementary: u64,
    /// Capability sets: inheritable, permitted, effective, bounding, ambient.
    pub capabilities: [u64; 5],
}
