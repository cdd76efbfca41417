//! What the host adds: network programs, and settings that harden or weaken sandboxes.

use std::path::Path;

use super::{Feature, optional, with_found};
use crate::seccomp::{self, JitMemory};

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
    let mut features = Vec::from(kernel_settings());
    features.extend(memory_settings());
    features.extend([landlock(), compiled_filters(), smt(), cpu_mitigations()]);
    features
}

/// A file's text; empty if it cannot be read.
fn value(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

fn kernel_settings() -> [Feature; 3] {
    let io_uring = value("/proc/sys/kernel/io_uring_disabled");
    let userfaultfd = value("/proc/sys/vm/unprivileged_userfaultfd");
    let filtered = "defence in depth: the filter refuses it already";
    [
        with_found(
            format!("io_uring_disabled={io_uring}"),
            optional(
                "io_uring off",
                io_uring == "2",
                filtered,
                "set kernel.io_uring_disabled=2 if nothing on the host needs it",
            ),
        ),
        with_found(
            format!("unprivileged_userfaultfd={userfaultfd}"),
            optional(
                "userfaultfd for root only",
                userfaultfd == "0",
                filtered,
                "set vm.unprivileged_userfaultfd=0",
            ),
        ),
        user_namespaces(filtered),
    ]
}

/// Three kernels' ways to keep users from making user namespaces: everybody's, Debian's, Ubuntu's.
fn user_namespaces(needed_for: &'static str) -> Feature {
    let ways = [
        ("/proc/sys/user/max_user_namespaces", "0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
        ),
    ];
    let closed = ways.into_iter().find(|(path, off)| value(path) == *off);
    let found = match closed {
        Some((path, off)) => format!("{}={off}", path.trim_start_matches("/proc/sys/")),
        None => "every user makes them".into(),
    };
    with_found(
        found,
        optional(
            "user namespaces for root only",
            closed.is_some(),
            needed_for,
            "set user.max_user_namespaces=0 if nothing on the host needs them",
        ),
    )
}

fn memory_settings() -> [Feature; 2] {
    let ksm = value("/sys/kernel/mm/ksm/run");
    // The first line is the heading.
    let swaps = value("/proc/swaps").lines().skip(1).count();
    [
        with_found(
            format!("ksm/run={ksm}"),
            optional(
                "KSM off",
                ksm.is_empty() || ksm == "0",
                "no timing of merged pages across tenants",
                "set /sys/kernel/mm/ksm/run to 0",
            ),
        ),
        with_found(
            format!("{swaps} areas"),
            optional(
                "swap off",
                swaps == 0,
                "memory limits that hold, no tenant's memory on disk",
                "switch swap off for untrusted tenants",
            ),
        ),
    ]
}

fn landlock() -> Feature {
    let abi = offshoot_sys::landlock::abi();
    with_found(
        abi.map(|version| format!("version {version}"))
            .unwrap_or_default(),
        optional(
            "Landlock",
            abi.is_some(),
            "the worker that unpacks packages; sandboxes do without",
            "the worker is confined by its other means only",
        ),
    )
}

/// Half of the budget is a reason to look for what else loads programs.
fn compiled_filters() -> Feature {
    let memory = seccomp::jit_memory();
    let mib = |bytes: u64| bytes >> 20;
    let found = match &memory {
        Ok(memory) => format!(
            "{} of {} MiB",
            mib(memory.used_bytes),
            mib(memory.limit_bytes)
        ),
        Err(error) => error.to_string(),
    };
    let room = |memory: &JitMemory| memory.used_bytes <= memory.limit_bytes / 2;
    with_found(
        found,
        optional(
            "room for compiled filters",
            memory.as_ref().is_ok_and(room),
            "loading the filter of each sandbox",
            "raise net.core.bpf_jit_limit, and see what else loads BPF programs",
        ),
    )
}

fn smt() -> Feature {
    let active = value("/sys/devices/system/cpu/smt/active");
    with_found(
        format!("smt/active={active}"),
        optional(
            "SMT off",
            active.is_empty() || active == "0",
            "tenants that do not trust each other: threads of a core see each other's work",
            "start the kernel with nosmt for such tenants",
        ),
    )
}

fn cpu_mitigations() -> Feature {
    let (known, open) = vulnerabilities();
    let found = match open.is_empty() {
        true => format!("{known} vulnerabilities known, none open"),
        false => format!("{known} vulnerabilities known, open: {}", open.join(", ")),
    };
    with_found(
        found,
        optional(
            "CPU mitigations",
            known > 0 && open.is_empty(),
            "tenants that do not trust each other",
            "give such tenants machines of their own",
        ),
    )
}

/// How many CPU vulnerabilities the kernel knows, and the names of those that are open in full or in part.
fn vulnerabilities() -> (usize, Vec<String>) {
    let files = std::fs::read_dir("/sys/devices/system/cpu/vulnerabilities");
    let files: Vec<std::fs::DirEntry> = files.into_iter().flatten().flatten().collect();
    let is_open = |file: &&std::fs::DirEntry| {
        std::fs::read_to_string(file.path()).is_ok_and(|text| text.contains("Vulnerable"))
    };
    let mut open: Vec<String> = files
        .iter()
        .filter(is_open)
        .filter_map(|file| file.file_name().into_string().ok())
        .collect();
    open.sort();
    (files.len(), open)
}
