//! The root made from the host's `/usr`.

use std::io;
use std::os::fd::OwnedFd;

use offshoot_sys::namespace::{Namespaces, unshare};
use rustix::mount::{MountAttrFlags, MountPropagationFlags};

use super::build::{self, BuildError, Doing};
use super::{OWN_ETC, OWN_ETC_FILES};

/// Directories of a root that are symbolic links into `/usr` on a merged-usr system, and
/// directories of their own elsewhere.
const USR_ALIASES: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// Directories of the host's `/etc` that are shown as they are. `/usr/bin` of Debian has links
/// into `alternatives`; certificates must follow the host's updates.
const ETC_TREES: [&str; 2] = ["alternatives", "ssl/certs"];
/// Files of the host's `/etc` that are copied when the nursery starts.
const ETC_COPIES: [&str; 7] = [
    "ld.so.cache",
    "ld.so.conf",
    "localtime",
    "mime.types",
    "protocols",
    "services",
    "ssl/openssl.cnf",
];
/// The longest file that is copied.
const MAX_COPY_BYTES: u64 = 4 << 20;
/// Enough for the copies and a few hundred inodes.
const ROOT_SIZE: &str = "16m";

/// The empty directories, parents first.
const DIRECTORIES: [&str; 18] = [
    "dev",
    "etc",
    "etc/alternatives",
    "etc/ld.so.conf.d",
    "etc/ssl",
    "etc/ssl/certs",
    "home",
    "opt",
    "proc",
    "root",
    "run",
    "run/offshoot",
    "sys",
    "tmp",
    "usr",
    "var",
    "var/runtime",
    "var/task",
];

/// Builds the root and enters it.
pub(super) fn enter() -> Result<(), BuildError> {
    let usr = build::clone_host_tree("/usr")?
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        .doing(|| "find the host's /usr".into())?;
    let aliases = host_aliases()?;
    let etc_trees = host_etc_trees()?;
    let etc_copies = host_etc_copies()?;

    unshare(Namespaces::MOUNT).doing(|| "enter a mount namespace".into())?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).doing(|| "make the mounts private".into())?;

    let plain = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let root = build::new_tmpfs(ROOT_SIZE, plain)?;
    // Anywhere will do: this namespace is private, and the place is gone after the pivot.
    build::attach_absolute(&root, "/tmp")?;
    for path in DIRECTORIES {
        build::directory(&root, path)?;
    }
    build::attach(&usr, &root, "usr")?;
    for (name, alias) in &aliases {
        add_alias(&root, name, alias)?;
    }
    write_etc(&root, &etc_copies)?;
    for (path, tree) in &etc_trees {
        build::attach(tree, &root, path)?;
    }
    add_dev(&root)?;
    build::become_root(&root)?;
    build::seal(&root, "/")
}

/// What the host has at one of [`USR_ALIASES`].
enum Alias {
    Link(String),
    Tree(OwnedFd),
}

fn host_aliases() -> Result<Vec<(&'static str, Alias)>, BuildError> {
    let mut aliases = Vec::new();
    for name in USR_ALIASES {
        let path = format!("/{name}");
        if let Ok(target) = std::fs::read_link(&path) {
            aliases.push((name, Alias::Link(target.to_string_lossy().into_owned())));
        } else if let Some(tree) = build::clone_host_tree(&path)? {
            aliases.push((name, Alias::Tree(tree)));
        }
    }
    Ok(aliases)
}

fn add_alias(root: &OwnedFd, name: &str, alias: &Alias) -> Result<(), BuildError> {
    match alias {
        Alias::Link(target) => build::link(root, name, target),
        Alias::Tree(tree) => {
            build::directory(root, name)?;
            build::attach(tree, root, name)
        }
    }
}

fn host_etc_trees() -> Result<Vec<(String, OwnedFd)>, BuildError> {
    let mut trees = Vec::new();
    for name in ETC_TREES {
        if let Some(tree) = build::clone_host_tree(&format!("/etc/{name}"))? {
            trees.push((format!("etc/{name}"), tree));
        }
    }
    Ok(trees)
}

fn host_etc_copies() -> Result<Vec<(String, Vec<u8>)>, BuildError> {
    let mut names: Vec<String> = ETC_COPIES.iter().map(ToString::to_string).collect();
    if let Ok(entries) = std::fs::read_dir("/etc/ld.so.conf.d") {
        let entry_names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        names.extend(entry_names.map(|name| format!("ld.so.conf.d/{name}")));
    }
    let mut copies = Vec::new();
    for name in names {
        let path = format!("/etc/{name}");
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() <= MAX_COPY_BYTES => {
                let content = std::fs::read(&path).doing(|| format!("read {path}"))?;
                copies.push((format!("etc/{name}"), content));
            }
            _ => {}
        }
    }
    Ok(copies)
}

fn write_etc(root: &OwnedFd, copies: &[(String, Vec<u8>)]) -> Result<(), BuildError> {
    for (path, content) in copies {
        build::file(root, path, content)?;
    }
    build::file(root, "etc/nsswitch.conf", NSSWITCH.as_bytes())?;
    build::link(root, "etc/os-release", "../usr/lib/os-release")?;
    build::link(root, "etc/mtab", "../proc/self/mounts")?;
    for name in OWN_ETC_FILES {
        build::link(
            root,
            &format!("etc/{name}"),
            &format!("../{OWN_ETC}/{name}"),
        )?;
    }
    Ok(())
}

/// `/dev`: the five devices of the OCI runtime specification that need no terminal.
fn add_dev(root: &OwnedFd) -> Result<(), BuildError> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let dev = build::new_tmpfs("64k", attributes)?;
    for (name, minor) in [
        ("null", 3),
        ("zero", 5),
        ("full", 7),
        ("random", 8),
        ("urandom", 9),
    ] {
        build::device(&dev, name, minor)?;
    }
    build::link(&dev, "fd", "/proc/self/fd")?;
    build::link(&dev, "stdin", "/proc/self/fd/0")?;
    build::link(&dev, "stdout", "/proc/self/fd/1")?;
    build::link(&dev, "stderr", "/proc/self/fd/2")?;
    build::directory(&dev, "shm")?;
    build::attach(&dev, root, "dev")?;
    build::seal(&dev, "/dev")
}

const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\n\
    protocols: files\nservices: files\n";
