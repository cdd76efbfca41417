//! Inotify instances.
//!
//! The kernel tells a watch's inode and file handle, not its path. The handle is opened on the
//! mount of its file system, which gives a path if the file system can (`open_by_handle_at(2)`);
//! otherwise the paths that the process is known to use are tried.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;

use offshoot_image::model::{InotifyWatch, OpenFileKind};
use offshoot_sys::handle;
use rustix::fs::{fstat, makedev};
use rustix::io::ioctl_fionread;

use super::super::description::Description;
use super::super::error::Halt;
use super::super::info::Info;
use super::super::obstacle::Obstacle;
use super::super::root::Root;
use super::super::survey::Survey;

/// One `inotify` line of fdinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Watch {
    number: i32,
    inode: u64,
    major: u32,
    minor: u32,
    mask: u32,
    handle_type: i32,
    handle: Vec<u8>,
}

/// `inotify_init(2)`.
pub(super) fn kind(survey: &Survey, description: &Description) -> Result<OpenFileKind, Halt> {
    survey.refuse_shared(description, "an inotify instance")?;
    let bytes = description.asked("the fill", ioctl_fionread(&description.file))?;
    if bytes > 0 {
        return Err(Obstacle::InotifyQueue { bytes }.into());
    }
    let mut watches = Vec::new();
    for line in &description.info.rest {
        let watch = Watch::parse(line).ok_or_else(|| description.malformed(survey.target, line))?;
        let path = watch.path(survey).ok_or(Obstacle::InotifyPath {
            number: watch.number,
            inode: watch.inode,
        })?;
        watches.push(InotifyWatch {
            number: watch.number,
            path,
            mask: watch.mask,
        });
    }
    watches.sort_by_key(|watch| watch.number);
    Ok(OpenFileKind::Inotify { watches })
}

impl Watch {
    /// `inotify wd:1 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8
    /// fhandle-type:1 f_handle:7e9e0000640d1b6d`, all hexadecimal (`proc_pid_fdinfo(5)`).
    fn parse(line: &str) -> Option<Self> {
        let fields = line.strip_prefix("inotify ")?;
        let text = |key: &str| {
            fields.split(' ').find_map(|field| {
                let (name, value) = field.split_once(':')?;
                (name == key).then_some(value)
            })
        };
        let number = |key: &str| u32::from_str_radix(text(key)?, 16).ok();
        let device = number("sdev")?;
        Some(Self {
            number: number("wd")?.cast_signed(),
            inode: u64::from_str_radix(text("ino")?, 16).ok()?,
            // The kernel's own encoding, not that of stat(2).
            major: device >> 20,
            minor: device & 0xf_ffff,
            mask: number("mask")?,
            handle_type: number("fhandle-type").unwrap_or(0).cast_signed(),
            handle: text("f_handle").and_then(bytes).unwrap_or_default(),
        })
    }

    fn path(&self, survey: &Survey) -> Option<Vec<u8>> {
        self.path_by_handle(survey.root).or_else(|| {
            candidates(survey)
                .into_iter()
                .find(|path| self.is_at(survey.root, path))
        })
    }

    fn path_by_handle(&self, root: &Root) -> Option<Vec<u8>> {
        root.mounts
            .iter()
            .filter(|mount| (mount.major, mount.minor) == (self.major, self.minor))
            .find_map(|mount| {
                let directory = root.open_directory(&mount.point).ok()?;
                let file = handle::open(directory.as_fd(), self.handle_type, &self.handle).ok()?;
                let link =
                    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
                let path = root.inside(link.as_os_str().as_bytes())?;
                self.is_at(root, path).then(|| path.to_vec())
            })
    }

    /// Whether the path leads, for the process, to the watched file.
    fn is_at(&self, root: &Root, path: &[u8]) -> bool {
        let Ok(file) = root.lookup(path) else {
            return false;
        };
        let Ok(stat) = fstat(&file) else {
            return false;
        };
        // Some file systems show another device in stat(2) than their mounts have.
        let device = makedev(self.major, self.minor);
        let same_device = stat.st_dev == device || self.is_on_mount_of(root, file.as_raw_fd());
        stat.st_ino == self.inode && same_device
    }

    fn is_on_mount_of(&self, root: &Root, number: i32) -> bool {
        let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"));
        let info = text.ok().and_then(|text| Info::parse(&text).ok());
        info.and_then(|info| root.mount(info.mount))
            .is_some_and(|mount| (mount.major, mount.minor) == (self.major, self.minor))
    }
}

/// Paths that the process is known to use, and all directories above them.
fn candidates(survey: &Survey) -> BTreeSet<Vec<u8>> {
    let mut links: Vec<_> = survey
        .descriptions
        .iter()
        .map(|one| one.link.clone())
        .collect();
    links.extend(
        ["cwd", "exe"]
            .iter()
            .filter_map(|name| survey.target.link(name).ok()),
    );
    let mut paths = BTreeSet::from([b"/".to_vec()]);
    for link in &links {
        let mut path = survey.root.inside(link).unwrap_or_default();
        while let Some(slash) = path.iter().rposition(|&byte| byte == b'/') {
            if !paths.insert(path.to_vec()) {
                break;
            }
            path = &path[..slash];
        }
    }
    paths.extend(survey.root.mounts.iter().map(|mount| mount.point.clone()));
    paths
}

/// The bytes that pairs of hexadecimal digits mean.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn watch_is_read_with_the_kernels_device_number() {
        let line = "inotify wd:1f ino:3c4a7 sdev:fe00001 mask:fff ignored_mask:0 \
                    fhandle-bytes:8 fhandle-type:1 f_handle:a7c4030000000000";
        let watch = Watch::parse(line).unwrap();
        assert_eq!((watch.number, watch.inode), (31, 0x3c4a7));
        assert_eq!((watch.major, watch.minor, watch.mask), (254, 1, 0xfff));
        assert_eq!(watch.handle, [0xa7, 0xc4, 3, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn other_lines_are_no_watches() {
        assert_eq!(Watch::parse("tfd: 1"), None);
        assert_eq!(Watch::parse("inotify wd:x"), None);
    }
}
