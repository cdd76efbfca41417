//! The address space.

use serde::{Deserialize, Serialize};

/// Length of a page, in bytes.
pub const PAGE_BYTES: u64 = 4096;

/// One mapping (`mmap(2)`), as `/proc/pid/smaps` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// What may be done with it.
    pub protection: Protection,
    /// What is behind pages that the image does not hold.
    pub backing: Backing,
    /// Whether writes are seen by other mappings of the same backing.
    pub shared: bool,
    /// Advice and behaviour.
    pub flags: MappingFlags,
    /// Name given by `PR_SET_VMA_ANON_NAME`; empty if none.
    pub name: Vec<u8>,
    /// Pages that the image holds, ascending and disjoint, `page` being the address divided by [`PAGE_BYTES`]. Empty
    /// for shared mappings of a [`Content`], whose pages are there, and for flags that forbid copying.
    pub runs: Vec<Run>,
    /// Guard pages (`MADV_GUARD_INSTALL`, Linux 6.13), by address divided by [`PAGE_BYTES`].
    pub guards: Vec<PageRange>,
}

impl Mapping {
    /// Its length in bytes.
    pub const fn bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// `PROT_READ`, `PROT_WRITE` and `PROT_EXEC` as the kernel's bits 1, 2 and 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection(pub u8);

impl Protection {
    /// `PROT_READ`.
    pub const READ: u8 = 1;
    /// `PROT_WRITE`.
    pub const WRITE: u8 = 2;
    /// `PROT_EXEC`.
    pub const EXEC: u8 = 4;

    /// Whether it may be read.
    pub const fn read(self) -> bool {
        self.0 & Self::READ != 0
    }

    /// Whether it may be written.
    pub const fn write(self) -> bool {
        self.0 & Self::WRITE != 0
    }

    /// Whether it may be executed.
    pub const fn exec(self) -> bool {
        self.0 & Self::EXEC != 0
    }
}

/// What is behind a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backing {
    /// Zeros.
    Anonymous,
    /// A file.
    File {
        /// Index into the manifest's files.
        file: u32,
        /// Offset of the mapping's first byte, in bytes.
        offset: u64,
    },
    /// Memory that lives in the image: a memfd or shared anonymous memory.
    Content {
        /// Index into the manifest's contents.
        content: u32,
        /// Offset of the mapping's first byte, in bytes.
        offset: u64,
    },
}

/// Flags of a mapping: our own numbers, because `VmFlags` are letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingFlags(pub u32);

impl MappingFlags {
    /// `gd`: a stack that grows down.
    pub const GROWS_DOWN: u32 = 1 << 0;
    /// `nr`: no swap is reserved.
    pub const NO_RESERVE: u32 = 1 << 1;
    /// `lo`: locked in memory.
    pub const LOCKED: u32 = 1 << 2;
    /// `lf`: pages are locked when they are touched.
    pub const LOCK_ON_FAULT: u32 = 1 << 3;
    /// `hg`: huge pages wanted.
    pub const HUGE_PAGES: u32 = 1 << 4;
    /// `nh`: huge pages not wanted.
    pub const NO_HUGE_PAGES: u32 = 1 << 5;
    /// `wf`: a child sees zeros; never copied into an image.
    pub const WIPE_ON_FORK: u32 = 1 << 6;
    /// `dc`: a child does not get it.
    pub const DONT_FORK: u32 = 1 << 7;
    /// `dd`: not in a core dump.
    pub const DONT_DUMP: u32 = 1 << 8;
    /// `dp`: the kernel may drop its pages (`MAP_DROPPABLE`); never copied into an image.
    pub const DROPPABLE: u32 = 1 << 9;
    /// `mg`: equal pages may be merged.
    pub const MERGEABLE: u32 = 1 << 10;
    /// `sl`: sealed (`mseal(2)`).
    pub const SEALED: u32 = 1 << 11;
    /// `sr`: read in sequence.
    pub const SEQUENTIAL: u32 = 1 << 12;
    /// `rr`: read at random.
    pub const RANDOM: u32 = 1 << 13;
    /// Every bit that has a meaning.
    pub const ALL: u32 = (1 << 14) - 1;

    /// Whether any of these bits is set.
    pub const fn any(self, bits: u32) -> bool {
        self.0 & bits != 0
    }
}

/// Consecutive pages that lie consecutively in an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Number of the first page.
    pub page: u64,
    /// How many.
    pub pages: u32,
    /// Where they lie, as a page number of the image file: its offset divided by [`PAGE_BYTES`].
    pub file_page: u64,
    /// In whose file: 0 is this image, 1 its parent, 2 the parent's parent.
    pub generation: u8,
    /// Whether they are pages of a private file mapping that equal the file's: a reader may take them from the file
    /// instead. Runs that differ in nothing else lie one behind the other, so that it may also take them together.
    pub clean: bool,
}

impl Run {
    /// Number of the first page behind it.
    pub const fn end(&self) -> u64 {
        self.page.saturating_add(self.pages as u64)
    }
}

/// Consecutive pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRange {
    /// Number of the first page.
    pub page: u64,
    /// How many.
    pub pages: u64,
}

/// Bytes that no path leads to any more, or never did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What it is.
    pub kind: ContentKind,
    /// Length in bytes.
    pub bytes: u64,
    /// Its pages that hold data; the others are zero. `page` counts from the content's beginning.
    pub runs: Vec<Run>,
}

/// What a content is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentKind {
    /// `memfd_create(2)`.
    Memfd {
        /// Its name.
        name: Vec<u8>,
        /// `F_GET_SEALS`.
        seals: u32,
    },
    /// `MAP_SHARED | MAP_ANONYMOUS`: memory without a descriptor.
    SharedAnonymous,
    /// A regular file whose last name has been removed.
    DeletedFile {
        /// The path that it had.
        path: Vec<u8>,
        /// Its mode (`stat(2)`).
        mode: u32,
    },
}

/// Which pages clones are known to need, by address divided by [`PAGE_BYTES`]. Ascending and disjoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Touched before the first answer.
    pub accessed: Vec<PageRange>,
    /// Written before the first answer.
    pub dirty: Vec<PageRange>,
}
