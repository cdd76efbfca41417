//! Landlock: a process gives up rights to files by where they lie (`landlock(7)`).
// UNSAFETY: the three system calls have no wrapper in rustix.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `LANDLOCK_CREATE_RULESET_VERSION` (`linux/landlock.h`), which the libc crate does not name.
const ASK_VERSION: libc::c_uint = 1;
/// `LANDLOCK_RULE_PATH_BENEATH`.
const PATH_BENEATH: libc::c_uint = 1;

/// Rights to files, as bits of `LANDLOCK_ACCESS_FS_*`.
pub mod rights {
    /// To execute a file.
    pub const EXECUTE: u64 = 1;
    /// To open a file for writing.
    pub const WRITE_FILE: u64 = 1 << 1;
    /// To open a file for reading.
    pub const READ_FILE: u64 = 1 << 2;
    /// To open a directory, or list it.
    pub const READ_DIR: u64 = 1 << 3;
    /// To link or rename a file into another directory (version 2). Without it nobody can, whether it is handled or not.
    pub const REFER: u64 = 1 << 13;
    /// To truncate a file, by its path or when it is opened (version 3).
    pub const TRUNCATE: u64 = 1 << 14;
    /// To control a device (version 5).
    pub const IOCTL_DEV: u64 = 1 << 15;

    /// All that a version of the interface knows, up to those named here.
    pub fn of(abi: u32) -> u64 {
        let first = REFER - 1;
        let since = [(2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)];
        let newer = since.iter().filter(|(version, _)| abi >= *version);
        newer.fold(first, |all, (_, right)| all | right)
    }
}

/// `LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF` (version 7): refusals of the program that restricts itself are not logged.
pub const LOG_NOTHING: u32 = 1;

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// The version of the interface, from 1; none if the kernel was built or started without it. Changes nothing.
pub fn abi() -> Option<u32> {
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the kernel takes no pointer (it demands null and size 0) and makes nothing.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            nothing,
            0_usize,
            ASK_VERSION,
        )
    };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// What a thread will still be allowed.
#[derive(Debug)]
pub struct Ruleset(OwnedFd);

impl Ruleset {
    /// A ruleset without rules: it allows none of the [`rights`] that it handles, and does not limit others.
    ///
    /// # Errors
    /// Those of `landlock_create_ruleset(2)`: `EINVAL` for rights that the kernel does not know.
    pub fn new(handled: u64) -> io::Result<Self> {
        // SAFETY: the kernel reads the eight bytes of the first field of `struct landlock_ruleset_attr`.
        let made = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &raw const handled,
                size_of::<u64>(),
                0_u32,
            )
        };
        let made = i32::try_from(made).map_err(io::Error::other)?;
        if made < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(made) }))
    }

    /// Allows `rights` to all that lies beneath a directory; what rules of directories above it allow is added.
    ///
    /// # Errors
    /// Those of `landlock_add_rule(2)`: `EINVAL` for rights that the ruleset does not handle.
    pub fn allow(&self, beneath: BorrowedFd<'_>, rights: u64) -> io::Result<()> {
        let rule = PathBeneath {
            allowed: rights,
            parent: beneath.as_raw_fd(),
        };
        // SAFETY: the kernel reads the structure, which lives until the call returns.
        let added = unsafe {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                self.0.as_fd().as_raw_fd(),
                PATH_BENEATH,
                &raw const rule,
                0_u32,
            )
        };
        done(added)
    }

    /// Gives up what it does not allow, for the calling thread and all that it will make. It stacks: nothing gives a right
    /// back. `flags` are 0 or [`LOG_NOTHING`].
    ///
    /// # Errors
    /// Those of `landlock_restrict_self(2)`: `EPERM` without `no_new_privs`, `EINVAL` for a flag that the kernel does not know.
    pub fn restrict_thread(self, flags: u32) -> io::Result<()> {
        // SAFETY: takes no memory, and only takes rights away.
        let restricted =
            unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.0.as_raw_fd(), flags) };
        done(restricted)
    }
}

fn done(result: libc::c_long) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_there_if_the_kernel_lists_the_module() {
        match std::fs::read_to_string("/sys/kernel/security/lsm") {
            Ok(modules) => {
                let listed = modules.trim().split(',').any(|name| name == "landlock");
                assert_eq!(abi().is_some(), listed);
            }
            Err(_) => eprintln!("skipped: securityfs is not mounted"),
        }
    }

    #[test]
    fn rights_are_those_of_the_version() {
        let counts = [1, 2, 3, 4, 5, 7].map(|abi| rights::of(abi).count_ones());
        assert_eq!(counts, [13, 14, 15, 15, 16, 16]);
    }

    #[test]
    fn restricted_thread_opens_only_what_lies_beneath() -> io::Result<()> {
        let Some(abi) = abi() else {
            eprintln!("skipped: this kernel has no Landlock");
            return Ok(());
        };
        let restricted = std::thread::spawn(move || -> io::Result<[io::Result<()>; 2]> {
            rustix::thread::set_no_new_privs(true)?;
            let rules = Ruleset::new(rights::of(abi))?;
            let dev = std::fs::File::open("/dev")?;
            rules.allow(dev.as_fd(), rights::READ_FILE)?;
            rules.restrict_thread(0)?;
            let open = |path| std::fs::File::open(path).map(drop);
            Ok([open("/dev/null"), open("/proc/self/stat")])
        });
        let [beneath, beside] = restricted.join().map_err(|_| io::ErrorKind::Other)??;
        beneath?;
        let refused = beside.err().and_then(|error| error.raw_os_error());
        assert_eq!(refused, Some(libc::EACCES));
        assert!(std::fs::File::open("/proc/self/stat").is_ok());
        Ok(())
    }

    #[test]
    fn what_the_kernel_does_not_know_is_refused() {
        if abi().is_none() {
            eprintln!("skipped: this kernel has no Landlock");
            return;
        }
        let refused = Ruleset::new(1 << 63)
            .err()
            .and_then(|error| error.raw_os_error());
        assert_eq!(refused, Some(libc::EINVAL));
    }
}
