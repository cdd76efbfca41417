//! What an image says about a frozen process.
//!
//! These types are saved; nothing at run time is built from them but by copying. Numbers that the kernel defines (flags,
//! signal numbers, resource numbers) are kept as the kernel's numbers: an image is of one architecture, x86-64.

mod file;
mod machine;
mod memory;
mod process;
mod thread;

pub use file::{
    Descriptor, EpollWatch, FileIdentity, InotifyWatch, OpenFile, OpenFileKind, Pipe, PipeEnd,
    SocketKind, UnixSocket,
};
pub use machine::{Cpu, Machine, SpecialKind, SpecialMapping, Vdso};
pub use memory::{
    Backing, Content, ContentKind, Mapping, MappingFlags, PAGE_BYTES, PageRange, Profile,
    Protection, Run,
};
pub use process::{
    Clocks, Credentials, IntervalTimer, Limit, MemoryLayout, PosixTimer, Process, SeccompMode,
    SignalAction, TimerNotice,
};
pub use thread::{AltStack, Registers, RobustList, Rseq, Scheduling, Thread};

use serde::{Deserialize, Serialize};

use crate::ImageId;

/// Everything about a frozen process but the content of its pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// What the process ran on.
    pub machine: Machine,
    /// The image whose pages this one refers to.
    pub parent: Option<ImageId>,
    /// What all threads share.
    pub process: Process,
    /// The threads; the first is the main thread.
    pub threads: Vec<Thread>,
    /// The address space, ascending and disjoint.
    pub mappings: Vec<Mapping>,
    /// Memory and files that exist only in the image.
    pub contents: Vec<Content>,
    /// Files that mappings and open files name.
    pub files: Vec<FileIdentity>,
    /// Pipes.
    pub pipes: Vec<Pipe>,
    /// Unix sockets.
    pub sockets: Vec<UnixSocket>,
    /// Open file descriptions (`open(2)`); descriptors that are duplicates share one.
    pub open_files: Vec<OpenFile>,
    /// Descriptors, ascending by number.
    pub descriptors: Vec<Descriptor>,
    /// Which pages clones are known to need.
    pub profile: Profile,
}

impl Manifest {
    /// The same process with another profile, as an image that has no pages of its own: all are its parent's, whose
    /// manifest this is and whose id is `parent`.
    pub fn with_profile(mut self, parent: ImageId, profile: Profile) -> Self {
        let of_mappings = self.mappings.iter_mut().map(|mapping| &mut mapping.runs);
        let of_contents = self.contents.iter_mut().map(|content| &mut content.runs);
        for run in of_mappings.chain(of_contents).flatten() {
            // Too long a chain is told by the rules of a manifest.
            run.generation = run.generation.saturating_add(1);
        }
        self.parent = Some(parent);
        self.profile = profile;
        self
    }
}
