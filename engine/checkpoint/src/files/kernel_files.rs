//! File systems whose files are doors to the kernel.

/// `statfs(2)`, `linux/magic.h`.
const PROC: i64 = 0x9fa0;
const SYSFS: i64 = 0x6265_6572;
/// Those of which nothing can be carried.
const ALWAYS: [(i64, &str); 17] = [
    (0x5345_434d, "secret memory (memfd_secret)"),
    (0x9584_58f6, "a file of huge pages (hugetlbfs, MFD_HUGETLB)"),
    (0x6e73_6673, "a namespace"),
    (0x5049_4446, "a pidfd"),
    (0x1980_0202, "a POSIX message queue"),
    (0x444d_4142, "a DMA buffer"),
    (0x4711_4711, "a ring of asynchronous I/O (io_setup)"),
    (0x1cd1, "a terminal's directory (devpts)"),
    (0x0027_e0eb, "a file of the cgroup file system"),
    (0x6367_7270, "a file of the cgroup file system"),
    (0x6462_6720, "a file of debugfs"),
    (0x7472_6163, "a file of tracefs"),
    (0xcafe_4a11, "a file of the BPF file system"),
    (0x7363_6673, "a file of securityfs"),
    (0x6265_6570, "a file of configfs"),
    (0x6c6f_6f70, "a file of binderfs"),
    (0x474d_454d, "guest memory (KVM)"),
];

/// What a file is, if an image cannot hold it because its file system is the kernel itself.
///
/// Files of `/proc` and `/sys` that describe the machine and are only read have no state but their
/// position, so that they can be carried; those of a process, and those that are written, cannot.
pub(super) fn refused(fs_type: i64, link: &[u8], writable: bool) -> Option<&'static str> {
    match fs_type {
        PROC if names_process(link) => Some("a file of /proc about one process"),
        PROC if writable => Some("a writable file of /proc"),
        PROC if link.ends_with(b"/kmsg") => Some("the kernel's log"),
        SYSFS if writable => Some("a writable file of /sys"),
        _ => ALWAYS
            .iter()
            .find_map(|&(magic, what)| (magic == fs_type).then_some(what)),
    }
}

/// Whether a component of the path is the id of a process.
fn names_process(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .any(|name| !name.is_empty() && name.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_files_of_proc_may_be_read_only() {
        assert_eq!(refused(PROC, b"/proc/meminfo", false), None);
        assert!(refused(PROC, b"/proc/pressure/cpu", true).is_some());
        assert!(refused(PROC, b"/proc/12/stat", false).is_some());
        assert!(refused(PROC, b"/proc/12", false).is_some());
    }

    #[test]
    fn ordinary_file_systems_are_not_refused() {
        assert_eq!(refused(0xef53, b"/home/12/x", true), None);
        assert_eq!(refused(0x0102_1994, b"/tmp/x", true), None);
    }
}
