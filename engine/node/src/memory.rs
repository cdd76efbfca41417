//! What the machine says about memory, and whether its processors have time to spare.

use std::path::Path;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use offshoot_sandbox::MemoryUse;

use crate::Node;
use crate::seeds::Seeds;

/// The part of the machine's memory, or of the limit of the groups above, that sandboxes and templates may use if nobody
/// says how much, in percent. The rest is for the daemon, other programs, and the page cache of images.
const SHARE_PERCENT: u64 = 80;
/// Tasks waited for a processor for less than this part of the last ten seconds, in percent: it is idle enough for work
/// that nobody waits for.
const IDLE_PERCENT: f64 = 20.0;

/// Stalls count while less than this part of the memory is available, in percent: what is kept free. With more, they are of
/// others: a sandbox at its own limit stalls, and whoever waits for the kernel to move pages.
const SHORT_PERCENT: u64 = 100 - SHARE_PERCENT;

/// A reading of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MachineReading {
    /// What sandboxes and templates may use together, in bytes.
    pub limit_bytes: u64,
    /// What sandboxes use, and templates that are not at hand any more while clones of them live, in bytes.
    pub used_bytes: u64,
    /// PSI memory `some avg10`, in percent; 0 if the kernel does not tell, or memory is not short.
    pub psi_some: f64,
    /// PSI memory `full avg10`, in percent; 0 if the kernel does not tell, or memory is not short.
    pub psi_full: f64,
    /// Whether the processors have time to spare; false if the kernel does not tell.
    pub is_idle: bool,
}

impl Node {
    /// Reads the machine: about a dozen system calls.
    pub(crate) fn read_machine(&self) -> MachineReading {
        let of_sandboxes = self.launcher().and_then(|launcher| launcher.memory());
        let of_sandboxes = of_sandboxes.unwrap_or_default();
        let held = self.seeds().map_or(0, Seeds::held_bytes);
        let meminfo = text("/proc/meminfo");
        let pressure = match is_short(&meminfo, &of_sandboxes) {
            true => text("/proc/pressure/memory"),
            false => String::new(),
        };
        let processors = text("/proc/pressure/cpu");
        MachineReading {
            limit_bytes: self
                .memory_limit()
                .unwrap_or_else(|| share(&meminfo, &of_sandboxes)),
            used_bytes: of_sandboxes.used_bytes.saturating_add(held),
            psi_some: avg10(&pressure, "some").unwrap_or(0.0),
            psi_full: avg10(&pressure, "full").unwrap_or(0.0),
            is_idle: avg10(&processors, "some").is_some_and(|some| some < IDLE_PERCENT),
        }
    }
}

fn share(meminfo: &str, of_sandboxes: &MemoryUse) -> u64 {
    let machine = kilobytes(meminfo, "MemTotal:");
    let all = machine.into_iter().chain(of_sandboxes.limit_bytes).min();
    all.map_or(u64::MAX, |bytes| bytes / 100 * SHARE_PERCENT)
}

/// Whether little memory is left, of the machine or within the limit of the groups above. If nobody tells: yes.
fn is_short(meminfo: &str, of_sandboxes: &MemoryUse) -> bool {
    let is_little = |left: u64, all: u64| left < all / 100 * SHORT_PERCENT;
    let machine = kilobytes(meminfo, "MemAvailable:").zip(kilobytes(meminfo, "MemTotal:"));
    let groups = of_sandboxes.limit_bytes;
    machine.is_none_or(|(left, all)| is_little(left, all))
        || groups.is_some_and(|all| is_little(all.saturating_sub(of_sandboxes.used_bytes), all))
}

/// Whether less wants to run at this moment than there are processors, the caller aside; true if the kernel does not tell.
pub(crate) fn has_idle_processor() -> bool {
    static PROCESSORS: LazyLock<usize> =
        LazyLock::new(|| available_parallelism().map_or(1, usize::from));
    // The caller is one of those that run.
    running(&text("/proc/loadavg")).is_none_or(|running| running <= *PROCESSORS)
}

/// How many tasks run or wait for a processor: `0.05 0.12 0.10 RUNNING/ALL LAST` (`proc_loadavg(5)`).
fn running(loadavg: &str) -> Option<usize> {
    let (running, _) = loadavg.split_whitespace().nth(3)?.split_once('/')?;
    running.parse().ok()
}

/// Memory of a process that is its own, in bytes: what it has written or been given, not files that it has mapped.
pub(crate) fn own_bytes(pid: i32) -> Option<u64> {
    let status = text(format!("/proc/{pid}/status"));
    let of = |name| kilobytes(&status, name);
    Some(of("RssAnon:")? + of("RssShmem:").unwrap_or(0))
}

/// A line `NAME  123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

/// The average over ten seconds in a file of pressure stall information (`Documentation/accounting/psi.rst`).
fn avg10(text: &str, kind: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
    let mut words = line.split_whitespace();
    words.find_map(|word| word.strip_prefix("avg10=")?.parse().ok())
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read_by_kind() {
        let text = "some avg10=12.50 avg60=2.01 avg300=9.31 total=9144\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(avg10(text, "some"), Some(12.5));
        assert_eq!(avg10(text, "full"), Some(0.25));
        assert_eq!(avg10("", "some"), None);
    }

    /// A sandbox that kept its own memory full raised the machine's pressure, and the instances of all others went, with
    /// most of the machine's memory free.
    #[test]
    fn stalls_count_only_where_memory_is_short() {
        let meminfo = |available: u64| format!("MemTotal: 1000 kB\nMemAvailable: {available} kB\n");
        let groups = |limit_bytes, used_bytes| MemoryUse {
            limit_bytes,
            used_bytes,
        };
        let free = groups(None, 0);
        assert!(is_short(&meminfo(150), &free) && !is_short(&meminfo(250), &free));
        let [within, nearly] = [700, 900].map(|used| groups(Some(1000), used));
        assert!(!is_short(&meminfo(900), &within) && is_short(&meminfo(900), &nearly));
        assert!(is_short("", &free));
    }

    #[test]
    fn tasks_that_run_are_told_from_all() {
        assert_eq!(running("0.75 1.83 3.24 2/512 12345\n"), Some(2));
        assert_eq!(running(""), None);
        assert!(running(&text("/proc/loadavg")).is_some_and(|running| running > 0));
    }

    #[test]
    fn kernel_kilobytes_become_bytes() {
        let status = "VmRSS:\t    9000 kB\nRssAnon:\t     512 kB\n";
        assert_eq!(kilobytes(status, "RssAnon:"), Some(512 << 10));
        assert_eq!(kilobytes(status, "RssShmem:"), None);
    }

    #[test]
    fn own_process_has_memory_of_its_own() {
        let own = own_bytes(std::process::id() as i32);
        assert!(own.is_some_and(|bytes| bytes > 64 << 10), "{own:?}");
        assert_eq!(own_bytes(-1), None);
    }
}
