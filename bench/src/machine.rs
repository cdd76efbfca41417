//! The machine that a figure was measured on, in one line.

use std::fs;

/// Such as `AMD EPYC 2 vCPU 24 GiB Linux 6.18.44`. What cannot be read is left out.
pub(crate) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let release = read("/proc/sys/kernel/osrelease");
    from_parts(
        &read("/proc/cpuinfo"),
        cpus,
        &read("/proc/meminfo"),
        release.trim(),
    )
}

fn from_parts(cpuinfo: &str, cpus: usize, meminfo: &str, release: &str) -> String {
    let model = field(cpuinfo, "model name").unwrap_or("unknown CPU");
    let kib = field(meminfo, "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
        .unwrap_or_default();
    let gib = (kib + (1 << 19)) >> 20;
    // What follows the version names the build, not the kernel.
    let version = release.split('-').next().unwrap_or_default();
    format!("{model} {cpus} vCPU {gib} GiB Linux {version}")
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.trim_start().strip_prefix(':');
    text.lines().find_map(value).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_is_described_in_one_line() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: AMD EPYC\nprocessor\t: 1\nmodel name\t: other\n";
        let meminfo = "MemTotal:       24684100 kB\nMemFree: 1 kB\n";
        let found = from_parts(cpuinfo, 2, meminfo, "6.18.44-fc-v509");
        assert_eq!(found, "AMD EPYC 2 vCPU 24 GiB Linux 6.18.44");
    }

    #[test]
    fn unreadable_facts_do_not_stop_a_run() {
        assert_eq!(from_parts("", 1, "", ""), "unknown CPU 1 vCPU 0 GiB Linux ");
        assert!(describe().contains(" vCPU "));
    }
}
