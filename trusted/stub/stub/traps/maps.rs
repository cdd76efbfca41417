//! What the kernel has mapped: `PROCMAP_QUERY` on `/proc/self/maps` (Linux 6.11).
//!
//! Asked afresh at every trap, because the program maps, unmaps and protects memory without the stub's knowing.

use core::mem::size_of;
use core::ptr::addr_of_mut;

use crate::sys;

const PROCMAP_QUERY: u64 = 0xc068_6611;
/// `PROCMAP_QUERY_COVERING_OR_NEXT_VMA`.
const COVERING_OR_NEXT: u64 = 0x10;
const SHARED: u64 = 8;
const PROTECTION: u64 = 7;
const O_CLOEXEC: u64 = 0o2_000_000;
const ENOENT: i64 = -2;
const EAGAIN: i64 = -11;

/// `struct procmap_query`.
#[repr(C)]
#[derive(Default)]
struct Query {
    bytes: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    area_flags: u64,
    page_bytes: u64,
    offset: u64,
    inode: u64,
    device: [u32; 2],
    name_bytes: u32,
    build_id_bytes: u32,
    name: u64,
    build_id: u64,
}

/// A file, as the kernel tells it from others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    inode: u64,
    device: [u32; 2],
}

impl FileId {
    /// No file.
    pub const NONE: Self = Self {
        inode: 0,
        device: [0; 2],
    };
}

/// A mapping.
#[derive(Clone, Copy)]
pub struct Area {
    pub start: u64,
    pub end: u64,
    /// As `mmap` takes it.
    pub protection: u64,
    pub shared: bool,
    /// [`FileId::NONE`] for anonymous memory.
    pub file: FileId,
}

/// The mappings of this process; open as briefly as possible, because the program could see the descriptor.
pub struct Maps(u64);

impl Maps {
    /// Opens them. Without a free descriptor, or without `/proc`: `EAGAIN`, which `madvise(2)` may say.
    pub fn open() -> Result<Self, i64> {
        let path = c"/proc/self/maps".as_ptr() as u64;
        // SAFETY: a path; a descriptor is made.
        let opened = unsafe { sys::call3(sys::OPEN, path, O_CLOEXEC, 0) };
        if sys::is_error(opened) {
            return Err(EAGAIN);
        }
        Ok(Self(opened as u64))
    }

    /// The mapping at an address, or the first one above it.
    pub fn from(&self, address: u64) -> Result<Option<Area>, i64> {
        let mut query = Query {
            bytes: size_of::<Query>() as u64,
            flags: COVERING_OR_NEXT,
            address,
            ..Query::default()
        };
        // SAFETY: reads and writes the query.
        let asked = unsafe {
            sys::call3(
                sys::IOCTL,
                self.0,
                PROCMAP_QUERY,
                addr_of_mut!(query) as u64,
            )
        };
        if asked == ENOENT {
            return Ok(None);
        }
        if sys::is_error(asked) {
            return Err(asked);
        }
        Ok(Some(Area {
            start: query.start,
            end: query.end,
            protection: query.area_flags & PROTECTION,
            shared: query.area_flags & SHARED != 0,
            file: FileId {
                inode: query.inode,
                device: query.device,
            },
        }))
    }
}

impl Drop for Maps {
    fn drop(&mut self) {
        // SAFETY: closes what `open` has opened.
        unsafe { sys::call3(sys::CLOSE, self.0, 0, 0) };
    }
}
