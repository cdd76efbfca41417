//! Making the planned tree beneath one directory, from which no path can lead away.
//!
//! Every path is resolved from the root's descriptor by openat2(2) with `RESOLVE_BENEATH`,
//! `RESOLVE_NO_SYMLINKS`, `RESOLVE_NO_MAGICLINKS` and `RESOLVE_NO_XDEV`; files are created with
//! `O_EXCL`; links are made last. The plan already excludes every path that would need these: the
//! kernel is the second lock on the same door.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;

use crate::content::Inflater;
use crate::limits::Limits;
use crate::link;
use crate::plan::{Plan, Planned};
use crate::refusal::{EntryFault, Refusal, shown};

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Bytes in files.
    pub(crate) bytes: u64,
    /// Files, links and directories, without the root.
    pub(crate) entries: u32,
}

/// Makes everything in `plan` beneath `root`, which is empty.
pub(crate) fn make(root: &OwnedFd, plan: &Plan<'_>, limits: &Limits) -> Result<Tally, Refusal> {
    let mut parents = Parents { root, open: None };
    for path in &plan.directories {
        make_directory(&mut parents, path)?;
    }
    let mut inflater = Inflater::new(limits.unzipped_bytes);
    let mut bytes = 0;
    for file in &plan.files {
        bytes += make_file(&mut parents, file, &mut inflater)?;
    }
    for planned in &plan.links {
        make_link(&mut parents, planned, &mut inflater)?;
    }
    let entries = plan.directories.len() + plan.files.len() + plan.links.len();
    Ok(Tally {
        bytes,
        entries: u32::try_from(entries).unwrap_or(u32::MAX),
    })
}

/// The directories above entries. The last one is kept open, as neighbours tend to follow.
struct Parents<'a> {
    root: &'a OwnedFd,
    open: Option<(String, OwnedFd)>,
}

impl Parents<'_> {
    /// Splits `path` into an open directory and a last component.
    fn of<'p>(&mut self, path: &'p str) -> Result<(&OwnedFd, &'p str), Errno> {
        let Some((parent, leaf)) = path.rsplit_once('/') else {
            return Ok((self.root, path));
        };
        if self.open.as_ref().is_none_or(|(open, _)| open != parent) {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = open_beneath(self.root, parent, flags, Mode::empty())?;
            self.open = Some((parent.to_owned(), fd));
        }
        let fd = self.open.as_ref().map_or(self.root, |(_, fd)| fd);
        Ok((fd, leaf))
    }
}

fn open_beneath(dir: impl AsFd, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(dir, path, flags, mode, resolve)
}

fn make_directory(parents: &mut Parents<'_>, path: &str) -> Result<(), Refusal> {
    let made = parents
        .of(path)
        .and_then(|(dir, leaf)| rustix::fs::mkdirat(dir, leaf, Mode::from_raw_mode(0o755)));
    made.map_err(|errno| failed("make directory", path, errno))
}

/// Makes a file of mode 0644 or 0755: readable by whatever uid the sandbox has, without setuid,
/// setgid and sticky bits. Returns its length.
fn make_file(
    parents: &mut Parents<'_>,
    planned: &Planned<'_>,
    inflater: &mut Inflater,
) -> Result<u64, Refusal> {
    let fail = |errno| failed("write", planned.path, errno);
    let mode = Mode::from_raw_mode(if planned.executable() { 0o755 } else { 0o644 });
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (dir, leaf) = parents.of(planned.path).map_err(fail)?;
    let file = open_beneath(dir, leaf, flags, mode).map_err(fail)?;
    inflater.read(planned.entry, |bytes| write_all(&file, bytes).map_err(fail))?;
    set_mtime(&file, planned.entry.mtime_s).map_err(fail)?;
    Ok(planned.entry.announced_bytes)
}

fn make_link(
    parents: &mut Parents<'_>,
    planned: &Planned<'_>,
    inflater: &mut Inflater,
) -> Result<(), Refusal> {
    let mut target = Vec::new();
    inflater.read(planned.entry, |bytes| {
        if target.len() + bytes.len() > link::TARGET_BYTES {
            return Err(planned.entry.refuse(EntryFault::LinkTarget));
        }
        target.extend_from_slice(bytes);
        Ok(())
    })?;
    let target =
        link::check(&target, planned.depth()).map_err(|fault| planned.entry.refuse(fault))?;
    let made = parents
        .of(planned.path)
        .and_then(|(dir, leaf)| rustix::fs::symlinkat(target, dir, leaf));
    made.map_err(|errno| failed("make link", planned.path, errno))
}

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Keeps the entry's time: Python trusts a packaged `.pyc` only if its source has the time it was
/// compiled at, and would compile again at every cold start, as it cannot write here.
fn set_mtime(file: &OwnedFd, mtime_s: i64) -> Result<(), Errno> {
    let time = Timespec {
        tv_sec: mtime_s,
        tv_nsec: 0,
    };
    rustix::fs::futimens(
        file,
        &Timestamps {
            last_access: time,
            last_modification: time,
        },
    )
}

fn failed(verb: &str, path: &str, errno: Errno) -> Refusal {
    Refusal::failed(
        format!("cannot {verb} \"{}\"", shown(path.as_bytes())),
        errno,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use rustix::fs::CWD;

    use super::*;

    /// Makes one file at `path` in a directory that has the links `out` and `here`, as if the plan
    /// had let it pass; returns the error.
    fn errno_of(path: &str) -> Option<Errno> {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        symlink("..", root.join("out")).unwrap();
        symlink(".", root.join("here")).unwrap();
        symlink("/proc/self/cwd", root.join("magic")).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = rustix::fs::openat(CWD, &root, flags, Mode::empty()).unwrap();
        let mut parents = Parents {
            root: &fd,
            open: None,
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::from_raw_mode(0o644);
        let made = parents
            .of(path)
            .and_then(|(dir, leaf)| open_beneath(dir, leaf, flags, mode));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{path}");
        made.err()
    }

    #[test]
    fn the_kernel_refuses_what_the_plan_should_have_refused() {
        assert_eq!(errno_of("x"), None);
        for path in ["out/x", "here/x", "magic/x", "here/here/x"] {
            assert!(matches!(errno_of(path), Some(Errno::LOOP)), "{path}");
        }
        for path in ["../x", "/x", "/tmp/x", "here/../../x"] {
            assert!(
                matches!(
                    errno_of(path),
                    Some(Errno::XDEV | Errno::LOOP | Errno::NOENT)
                ),
                "{path}"
            );
        }
        assert_eq!(errno_of("out"), Some(Errno::EXIST));
    }
}
