//! What the host adds: network programs, and settings that harden or weaken sandboxes.

use std::path::Path;

use super::{Feature, optional, with_found};

pub(super) fn network() -> Vec<Feature> {
    let nft = ["/usr/sbin/nft", "/usr/bin/nft", "/sbin/nft", "/bin/nft"];
    let nft = nft.into_iter().find(|path| Path::new(path).exists());
    let veth = Path::new("/sys/module/veth").exists() || kernel_has_module("veth");
    vec![
        with_found(
            nft.unwrap_or_default(),
            optional(
                "nft program",
                nft.is_some(),
                "sandboxes with access to the network",
                "sandboxes with egress are refused: install the package nftables",
            ),
        ),
        optional(
            "veth",
            veth,
            "sandboxes with access to the network",
            "sandboxes with egress are refused",
        ),
    ]
}

/// Built in, or a module that the kernel can load.
fn kernel_has_module(name: &str) -> bool {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let base = Path::new("/lib/modules").join(release);
    let listed = |file: &str| {
        let text = std::fs::read_to_string(base.join(file)).unwrap_or_default();
        text.contains(&format!("/{name}.ko"))
    };
    listed("modules.builtin") || listed("modules.dep") || !base.exists()
}

pub(super) fn hardening() -> Vec<Feature> {
    let value = |path: &str| {
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let io_uring = value("/proc/sys/kernel/io_uring_disabled");
    let userfaultfd = value("/proc/sys/vm/unprivileged_userfaultfd");
    let ksm = value("/sys/kernel/mm/ksm/run");
    let swaps = std::fs::read_to_string("/proc/swaps")
        .unwrap_or_default()
        .lines()
        .count();
    let vulnerable = vulnerabilities();
    vec![
        with_found(
            format!("io_uring_disabled={io_uring}"),
            optional(
                "io_uring off",
                io_uring == "2",
                "defence in depth: the filter refuses it already",
                "set kernel.io_uring_disabled=2 if nothing on the host needs it",
            ),
        ),
        with_found(
            format!("unprivileged_userfaultfd={userfaultfd}"),
            optional(
                "userfaultfd for root only",
                userfaultfd == "0",
                "defence in depth: the filter refuses it already",
                "set vm.unprivileged_userfaultfd=0",
            ),
        ),
        optional(
            "KSM off",
            ksm.is_empty() || ksm == "0",
            "no timing of merged pages across tenants",
            "set /sys/kernel/mm/ksm/run to 0",
        ),
        optional(
            "swap off",
            swaps <= 1,
            "memory limits that hold, no tenant's memory on disk",
            "switch swap off for untrusted tenants",
        ),
        with_found(
            vulnerable.join(", "),
            optional(
                "CPU mitigations",
                vulnerable.is_empty(),
                "tenants that do not trust each other",
                "give such tenants machines of their own",
            ),
        ),
    ]
}

/// The names of the known CPU vulnerabilities that are not mitigated.
fn vulnerabilities() -> Vec<String> {
    let files = std::fs::read_dir("/sys/devices/system/cpu/vulnerabilities");
    let mut names: Vec<String> = files
        .into_iter()
        .flatten()
        .flatten()
        .filter(|file| {
            std::fs::read_to_string(file.path()).is_ok_and(|text| text.starts_with("Vulnerable"))
        })
        .filter_map(|file| file.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
