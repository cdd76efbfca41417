//! What is wrong with a manifest, and where.

use std::fmt;

/// A manifest breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{place} {rule}")]
pub struct Invalid {
    /// What breaks it.
    pub place: Place,
    /// The rule.
    pub rule: Rule,
}

/// A part of a manifest. Indices count from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The manifest as a whole.
    Manifest,
    /// What the process ran on.
    Machine,
    /// One of the kernel's mappings, by first address.
    SpecialMapping(u64),
    /// A mapping, by first address.
    Mapping(u64),
    /// A run of a mapping: the mapping's first address and the run's index.
    MappingRun(u64, usize),
    /// A guard of a mapping: the mapping's first address and the guard's index.
    Guard(u64, usize),
    /// A content, by index.
    Content(usize),
    /// A run of a content: the content's index and the run's.
    ContentRun(usize, usize),
    /// A stored page, as a page number of the file.
    FilePage(u64),
    /// A range of the profile's accessed or dirty pages, by index.
    Profile(&'static str, usize),
    /// A file, by index.
    File(usize),
    /// A pipe, by index.
    Pipe(usize),
    /// A socket, by index.
    Socket(usize),
    /// An open file description, by index.
    OpenFile(usize),
    /// A descriptor, by number.
    Descriptor(u32),
    /// What all threads share.
    Process,
    /// A resource limit, by the kernel's number.
    Limit(u8),
    /// The action of a signal, by its number.
    Action(u8),
    /// A `setitimer(2)` timer, by the kernel's number.
    IntervalTimer(u8),
    /// A `timer_create(2)` timer, by id.
    PosixTimer(u32),
    /// A thread, by id.
    Thread(u32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => write!(f, "the manifest"),
            Self::Machine => write!(f, "the machine"),
            Self::SpecialMapping(start) => write!(f, "the kernel's mapping at {start:#x}"),
            Self::Mapping(start) => write!(f, "the mapping at {start:#x}"),
            Self::MappingRun(start, run) => write!(f, "run {run} of the mapping at {start:#x}"),
            Self::Guard(start, guard) => write!(f, "guard {guard} of the mapping at {start:#x}"),
            Self::Content(content) => write!(f, "content {content}"),
            Self::ContentRun(content, run) => write!(f, "run {run} of content {content}"),
            Self::FilePage(page) => write!(f, "page {page} of the image file"),
            Self::Profile(which, range) => write!(f, "range {range} of the {which} pages"),
            Self::File(file) => write!(f, "file {file}"),
            Self::Pipe(pipe) => write!(f, "pipe {pipe}"),
            Self::Socket(socket) => write!(f, "socket {socket}"),
            Self::OpenFile(open_file) => write!(f, "open file {open_file}"),
            Self::Descriptor(number) => write!(f, "descriptor {number}"),
            Self::Process => write!(f, "the process"),
            Self::Limit(resource) => write!(f, "the limit of resource {resource}"),
            Self::Action(signal) => write!(f, "the action of signal {signal}"),
            Self::IntervalTimer(which) => write!(f, "interval timer {which}"),
            Self::PosixTimer(id) => write!(f, "timer {id}"),
            Self::Thread(tid) => write!(f, "thread {tid}"),
        }
    }
}

/// A rule, worded as what the breaker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Something must be there.
    #[error("has no {0}")]
    Missing(&'static str),
    /// Too many, too long or too large.
    #[error("has {count} {what}; {limit} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: u64,
        /// How many there may be.
        limit: u64,
    },
    /// A number outside its range.
    #[error("has an impossible {field}: {value:#x}")]
    Range {
        /// Of what.
        field: &'static str,
        /// The number.
        value: u64,
    },
    /// Bits without meaning, or not allowed in an image.
    #[error("has bits in its {field} that are not allowed: {bits:#x}")]
    Bits {
        /// Where.
        field: &'static str,
        /// Which.
        bits: u64,
    },
    /// An index leads nowhere.
    #[error("names {what} {index}, of {count}")]
    NoSuch {
        /// What it names.
        what: &'static str,
        /// The index.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// A list must ascend without overlap or repetition.
    #[error("does not come after its predecessor")]
    NotAscending,
    /// It must be the only one.
    #[error("occurs twice")]
    Twice,
    /// Pages begin at multiples of 4096.
    #[error("does not begin and end with a page")]
    Unaligned,
    /// Addresses must be a program's.
    #[error("is empty or does not lie in user space")]
    NotInUserSpace,
    /// A pointer must be a program's.
    #[error("has its {field} outside user space: {address:#x}")]
    Address {
        /// Which.
        field: &'static str,
        /// The pointer.
        address: u64,
    },
    /// A part must lie in its whole.
    #[error("does not lie in its {0}")]
    Outside(&'static str),
    /// Two things cannot be at one place.
    #[error("overlaps {0}")]
    Overlaps(&'static str),
    /// A path or name is not one.
    #[error("has a path that is not absolute, or is too long, or holds a zero byte")]
    Path,
    /// A name has a bound and holds no zero byte.
    #[error("has a name that is too long or holds a zero byte")]
    Name,
    /// Some mappings have no pages of their own in an image.
    #[error("is {0} and must have no runs")]
    MustHaveNoRuns(&'static str),
    /// Combinations that the kernel does not have.
    #[error("cannot be both {0} and {1}")]
    Contradiction(&'static str, &'static str),
    /// A run of a parent's pages in an image without that parent.
    #[error("refers to generation {0}, which the image does not have")]
    Generation(u8),
    /// The all-zero id means that there is no parent.
    #[error("names an all-zero parent")]
    NoParent,
    /// Another image than the one named.
    #[error("was given an ancestor that is not the one named")]
    WrongAncestor,
    /// A pending signal's record.
    #[error("has a pending signal whose record is not 128 bytes long")]
    Pending,
    /// No signal that can be here.
    #[error("has signal {0}, which cannot be")]
    Signal(u8),
    /// The ends of a socket pair name each other.
    #[error("has a peer that is not its own peer's peer")]
    Peer,
    /// A file of another kind is needed.
    #[error("must be a {0}")]
    WrongKind(&'static str),
    /// The first thread is the main thread.
    #[error("is the first thread but not the main thread")]
    NotMain,
    /// A thread would fault at once.
    #[error("has an instruction pointer outside executable memory: {0:#x}")]
    NotExecutable(u64),
    /// The XSAVE area would be refused by the processor.
    #[error("has an XSAVE area with an impossible {0}")]
    Xsave(&'static str),
    /// No stateless device.
    #[error("is a device that may hold state")]
    Device,
}
