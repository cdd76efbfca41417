//! What a group's memory is (`memory.stat`).

use std::os::fd::OwnedFd;

/// The statistics of a group are a few kilobytes.
const MOST_BYTES: usize = 16 << 10;

pub(super) fn read_statistics(file: &OwnedFd) -> Option<String> {
    let mut text = vec![0; MOST_BYTES];
    let len = rustix::io::pread(file, &mut text, 0).ok()?;
    text.truncate(len);
    String::from_utf8(text).ok()
}

/// Page cache of files, in bytes. Pages of a tmpfs are not counted as such (`Documentation/admin-guide/cgroup-v1/memory.rst`,
/// 5.2). `beginning` is that of the names.
pub(super) fn file_bytes(statistics: &str, beginning: &str) -> u64 {
    let names = ["inactive_file", "active_file"];
    let found = names.map(|name| statistic(statistics, &format!("{beginning}{name}")));
    found.into_iter().flatten().sum()
}

fn statistic(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.strip_prefix(' ')
    })?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistic_is_found_by_its_whole_name() {
        let text = "cache 7\ninactive_file_x 6\ninactive_file 5\nactive_file 1\ntotal_inactive_file 12\ntotal_active_file 3\n";
        assert_eq!(statistic(text, "total_inactive_file"), Some(12));
        assert_eq!(statistic(text, "inactive_file"), Some(5));
        assert_eq!(statistic(text, "inactive"), None);
        assert_eq!(statistic(text, "absent"), None);
        assert_eq!((file_bytes(text, ""), file_bytes(text, "total_")), (6, 15));
        assert_eq!(file_bytes("", ""), 0);
    }
}
