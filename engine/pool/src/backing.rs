//! What a pool's directory lies on.

use std::fmt;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

/// What a pool's directory lies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backing {
    /// Its kind.
    pub file_system: FileSystem,
    /// The unit in which it stores, in bytes.
    pub block_bytes: u64,
    /// tmpfs's policy for huge pages: `within_size`, `always`, `advise`; none if it uses none.
    pub huge: Option<String>,
    /// Whether files are mapped from the memory device itself, without a page cache.
    pub dax: bool,
    /// Whether the directory is where the file system is mounted.
    pub is_mount_point: bool,
}

/// The kind of a file system (`statfs(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// tmpfs.
    Tmpfs,
    /// hugetlbfs.
    Hugetlbfs,
    /// ext2, ext3 or ext4.
    Ext,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// overlayfs.
    Overlay,
    /// Another, by its magic number.
    Other(u64),
}

impl FileSystem {
    // `statfs(2)`, and `HUGETLBFS_MAGIC` of Linux `magic.h`.
    fn from_magic(magic: u64) -> Self {
        match magic {
            0x0102_1994 => Self::Tmpfs,
            0x9584_58f6 => Self::Hugetlbfs,
            0xef53 => Self::Ext,
            0x5846_5342 => Self::Xfs,
            0x9123_683e => Self::Btrfs,
            0x794c_7630 => Self::Overlay,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tmpfs => f.write_str("tmpfs"),
            Self::Hugetlbfs => f.write_str("hugetlbfs"),
            Self::Ext => f.write_str("ext4"),
            Self::Xfs => f.write_str("xfs"),
            Self::Btrfs => f.write_str("btrfs"),
            Self::Overlay => f.write_str("overlay"),
            Self::Other(magic) => write!(f, "file system {magic:#x}"),
        }
    }
}

impl Backing {
    /// Looks at a directory.
    pub(crate) fn detect(dir: BorrowedFd<'_>) -> Result<Self, Errno> {
        let statfs = rustix::fs::fstatfs(dir)?;
        let statx = rustix::fs::statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
        let options = mount_options(statx.stx_mnt_id);
        let huge = option_value(&options, "huge").filter(|policy| *policy != "never");
        let mounted_dax = options
            .split(',')
            .any(|option| matches!(option, "dax" | "dax=always"));
        Ok(Self {
            file_system: FileSystem::from_magic(statfs.f_type as u64),
            block_bytes: statfs.f_bsize as u64,
            huge: huge.map(str::to_owned),
            dax: mounted_dax || statx.stx_attributes.contains(StatxAttributes::DAX),
            is_mount_point: statx.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        })
    }
}

// The file system's own options, from `proc_pid_mountinfo(5)`: the third field behind the hyphen. Only for a report, so
// nothing is lost if `/proc` is not there.
fn mount_options(mount_id: u64) -> String {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    find_options(&table, mount_id)
        .unwrap_or_default()
        .to_owned()
}

fn find_options(table: &str, mount_id: u64) -> Option<&str> {
    let line = table.lines().find(|line| {
        let id = line.split(' ').next();
        id.and_then(|id| id.parse().ok()) == Some(mount_id)
    })?;
    let (_, behind) = line.split_once(" - ")?;
    behind.split(' ').nth(2)
}

fn option_value<'a>(options: &'a str, name: &str) -> Option<&'a str> {
    let pairs = options
        .split(',')
        .filter_map(|option| option.split_once('='));
    pairs
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .next()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn options_are_found_by_mount_id() {
        let table = "22 27 0:21 / /proc rw,relatime - proc proc rw\n\
                     122 27 0:31 / /pool rw,nosuid shared:1 - tmpfs offshoot rw,size=1024k,huge=within_size\n";
        assert_eq!(
            find_options(table, 122),
            Some("rw,size=1024k,huge=within_size")
        );
        assert_eq!(find_options(table, 2), None);
        assert_eq!(
            option_value("rw,size=1024k,huge=within_size", "huge"),
            Some("within_size")
        );
        assert_eq!(option_value("rw", "huge"), None);
    }

    #[test]
    fn proc_is_a_mount_point_of_its_own_kind() {
        let dir = crate::file::open_dir("/proc").unwrap();
        let backing = Backing::detect(std::os::fd::AsFd::as_fd(&dir)).unwrap();
        assert_eq!(backing.file_system, FileSystem::Other(0x9fa0));
        assert!(backing.is_mount_point && !backing.dax && backing.huge.is_none());
    }
}
