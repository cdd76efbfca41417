//! The file system of the state directory.

use std::path::{Path, PathBuf};

use super::{Row, Verdict};

/// A kind of file system, by the numbers of statfs(2).
const KNOWN: [(u32, &str); 12] = [
    (0xEF53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683E, "btrfs"),
    (0x2FC1_2FC1, "zfs"),
    (0xF2F5_2010, "f2fs"),
    (0x794C_7630, "overlayfs"),
    (TMPFS, "tmpfs"),
    (0x8584_58F6, "ramfs"),
    (NFS, "nfs"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb2"),
    (0x6573_5546, "fuse"),
];
const TMPFS: u32 = 0x0102_1994;
const NFS: u32 = 0x6969;

/// Looks at the file system that `state_dir` is on, or will be on.
pub fn check(state_dir: &Path) -> Row {
    let existing = nearest_existing(state_dir);
    let (verdict, found, without_it) = match rustix::fs::statfs(&existing) {
        // The type's width differs between architectures; its values have 32 bits.
        Ok(stat) => judge(stat.f_type as u32),
        Err(error) => (
            Verdict::Missing,
            format!("cannot be looked at: {error}"),
            "the daemon does not start",
        ),
    };
    Row {
        what: "state directory".to_owned(),
        verdict,
        found: format!("{}: {found}", state_dir.display()),
        needed_for: "functions, code and queued events".to_owned(),
        without_it: without_it.to_owned(),
    }
}

fn judge(kind: u32) -> (Verdict, String, &'static str) {
    let name = KNOWN
        .iter()
        .find(|(number, _)| *number == kind)
        .map(|(_, name)| *name);
    let found = name.map_or_else(|| format!("file system {kind:#x}"), str::to_owned);
    match name {
        Some("nfs" | "cifs" | "smb2") => (
            Verdict::Missing,
            found,
            "a network file system breaks the database's locks: choose a local disk",
        ),
        Some("tmpfs" | "ramfs") => (Verdict::Warn, found, "everything is lost at a reboot"),
        Some("fuse") => (
            Verdict::Warn,
            found,
            "locks and syncs may not hold, and it is slow",
        ),
        _ => (Verdict::Ok, found, ""),
    }
}

fn nearest_existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_and_memory_file_systems_are_called_what_they_are() {
        assert_eq!(judge(NFS).0, Verdict::Missing);
        assert_eq!(judge(TMPFS).0, Verdict::Warn);
        assert_eq!(judge(0xEF53), (Verdict::Ok, "ext4".to_owned(), ""));
    }
}
