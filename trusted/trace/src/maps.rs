//! Files that a process maps shared: `PROCMAP_QUERY` (Linux 6.11), or `/proc/pid/maps` line by line.
//!
//! The ioctl jumps from one such mapping to the next: a few microseconds for a process that has none, where the text
//! costs as many for each mapping.
// UNSAFETY: an ioctl that fills a structure.
#![expect(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;

/// `PROCMAP_QUERY` (`linux/fs.h`).
const QUERY: libc::Ioctl = 0xc068_6611_u32 as libc::Ioctl;
/// `PROCMAP_QUERY_VMA_WRITABLE`.
const WRITABLE: u64 = 0x02;
/// `PROCMAP_QUERY_VMA_SHARED | COVERING_OR_NEXT_VMA | FILE_BACKED_VMA`.
const NEXT_SHARED_FILE: u64 = 0x08 | 0x10 | 0x20;

/// A file that a process maps shared. Memory that is shared without a name is one, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedFile {
    /// Its device, as `stat(2)` has it.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// Whether the mapping may be written now.
    pub writable: bool,
}

/// `struct procmap_query`.
#[repr(C)]
#[derive(Default)]
struct Query {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    vma_flags: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    major: u32,
    minor: u32,
    name_size: u32,
    build_id_size: u32,
    name: u64,
    build_id: u64,
}

/// The files that a process maps shared, ascending by address; one for each mapping.
///
/// # Errors
/// The errors of opening `/proc/pid/maps`: it ended, or may not be traced.
pub fn shared_files(pid: u32) -> io::Result<Vec<SharedFile>> {
    let mut file = File::open(format!("/proc/{pid}/maps"))?;
    match query(&file) {
        Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => {
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Ok(parse(&text))
        }
        found => found,
    }
}

fn query(file: &File) -> io::Result<Vec<SharedFile>> {
    let mut found = Vec::new();
    let mut address = 0;
    loop {
        let mut query = Query {
            size: size_of::<Query>() as u64,
            flags: NEXT_SHARED_FILE,
            address,
            ..Query::default()
        };
        // SAFETY: the kernel reads and writes one structure of `size` bytes; it writes neither name nor build id
        // where their lengths are zero.
        let done = unsafe { libc::ioctl(file.as_raw_fd(), QUERY, &raw mut query) };
        if done < 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                // There is none behind, or the process has ended.
                Some(libc::ENOENT | libc::ESRCH) => Ok(found),
                _ => Err(error),
            };
        }
        found.push(SharedFile {
            device: libc::makedev(query.major, query.minor),
            inode: query.inode,
            writable: query.vma_flags & WRITABLE != 0,
        });
        if query.end <= address {
            return Ok(found);
        }
        address = query.end;
    }
}

/// `7f0c-7f0d rw-s 00002000 08:01 1234 /path`
fn parse(text: &[u8]) -> Vec<SharedFile> {
    let lines = text.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| {
            let mut words = line.splitn(6, |byte| *byte == b' ');
            let rights = words.nth(1)?;
            let device = std::str::from_utf8(words.nth(1)?).ok()?;
            let inode: u64 = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
            let (major, minor) = device.split_once(':')?;
            let number = |digits| u32::from_str_radix(digits, 16).ok();
            // The first System V segment has inode 0, on a device.
            (rights.get(3) == Some(&b's') && device != "00:00").then_some(SharedFile {
                device: libc::makedev(number(major)?, number(minor)?),
                inode,
                writable: rights.get(1) == Some(&b'w'),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn both_ways_find_a_shared_mapping_and_no_private_one() {
        let path = std::env::temp_dir().join(format!("offshoot-maps-{}", std::process::id()));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(8192).unwrap();
        let map = |flags, protection| {
            // SAFETY: a new mapping wherever the kernel likes disturbs nobody; nothing touches it.
            let start = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    4096,
                    protection,
                    flags,
                    file.as_raw_fd(),
                    0,
                )
            };
            assert_ne!(start, libc::MAP_FAILED);
        };
        let own = std::process::id();
        let metadata = file.metadata().unwrap();
        let mine = |found: Vec<SharedFile>| -> Vec<bool> {
            let same =
                |one: &SharedFile| one.inode == metadata.ino() && one.device == metadata.dev();
            let same = found.into_iter().filter(same);
            same.map(|one| one.writable).collect()
        };
        map(libc::MAP_PRIVATE, libc::PROT_READ | libc::PROT_WRITE);
        assert_eq!(mine(shared_files(own).unwrap()), []);
        map(libc::MAP_SHARED, libc::PROT_READ | libc::PROT_WRITE);
        assert_eq!(mine(shared_files(own).unwrap()), [true]);
        let text = std::fs::read("/proc/self/maps").unwrap();
        assert_eq!(mine(parse(&text)), [true]);
    }
}
