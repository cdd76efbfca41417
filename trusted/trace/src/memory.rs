//! The memory of another process, and a place to put much of it quickly.
// UNSAFETY: process_vm_readv and mmap take addresses; a Buffer owns its mapping.
#![expect(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

/// `IOV_MAX` (`limits.h`).
const MOST_RANGES: usize = 1024;

/// Consecutive bytes of another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Address of the first.
    pub start: u64,
    /// How many.
    pub bytes: u64,
}

/// The memory of another process.
#[derive(Debug)]
pub struct Memory {
    pid: u32,
    file: File,
}

impl Memory {
    /// Opens the memory of a process.
    ///
    /// # Errors
    /// The errors of opening `/proc/pid/mem`.
    pub fn open(pid: u32) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(format!("/proc/{pid}/mem"))?;
        Ok(Self { pid, file })
    }

    /// Copies ranges one behind the other into `into`, which must be as long as all of them. Up to
    /// 1024 ranges take one system call. What the process itself may not read, such as a stretch
    /// that it has protected, is read all the same.
    ///
    /// # Errors
    /// The errors of `process_vm_readv(2)`; `EIO` or `EFAULT` when nothing is mapped there;
    /// `EINVAL` when the lengths do not agree.
    pub fn read(&self, ranges: &[Range], into: &mut [u8]) -> io::Result<()> {
        let mut left: &mut [u8] = into;
        let mut first_done = 0_u64;
        let mut rest = ranges;
        while !rest.is_empty() {
            let batch = &rest[..rest.len().min(MOST_RANGES)];
            let wanted = batch
                .iter()
                .fold(0_u64, |sum, range| sum.saturating_add(range.bytes));
            let wanted = usize::try_from(wanted.saturating_sub(first_done)).unwrap_or(usize::MAX);
            if wanted > left.len() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let copied = self.read_batch(batch, first_done, &mut left[..wanted])?;
            left = &mut left[copied..];
            if copied == wanted {
                rest = &rest[batch.len()..];
                first_done = 0;
                continue;
            }
            // The first range of which less came than was asked for.
            let mut done = first_done.saturating_add(copied as u64);
            while let Some(range) = rest.first().filter(|range| range.bytes <= done) {
                done -= range.bytes;
                rest = &rest[1..];
            }
            let Some(range) = rest.first() else { break };
            let length = usize::try_from(range.bytes - done).unwrap_or(usize::MAX);
            self.file
                .read_exact_at(&mut left[..length], range.start.wrapping_add(done))?;
            left = &mut left[length..];
            rest = &rest[1..];
            first_done = 0;
        }
        if left.is_empty() {
            Ok(())
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    /// Copies bytes from one address.
    ///
    /// # Errors
    /// As [`Memory::read`].
    pub fn read_at(&self, start: u64, into: &mut [u8]) -> io::Result<()> {
        self.read(
            &[Range {
                start,
                bytes: into.len() as u64,
            }],
            into,
        )
    }

    /// Copies words from one address.
    ///
    /// # Errors
    /// As [`Memory::read`].
    pub fn read_words<const WORDS: usize>(&self, start: u64) -> io::Result<[u64; WORDS]> {
        let mut bytes = [[0_u8; 8]; WORDS];
        self.read_at(start, bytes.as_flattened_mut())?;
        Ok(bytes.map(u64::from_le_bytes))
    }

    /// Writes bytes to one address.
    ///
    /// # Errors
    /// The errors of writing to `/proc/pid/mem`.
    pub fn write_at(&self, start: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, start)
    }

    /// One call; how many bytes came. `skip` bytes of the first ranges are left out. Nothing at all
    /// is zero, not an error: the slower way then says what is wrong.
    fn read_batch(&self, ranges: &[Range], skip: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut skip = skip;
        let remote: Vec<libc::iovec> = ranges
            .iter()
            .map(|range| {
                let here = skip.min(range.bytes);
                skip -= here;
                libc::iovec {
                    iov_base: (range.start.wrapping_add(here)) as *mut libc::c_void,
                    iov_len: usize::try_from(range.bytes - here).unwrap_or(usize::MAX),
                }
            })
            .collect();
        let local = libc::iovec {
            iov_base: into.as_mut_ptr().cast(),
            iov_len: into.len(),
        };
        // SAFETY: the kernel writes within `local`, which is `into`; `remote` are addresses of the
        // other process, which the kernel checks.
        let copied = unsafe {
            libc::process_vm_readv(
                self.pid.cast_signed(),
                &raw const local,
                1,
                remote.as_ptr(),
                remote.len() as libc::c_ulong,
                0,
            )
        };
        if let Ok(copied) = usize::try_from(copied) {
            return Ok(copied);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::EFAULT) {
            Ok(0)
        } else {
            Err(error)
        }
    }
}

/// Zeroed memory, in huge pages where the kernel has them, that can be made present beforehand:
/// while a process is frozen, page faults of our own would be its time.
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a Buffer is plain owned memory.
unsafe impl Send for Buffer {}
// SAFETY: shared references only read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Takes memory. No page is present yet.
    ///
    /// # Errors
    /// The errors of `mmap(2)`; `EINVAL` for no bytes at all.
    pub fn new(bytes: usize) -> io::Result<Self> {
        // SAFETY: a new private anonymous mapping wherever the kernel likes disturbs nobody.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let Some(start) = NonNull::new(start.cast()) else {
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        let buffer = Self { start, bytes };
        // A kernel without huge pages says EINVAL: then small ones serve.
        let _ = buffer.advise(bytes, libc::MADV_HUGEPAGE);
        Ok(buffer)
    }

    /// Makes the first bytes present.
    ///
    /// # Errors
    /// The errors of `madvise(2)`: there is not that much memory.
    pub fn populate(&mut self, bytes: usize) -> io::Result<()> {
        self.advise(bytes.min(self.bytes), libc::MADV_POPULATE_WRITE)
    }

    fn advise(&self, bytes: usize, advice: i32) -> io::Result<()> {
        // SAFETY: the range is within our mapping; neither advice changes what it holds.
        let done = unsafe { libc::madvise(self.start.as_ptr().cast(), bytes, advice) };
        if done < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is ours, readable, zeroed by the kernel and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, writable, and `self` is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn own() -> Memory {
        Memory::open(std::process::id()).unwrap()
    }

    #[test]
    fn more_ranges_than_one_call_takes_arrive_in_order() {
        let source: Vec<u8> = (0..3000_u32).map(|n| (n % 251) as u8).collect();
        let ranges: Vec<Range> = (0..3000)
            .map(|n| Range {
                start: source.as_ptr() as u64 + n,
                bytes: 1,
            })
            .collect();
        let mut copy = vec![0; 3000];
        own().read(&ranges, &mut copy).unwrap();
        assert_eq!(copy, source);
    }

    #[test]
    fn protected_page_is_read_all_the_same() {
        let mut buffer = Buffer::new(3 * 4096).unwrap();
        buffer[4096..8192].fill(7);
        buffer[8192..].fill(9);
        let middle = buffer.as_ptr() as u64 + 4096;
        // SAFETY: the middle page of our own buffer; nothing touches it while it is protected.
        let done = unsafe { libc::mprotect(middle as *mut _, 4096, libc::PROT_NONE) };
        assert_eq!(done, 0);
        let ranges = [
            Range {
                start: middle - 10,
                bytes: 10,
            },
            Range {
                start: middle,
                bytes: 4096,
            },
            Range {
                start: middle + 4096,
                bytes: 10,
            },
        ];
        let mut copy = vec![1; 4116];
        own().read(&ranges, &mut copy).unwrap();
        assert!(copy[..10].iter().all(|byte| *byte == 0));
        assert!(copy[10..4106].iter().all(|byte| *byte == 7));
        assert!(copy[4106..].iter().all(|byte| *byte == 9));
    }

    #[test]
    fn unmapped_range_is_an_error() {
        let mut copy = [0; 16];
        assert!(own().read_at(0x1000, &mut copy).is_err());
    }

    #[test]
    fn lengths_that_disagree_are_refused() {
        let source = [1_u8; 8];
        let range = Range {
            start: source.as_ptr() as u64,
            bytes: 8,
        };
        assert!(own().read(&[range], &mut [0; 7]).is_err());
        assert!(own().read(&[range], &mut [0; 9]).is_err());
    }
}
