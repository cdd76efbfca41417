//! Giving up everything that unpacking does not need, before the first untrusted byte is read.
//!
//! The process already runs as an unprivileged uid with no capability (the daemon starts it so).
//! What follows keeps a worker whose parser was taken over from doing anything but wasting its own
//! time and writing wrong files into its own fresh directory, which the daemon checks afterwards.

use std::collections::BTreeMap;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use rustix::thread::CapabilitySet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use crate::limits::Limits;

/// Address space beyond the zip itself: program, stack, plan of 100,000 names, buffers.
const WORKING_BYTES: u64 = 512 * 1_024 * 1_024;

/// A step of confinement that failed; the text says which.
pub(crate) type ConfineError = String;

/// Confines the calling process, which must be single-threaded, to its working directory. All
/// steps are demanded, but for Landlock, which kernels before 5.13 lack. Returns whether Landlock
/// is in force.
pub(crate) fn enter(limits: &Limits) -> Result<bool, ConfineError> {
    let step = |name: &'static str| move |error: rustix::io::Errno| format!("{name}: {error}");
    // The daemon's thread waits for this process; if it dies, nobody would read the verdict.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(step("set parent death signal"))?;
    // No other process of the same uid may trace this one.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(step("set not dumpable"))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    drop_capabilities().map_err(step("drop capabilities"))?;
    rustix::thread::set_no_new_privs(true).map_err(step("set no new privileges"))?;
    limit_resources(limits).map_err(step("set resource limits"))?;
    let landlocked = restrict_paths().map_err(|error| format!("restrict paths: {error}"))?;
    filter_calls().map_err(|error| format!("filter system calls: {error}"))?;
    Ok(landlocked)
}

fn drop_capabilities() -> Result<(), rustix::io::Errno> {
    rustix::thread::clear_ambient_capability_set()?;
    let none = rustix::thread::CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none)
}

fn limit_resources(limits: &Limits) -> Result<(), rustix::io::Errno> {
    let cpu_seconds = limits.timeout_ms.div_ceil(1_000).max(1);
    let address_bytes = limits.zipped_bytes.saturating_add(WORKING_BYTES);
    for (resource, most) in [
        (Resource::Fsize, limits.unzipped_bytes),
        (Resource::As, address_bytes),
        (Resource::Cpu, cpu_seconds),
        (Resource::Nofile, 32),
        (Resource::Nproc, 0),
        (Resource::Core, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
    ] {
        rustix::process::setrlimit(
            resource,
            Rlimit {
                current: Some(most),
                maximum: Some(most),
            },
        )?;
    }
    Ok(())
}

/// Landlock (landlock(7)): make and write beneath the working directory; no reading, executing or
/// listing of files anywhere; no TCP.
fn restrict_paths() -> Result<bool, Box<dyn std::error::Error>> {
    let abi = ABI::V5;
    let allowed: BitFlags<AccessFs> =
        AccessFs::MakeDir | AccessFs::MakeReg | AccessFs::MakeSym | AccessFs::WriteFile;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(".")?, allowed))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// Allows only the calls of a single thread that reads, inflates and writes (seccomp(2)). All
/// others fail with `EPERM`; those of another architecture kill.
fn filter_calls() -> Result<(), seccompiler::Error> {
    let program: BpfProgram = SeccompFilter::new(
        rules()?,
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()?;
    seccompiler::apply_filter(&program)
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let free = [
        // Files: the zip and the tree.
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_close,
        libc::SYS_openat2,
        libc::SYS_mkdirat,
        libc::SYS_symlinkat,
        libc::SYS_utimensat,
        // Memory and the end, of the allocator and of a panic.
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_getrandom,
        libc::SYS_futex,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        free.into_iter().map(|call| (call, Vec::new())).collect();
    // Memory that is never executable.
    let not_executable = SeccompCondition::new(
        2,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64),
        0,
    )?;
    rules.insert(
        libc::SYS_mmap,
        vec![SeccompRule::new(vec![not_executable])?],
    );
    // The standard library's check, in debug builds, that a descriptor it closes is open.
    let get_flags = SeccompCondition::new(
        1,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        libc::F_GETFD as u64,
    )?;
    rules.insert(libc::SYS_fcntl, vec![SeccompRule::new(vec![get_flags])?]);
    Ok(rules)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use rustix::fs::{CWD, OFlags, ResolveFlags};
    use rustix::io::Errno;

    use super::*;

    const PROBE: &str = "OFFSHOOT_CONFINE_PROBE";

    /// The part of the next test that runs in a process of its own.
    #[test]
    fn probe() {
        if std::env::var_os(PROBE).is_none() {
            return;
        }
        let (refused, sockets) = (Some(Errno::PERM.raw_os_error()), "127.0.0.1:0");
        let landlocked = enter(&Limits::default()).unwrap();
        let open = |path, flags: OFlags| {
            let creates = flags.contains(OFlags::CREATE);
            let mode = Mode::from_raw_mode(if creates { 0o644 } else { 0 });
            rustix::fs::openat2(CWD, path, flags, mode, ResolveFlags::empty()).err()
        };
        let create = OFlags::WRONLY | OFlags::CREATE;
        assert_eq!(open("inside", create), None);
        if landlocked {
            assert_eq!(open("/etc/passwd", OFlags::RDONLY), Some(Errno::ACCESS));
            assert_eq!(open("inside", OFlags::RDONLY), Some(Errno::ACCESS));
            assert_eq!(open("../outside", create), Some(Errno::ACCESS));
            assert_eq!(open("/tmp/offshoot-outside", create), Some(Errno::ACCESS));
        }
        assert_eq!(
            std::fs::File::open("inside").unwrap_err().raw_os_error(),
            refused
        );
        assert_eq!(
            std::net::UdpSocket::bind(sockets)
                .unwrap_err()
                .raw_os_error(),
            refused
        );
        assert_eq!(
            std::fs::remove_file("inside").unwrap_err().raw_os_error(),
            refused
        );
        assert!(Command::new("/bin/true").spawn().is_err());
        assert!(std::thread::Builder::new().spawn(|| ()).is_err());
        let parent = rustix::process::Pid::INIT;
        assert_eq!(rustix::process::test_kill_process(parent), Err(Errno::PERM));
        assert_eq!(rustix::process::chdir("/"), Err(Errno::PERM));
        // A test thread cannot end in the usual way any more.
        std::process::exit(if landlocked { 42 } else { 43 });
    }

    #[test]
    fn a_confined_process_can_write_in_its_directory_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "confine::tests::probe",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(PROBE, "1")
            .current_dir(dir.path())
            .output()
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(42) => {}
            Some(43) => eprintln!("skipped in part: this kernel has no Landlock"),
            _ => panic!("{:?}: {text}", output.status),
        }
        assert!(dir.path().join("inside").exists());
    }
}
