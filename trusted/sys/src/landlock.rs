//! Whether the kernel has Landlock, and how much of it (`landlock(7)`).
// UNSAFETY: the system call that asks for the version has no wrapper in a safe crate.
#![expect(unsafe_code)]

/// `LANDLOCK_CREATE_RULESET_VERSION` (`linux/landlock.h`), which the libc crate does not name.
const ASK_VERSION: libc::c_uint = 1;

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
}
