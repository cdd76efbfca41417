//! Resource limits, as `/proc/pid/limits` shows them to everyone: `prlimit(2)` wants `CAP_SYS_RESOURCE` for processes of
//! other users, which root in a container may lack.

use offshoot_image::model::Limit;

use crate::{CheckpointError, proc};

/// Names in the order of the kernel's numbers (`RLIMIT_CPU` is 0).
const NAMES: [&str; 16] = [
    "Max cpu time",
    "Max file size",
    "Max data size",
    "Max stack size",
    "Max core file size",
    "Max resident set",
    "Max processes",
    "Max open files",
    "Max locked memory",
    "Max address space",
    "Max file locks",
    "Max pending signals",
    "Max msgqueue size",
    "Max nice priority",
    "Max realtime priority",
    "Max realtime timeout",
];

/// All limits of a process.
pub(crate) fn read(pid: u32) -> Result<Vec<Limit>, CheckpointError> {
    let bytes = proc::read(pid, "limits")?;
    let text = String::from_utf8_lossy(&bytes);
    let limits = NAMES.iter().zip(0..);
    limits
        .map(|(name, resource)| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let limit = line.and_then(|line| parse(line, resource));
            limit.ok_or_else(|| proc::malformed(pid, "limits", name))
        })
        .collect()
}

/// The soft and the hard limit behind a name.
fn parse(line: &str, resource: u8) -> Option<Limit> {
    let mut words = line.split_whitespace().map(|word| match word {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    });
    Some(Limit {
        resource,
        soft: words.next()??,
        hard: words.next()??,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn own_limits_are_those_that_the_kernel_tells() {
        use rustix::process::{Resource, getrlimit};
        let limits = read(std::process::id()).unwrap();
        assert_eq!(limits.len(), 16);
        for (resource, known) in [
            (3, Resource::Stack),
            (7, Resource::Nofile),
            (9, Resource::As),
        ] {
            let (known, found) = (getrlimit(known), limits[resource]);
            assert_eq!(usize::from(found.resource), resource);
            assert_eq!(found.soft, known.current.unwrap_or(u64::MAX));
            assert_eq!(found.hard, known.maximum.unwrap_or(u64::MAX));
        }
    }

    #[test]
    fn line_without_numbers_is_no_limit() {
        assert_eq!(parse("   7   unlimited   bytes", 1).unwrap().hard, u64::MAX);
        assert!(parse("   7  ", 1).is_none());
        assert!(parse("   x  7", 1).is_none());
    }
}
