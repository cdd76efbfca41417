//! The process's root directory and mounts: whether a path still leads, for the process, to the
//! file that it has open.
//!
//! The kernel prints paths of `/proc/pid/fd` as the *reader* would say them; for a process in its
//! own mount namespace that is from the root of that namespace. The process's root is taken off
//! again ([`Root::inside`]), and every path is tried before it is believed.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{
    MemfdFlags, Mode, OFlags, ResolveFlags, Stat, fstat, memfd_create, open, openat2,
};
use rustix::io::Errno;

use super::error::FileError;
use super::target::Target;

/// How the kernel marks the path of a file whose name was removed.
const DELETED: &[u8] = b" (deleted)";

/// The root directory of a process.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    /// Path of the process's root in ours; empty if it is the same.
    prefix: Vec<u8>,
    /// Its mounts.
    pub mounts: Vec<Mount>,
    /// `st_dev` of the kernel's internal tmpfs, where memfds and shared anonymous memory live.
    pub memory_device: u64,
}

/// One line of `/proc/pid/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub id: u64,
    pub major: u32,
    pub minor: u32,
    /// Mount point, in the process's root.
    pub point: Vec<u8>,
}

impl Root {
    pub fn open(target: &Target) -> Result<Self, FileError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(target.path("root"), flags, Mode::empty())
            .map_err(|source| target.unreadable("root", source.into()))?;
        let mut prefix = target.link("root")?;
        if prefix == b"/" {
            prefix.clear();
        }
        let text = target.proc_text("mountinfo")?;
        let mounts = text
            .lines()
            .map(|line| Mount::parse(line).ok_or_else(|| target.malformed("mountinfo", line)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            directory,
            prefix,
            mounts,
            memory_device: memory_device()?,
        })
    }

    /// A path that the kernel printed, as the process would say it; none if it is outside of its
    /// root.
    pub fn inside<'a>(&self, link: &'a [u8]) -> Option<&'a [u8]> {
        let path = link.strip_prefix(self.prefix.as_slice())?;
        match path.first() {
            Some(b'/') => Some(path),
            None if !self.prefix.is_empty() => Some(b"/"),
            _ => None,
        }
    }

    /// Opens, as `O_PATH`, what a path of the process leads to; a symbolic link at its end is not
    /// followed.
    pub fn lookup(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.open_with(path, OFlags::PATH | OFlags::NOFOLLOW)
    }

    /// Opens a directory of the process for reading.
    pub fn open_directory(&self, path: &[u8]) -> Result<File, Errno> {
        self.open_with(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK)
            .map(File::from)
    }

    /// Whether the path leads, for the process, to the file that `stat` is of.
    pub fn leads_to(&self, path: &[u8], stat: &Stat) -> Result<bool, FileError> {
        match self.lookup(path).and_then(fstat) {
            Ok(found) => Ok((found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino)),
            Err(
                Errno::NOENT
                | Errno::NOTDIR
                | Errno::LOOP
                | Errno::NAMETOOLONG
                | Errno::ACCESS
                | Errno::INVAL
                | Errno::STALE,
            ) => Ok(false),
            Err(source) => Err(FileError::Kernel {
                what: "look up a path in the process's root",
                source: io::Error::from(source),
            }),
        }
    }

    /// The mount with this id, if the process sees it.
    pub fn mount(&self, id: u64) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.id == id)
    }

    fn open_with(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        openat2(
            &self.directory,
            path,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
    }
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let id = fields.next()?.parse().ok()?;
        let (major, minor) = fields.nth(1)?.split_once(':')?;
        Some(Self {
            id,
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            point: unescape(fields.nth(1)?),
        })
    }
}

/// The path that a file had before its name was removed; none if the kernel does not say so.
pub(super) fn removed_name(link: &[u8]) -> Option<&[u8]> {
    link.strip_suffix(DELETED)
}

fn memory_device() -> Result<u64, FileError> {
    memfd_create("offshoot", MemfdFlags::CLOEXEC)
        .and_then(fstat)
        .map(|stat| stat.st_dev)
        .map_err(|source| FileError::Kernel {
            what: "make a memfd",
            source: source.into(),
        })
}

/// Undoes the octal escapes of `proc_pid_mountinfo(5)`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        match (first, octal(tail)) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

/// The byte that three octal digits at the beginning mean.
fn octal(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits.get(..3)?).ok()?;
    u8::from_str_radix(digits, 8).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn mount_point_with_a_blank_is_unescaped() {
        let line = "36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 - ext3 /dev/root rw";
        let mount = Mount::parse(line).unwrap();
        assert_eq!((mount.id, mount.major, mount.minor), (36, 98, 0));
        assert_eq!(mount.point, b"/mnt two");
    }

    #[test]
    fn truncated_mount_line_is_no_mount() {
        assert_eq!(Mount::parse("36 35 98:0 /"), None);
        assert_eq!(Mount::parse(""), None);
    }

    #[test]
    fn own_root_prefix_is_taken_off() {
        let directory = open("/", OFlags::PATH, Mode::empty()).unwrap();
        let mut root = Root {
            directory,
            prefix: b"/srv/jail".to_vec(),
            mounts: Vec::new(),
            memory_device: 0,
        };
        assert_eq!(root.inside(b"/srv/jail/etc/x"), Some(&b"/etc/x"[..]));
        assert_eq!(root.inside(b"/srv/jail"), Some(&b"/"[..]));
        assert_eq!(root.inside(b"/srv/jailed"), None);
        assert_eq!(root.inside(b"/etc/x"), None);
        root.prefix.clear();
        assert_eq!(root.inside(b"/etc/x"), Some(&b"/etc/x"[..]));
        assert_eq!(root.inside(b"pipe:[1]"), None);
    }
}
