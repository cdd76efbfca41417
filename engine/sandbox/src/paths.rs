//! Which files a program may open, by where they lie (`landlock(7)`): a second lock behind the mount namespace.
//!
//! A sandbox's namespace holds nothing that these rules refuse. They are for what should not be there: a descriptor of
//! the host's that a fault of ours has let in. The way up from what it leads to never meets the sandbox's own root, so
//! it opens nothing.
//!
//! The rules name the root and the `/tmp` of the one sandbox, so every program makes them anew, inside.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;

use offshoot_sys::landlock::{self, LOG_NOTHING, Ruleset, rights};
use rustix::fs::{Mode, OFlags};

/// Before version 2 nobody under any rules could rename from one directory to another (`LANDLOCK_ACCESS_FS_REFER`).
const FIRST_ABI: u32 = 2;
/// From this version on the kernel logs refusals, which a tenant can cause without end.
const LOGGING_ABI: u32 = 7;

const READ: u64 = rights::EXECUTE | rights::READ_FILE | rights::READ_DIR;
const ALL: u64 = u64::MAX;

/// Directories of every sandbox, and the rights to what lies beneath; what a directory above allows is allowed, too.
/// Mounts and permissions still decide: nearly all of `/proc` cannot be written to.
const BENEATH: [(&CStr, u64); 5] = [
    (c"/", READ),
    (c"/tmp", ALL),
    (c"/dev/shm", ALL),
    (c"/dev", rights::WRITE_FILE | rights::IOCTL_DEV),
    // A shell's `>` truncates even what has no length.
    (c"/proc", rights::WRITE_FILE | rights::TRUNCATE),
];

/// Rules for a program, as this kernel takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRules {
    /// The rights that are refused wherever no rule allows them, as bits of `LANDLOCK_ACCESS_FS_*`.
    pub handled: u64,
    /// Flags of `landlock_restrict_self(2)`.
    pub flags: u32,
    /// Absolute paths of directories in the sandbox, and the rights to all that lies beneath each.
    pub beneath: Vec<(&'static CStr, u64)>,
}

impl PathRules {
    /// Those of every program; none if the kernel has no Landlock, or too little of it.
    pub fn of_kernel() -> Option<Self> {
        landlock::abi().and_then(Self::of)
    }

    fn of(abi: u32) -> Option<Self> {
        let handled = rights::of(abi);
        let beneath = BENEATH.map(|(path, rights)| (path, rights & handled));
        (abi >= FIRST_ABI).then(|| Self {
            handled,
            flags: if abi >= LOGGING_ABI { LOG_NOTHING } else { 0 },
            beneath: beneath.to_vec(),
        })
    }

    /// Puts the calling thread under them; its sandbox's root is its own.
    pub(crate) fn enforce(&self) -> io::Result<()> {
        let rules = Ruleset::new(self.handled)?;
        for (path, rights) in &self.beneath {
            let directory = rustix::fs::open(*path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            rules.allow(directory.as_fd(), *rights)?;
        }
        rules.restrict_thread(self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_ask_for_nothing_that_the_version_does_not_know() {
        for abi in FIRST_ABI..=8 {
            let rules = PathRules::of(abi).unwrap_or_else(|| panic!("version {abi}"));
            let unknown = |rights: u64| rights & !rights::of(abi);
            assert_eq!(unknown(rules.handled), 0, "version {abi}");
            for (path, rights) in rules.beneath {
                assert_eq!(
                    (unknown(rights), rights == 0),
                    (0, false),
                    "version {abi}: {path:?}"
                );
            }
        }
    }

    #[test]
    fn version_that_forbids_every_rename_is_not_used() {
        assert_eq!(PathRules::of(1), None);
    }

    #[test]
    fn only_versions_that_log_are_told_not_to() {
        let flags = [2, 6, 7].map(|abi| PathRules::of(abi).map(|rules| rules.flags));
        assert_eq!(flags, [Some(0), Some(0), Some(LOG_NOTHING)]);
    }
}
