//! Regular files and directories: with a name, or as a content of the image.

use std::os::fd::{AsFd, BorrowedFd};

use offshoot_image::model::{ContentKind, OpenFileKind};
use rustix::fs::{FileType, OFlags, Stat, fcntl_get_seals, fstatfs};

use super::description::Description;
use super::error::{FileError, Halt};
use super::kernel_files;
use super::obstacle::Obstacle;
use super::root::{Root, removed_name};
use super::survey::Survey;
use super::tables::{Place, Tables};

/// Where a file can be had.
pub(super) enum Located {
    /// By this path, in the process's root.
    Named(Vec<u8>),
    /// Only in the image.
    Nameless(ContentKind),
}

/// The kind of a description of a regular file or directory, or of one opened with `O_PATH`.
pub(super) fn kind(
    survey: &Survey,
    description: &Description,
    tables: &mut Tables,
) -> Result<OpenFileKind, Halt> {
    let info = &description.info;
    let file = description.file.as_fd();
    let located = locate(
        survey.root,
        &description.link,
        file,
        &description.stat,
        info.writable(),
    )?;
    if is_detached_directory(survey, description) {
        return Err(unreachable(&description.link));
    }
    refuse_shared(survey, description, &located)?;
    let link = format!("fd/{}", description.first());
    let position = info.position;
    match tables.enter(survey.target, &link, located, &description.stat, false)? {
        Place::File(file) => Ok(OpenFileKind::Path { file, position }),
        Place::Content(_) if info.has(OFlags::PATH) => Err(Obstacle::Removed {
            path: description.path(),
        }
        .into()),
        Place::Content(content) => Ok(OpenFileKind::Content { content, position }),
    }
}

/// Finds out where a file that the kernel calls `link` can be had.
///
/// `writable`: whether it may be written through this description. Then, a name that is gone while
/// the file has others is refused: what a clone writes would not reach them.
pub(super) fn locate(
    root: &Root,
    link: &[u8],
    file: BorrowedFd<'_>,
    stat: &Stat,
    writable: bool,
) -> Result<Located, Halt> {
    if let Some(kind) = memory(root, link, file, stat)? {
        return Ok(Located::Nameless(kind));
    }
    let fs_type = fstatfs(file)
        .map_err(kernel("ask for a file's file system"))?
        .f_type;
    if let Some(what) = kernel_files::refused(fs_type, link, writable) {
        let path = link.to_vec();
        return Err(Obstacle::KernelFile { what, path }.into());
    }
    if let Some(path) = root.inside(link)
        && root.leads_to(path, stat)?
    {
        return Ok(Located::Named(path.to_vec()));
    }
    let Some(name) = removed_name(link) else {
        return Err(unreachable(link));
    };
    let path = root.inside(name).unwrap_or(name).to_vec();
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Obstacle::Removed { path }.into());
    }
    if stat.st_nlink > 0 && writable {
        return Err(Obstacle::OtherNames { path }.into());
    }
    Ok(Located::Nameless(ContentKind::DeletedFile {
        path,
        mode: stat.st_mode,
    }))
}

/// The kind of a file of the kernel's internal tmpfs: memfds and shared anonymous memory. None for
/// any other file.
fn memory(
    root: &Root,
    link: &[u8],
    file: BorrowedFd<'_>,
    stat: &Stat,
) -> Result<Option<ContentKind>, Halt> {
    if stat.st_dev != root.memory_device {
        return Ok(None);
    }
    let name = removed_name(link).unwrap_or(link);
    if let Some(name) = name.strip_prefix(b"/memfd:") {
        let seals = fcntl_get_seals(file).map_err(kernel("ask for a memfd's seals"))?;
        return Ok(Some(ContentKind::Memfd {
            name: name.to_vec(),
            seals: seals.bits(),
        }));
    }
    if name == b"/dev/zero" {
        return Ok(Some(ContentKind::SharedAnonymous));
    }
    let what = if name.starts_with(b"/SYSV") {
        "System V shared memory"
    } else {
        "memory of a kernel driver"
    };
    let path = name.to_vec();
    Err(Obstacle::KernelFile { what, path }.into())
}

/// Whether it is a directory opened with `O_PATH` on a mount that the process does not see:
/// `open_tree(2)` and `fsmount(2)` make such, and their use is the mount, not the directory.
fn is_detached_directory(survey: &Survey, description: &Description) -> bool {
    description.info.has(OFlags::PATH)
        && FileType::from_raw_mode(description.stat.st_mode) == FileType::Directory
        && survey.root.mount(description.info.mount).is_none()
}

/// Whether nobody can write to it: then it makes no difference who has it too.
pub(super) fn is_sealed(kind: &ContentKind) -> bool {
    /// `F_SEAL_WRITE` (`F_GET_SEALS` in `fcntl(2)`).
    const SEAL_WRITE: u32 = 8;
    matches!(kind, ContentKind::Memfd { seals, .. } if seals & SEAL_WRITE != 0)
}

/// A nameless file that another process has open is a means of communication, unless nobody writes.
fn refuse_shared(
    survey: &Survey,
    description: &Description,
    located: &Located,
) -> Result<(), Halt> {
    match located {
        Located::Nameless(kind) if is_sealed(kind) => Ok(()),
        Located::Nameless(ContentKind::Memfd { .. }) => {
            survey.refuse_shared(description, "a memfd")
        }
        Located::Nameless(_) => survey.refuse_written(description, "a deleted file"),
        Located::Named(_) => Ok(()),
    }
}

fn unreachable(link: &[u8]) -> Halt {
    let path = link.to_vec();
    Obstacle::Unreachable { path }.into()
}

fn kernel(what: &'static str) -> impl Fn(rustix::io::Errno) -> Halt {
    move |source| {
        Halt::Fail(FileError::Kernel {
            what,
            source: source.into(),
        })
    }
}
