//! The mounts that are a sandbox's own, on top of the shared read-only root.
//!
//! Paths are resolved in a tree in which no tenant's process has run yet and which consists of the
//! nursery's tmpfs and of file systems mounted here; code mounts are attached at their roots, and
//! nothing is looked up below them.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{MountFlags, MoveMountFlags};

use crate::root::{OWN_ETC, write_new};
use crate::stage::{At, Failure, Stage, StageClock};
use crate::wire::BuildPlan;

/// The size of `/dev/shm`; its pages count as the sandbox's memory as well.
const SHM_BYTES: u64 = 64 << 20;

/// Files of `/proc` that tell about the host or act on it, covered by `/dev/null` (the list of the
/// OCI runtimes, plus those that show other tenants' activity).
const MASKED_FILES: [&str; 12] = [
    "/proc/cmdline",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/sched_debug",
    "/proc/softirqs",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/timer_stats",
];
/// Directories of `/proc` covered by an empty one.
const MASKED_DIRECTORIES: [&str; 3] = ["/proc/acpi", "/proc/asound", "/proc/scsi"];
/// Directories of `/proc` that stay readable.
const READ_ONLY_DIRECTORIES: [&str; 4] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"];

/// Mounts everything.
pub(super) fn add(
    plan: &BuildPlan,
    mounts: &[OwnedFd],
    clock: &mut StageClock,
) -> Result<(), Failure> {
    mount_proc().at(Stage::Proc)?;
    clock.end(Stage::Proc);
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    mount_tmpfs("/tmp", plan.tmp_bytes, plain).at(Stage::Temporary)?;
    mount_tmpfs("/dev/shm", SHM_BYTES, plain | MountFlags::NOEXEC).at(Stage::Temporary)?;
    clock.end(Stage::Temporary);
    write_own_etc(plan).at(Stage::Etc)?;
    clock.end(Stage::Etc);
    for (point, mount) in plan.mounts.iter().zip(mounts) {
        attach(mount, point.path()).at(Stage::Code)?;
    }
    clock.end(Stage::Code);
    Ok(())
}

fn mount_proc() -> rustix::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("proc", "/proc", "proc", flags, c"hidepid=invisible")?;
    for path in MASKED_FILES {
        absent_is_fine(rustix::mount::mount_bind("/dev/null", path))?;
    }
    for path in MASKED_DIRECTORIES {
        absent_is_fine(rustix::mount::mount_bind("/home", path))?;
    }
    for path in READ_ONLY_DIRECTORIES {
        absent_is_fine(rustix::mount::mount_bind(path, path).and_then(|()| {
            rustix::mount::mount_remount(path, MountFlags::BIND | MountFlags::RDONLY | flags, c"")
        }))?;
    }
    Ok(())
}

/// Which of the paths exist depends on the kernel's configuration.
fn absent_is_fine(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(rustix::io::Errno::NOENT) => Ok(()),
        other => other,
    }
}

fn tmpfs_limits(size_bytes: u64) -> std::io::Result<CString> {
    let inodes = size_bytes / 4096 + 64;
    Ok(CString::new(format!(
        "size={size_bytes},nr_inodes={inodes}"
    ))?)
}

/// A tmpfs for the tenant: its files are limited in bytes and in number, one inode for 4 KiB.
fn mount_tmpfs(path: &str, size_bytes: u64, flags: MountFlags) -> std::io::Result<()> {
    let options = CString::new([tmpfs_limits(size_bytes)?.to_bytes(), b",mode=1777"].concat())?;
    Ok(rustix::mount::mount(
        "tmpfs",
        path,
        "tmpfs",
        flags,
        options.as_c_str(),
    )?)
}

/// Writes the files to which the shared `/etc` links, and closes their file system for writing.
fn write_own_etc(plan: &BuildPlan) -> std::io::Result<()> {
    let own = format!("/{OWN_ETC}");
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount(
        "tmpfs",
        own.as_str(),
        "tmpfs",
        flags,
        c"size=64k,nr_inodes=16,mode=755",
    )?;
    let opened = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(own.as_str(), opened, Mode::empty())?;
    let BuildPlan { uid, hostname, .. } = plan;
    let passwd = format!(
        "root:x:0:0:root:/root:/usr/sbin/nologin\n\
         sandbox:x:{uid}:{uid}:sandbox:/tmp:/bin/sh\n\
         nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    );
    write_new(&directory, "passwd", passwd.as_bytes())?;
    let group = format!("root:x:0:\nsandbox:x:{uid}:\nnogroup:x:65534:\n");
    write_new(&directory, "group", group.as_bytes())?;
    write_name_files(&directory, hostname)?;
    if let Some(resolv_conf) = &plan.resolv_conf {
        write_new(&directory, "resolv.conf", resolv_conf.as_bytes())?;
    }
    rustix::mount::mount_remount(own.as_str(), flags | MountFlags::RDONLY, c"")?;
    Ok(())
}

fn write_name_files(directory: &OwnedFd, hostname: &str) -> rustix::io::Result<()> {
    let hosts = format!("127.0.0.1 localhost {hostname}\n::1 localhost ip6-localhost\n");
    write_new(directory, "hosts", hosts.as_bytes())?;
    write_new(directory, "hostname", format!("{hostname}\n").as_bytes())
}

/// Writes the files with the host's name again, for another name. The caller is in the sandbox's mount namespace.
pub(crate) fn write_names(hostname: &str) -> rustix::io::Result<()> {
    let own = format!("/{OWN_ETC}");
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount_remount(own.as_str(), flags, c"")?;
    let opened = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(own.as_str(), opened, Mode::empty())?;
    for name in ["hosts", "hostname"] {
        rustix::fs::unlinkat(&directory, name, rustix::fs::AtFlags::empty())?;
    }
    write_name_files(&directory, hostname)?;
    rustix::mount::mount_remount(own.as_str(), flags | MountFlags::RDONLY, c"")
}

/// Gives `/tmp` another size. The caller is in the sandbox's mount namespace, and nothing is in `/tmp`.
pub(crate) fn renew_tmp(size_bytes: u64) -> std::io::Result<()> {
    let options = tmpfs_limits(size_bytes)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(rustix::mount::mount_remount(
        "/tmp",
        flags,
        options.as_c_str(),
    )?)
}

/// Attaches a detached mount at a directory of the shared root, no link followed.
pub(crate) fn attach(mount: &OwnedFd, path: &str) -> rustix::io::Result<()> {
    let opened = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::BENEATH;
    let target = rustix::fs::openat2(CWD, path, opened, Mode::empty(), resolve)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", &target, "", flags)
}
