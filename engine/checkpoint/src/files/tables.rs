//! The manifest's tables of files, and how entries are shared.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use offshoot_image::model::{
    Content, ContentKind, Descriptor, FileIdentity, OpenFile, Pipe, UnixSocket,
};
use rustix::fs::{OFlags, Stat, fstat};

use super::error::{FileError, Halt};
use super::regular::{self, Located};
use super::target::Target;

/// What descriptors, mappings and the process name by index: the manifest's tables, in its order.
///
/// A file or content that several of them use is one entry.
#[derive(Debug, Default)]
pub struct Tables {
    /// Files that still have a name.
    pub files: Vec<FileIdentity>,
    /// Memfds, shared anonymous memory and files without a name.
    pub contents: Vec<ContentSource>,
    /// Pipes and FIFOs.
    pub pipes: Vec<Pipe>,
    /// Unix sockets.
    pub sockets: Vec<UnixSocket>,
    /// Open file descriptions.
    pub open_files: Vec<OpenFile>,
    /// Descriptors, ascending.
    pub descriptors: Vec<Descriptor>,
    by_path: BTreeMap<Vec<u8>, u32>,
    by_inode: BTreeMap<(u64, u64), u32>,
}

/// A content, and how to read it.
#[derive(Debug)]
pub struct ContentSource {
    /// Kind and length; its runs are empty until its pages have been written to the image.
    pub content: Content,
    /// Its bytes, opened for reading, with an offset that nobody else uses. It may be longer or
    /// shorter than [`Content::bytes`] only if another process changed it meanwhile.
    pub reader: OwnedFd,
}

/// Where a file went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Index into the files.
    File(u32),
    /// Index into the contents.
    Content(u32),
}

impl Tables {
    /// Takes a file that is reached by a magic link below `/proc/pid`: `exe`, or
    /// `map_files/START-END` with hexadecimal addresses that, unlike those of `/proc/pid/maps`,
    /// have no leading zeros.
    ///
    /// `pinned` says that a clone must find the file unchanged; once set it stays.
    ///
    /// # Errors
    /// [`FileError::Mapping`] for a file that an image cannot hold; [`FileError::Proc`] if the link
    /// cannot be opened, which for `map_files` wants `CAP_CHECKPOINT_RESTORE`.
    pub fn place(&mut self, target: &Target, link: &str, pinned: bool) -> Result<Place, FileError> {
        let root = target.root()?;
        let path = target.link(link)?;
        let file = open_link(target, link)?;
        let stat = fstat(&file).map_err(|source| target.unreadable(link, source.into()))?;
        regular::locate(root, &path, file.as_fd(), &stat, false)
            .and_then(|located| self.enter(target, link, located, &stat, pinned))
            .map_err(|halt| match halt {
                Halt::Fail(error) => error,
                Halt::Refuse(obstacle) => FileError::Mapping {
                    pid: target.id(),
                    link: link.to_owned(),
                    obstacle,
                },
            })
    }

    /// The entry of a file that was located, made if there is none. `link` is the magic link by
    /// which a content is opened for reading.
    pub(super) fn enter(
        &mut self,
        target: &Target,
        link: &str,
        located: Located,
        stat: &Stat,
        pinned: bool,
    ) -> Result<Place, Halt> {
        match located {
            Located::Named(path) => Ok(Place::File(self.file(path, stat, pinned))),
            Located::Nameless(kind) => {
                let reader = open_link(target, link)?;
                Ok(Place::Content(self.content(kind, stat, reader)))
            }
        }
    }

    fn file(&mut self, path: Vec<u8>, stat: &Stat, pinned: bool) -> u32 {
        if let Some(&index) = self.by_path.get(&path) {
            if let Some(file) = self.files.get_mut(index as usize) {
                file.pinned |= pinned;
            }
            return index;
        }
        let index = next(&self.files);
        self.by_path.insert(path.clone(), index);
        self.files.push(FileIdentity {
            path,
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ns: modified_ns(stat),
            mode: stat.st_mode,
            pinned,
        });
        index
    }

    fn content(&mut self, kind: ContentKind, stat: &Stat, reader: OwnedFd) -> u32 {
        let contents = &mut self.contents;
        *self
            .by_inode
            .entry((stat.st_dev, stat.st_ino))
            .or_insert_with(|| {
                let index = next(contents);
                contents.push(ContentSource {
                    content: Content {
                        kind,
                        bytes: u64::try_from(stat.st_size).unwrap_or(0),
                        runs: Vec::new(),
                    },
                    reader,
                });
                index
            })
    }
}

/// The index that the next entry gets. Tables are bounded by `fs.nr_open` and
/// `vm.max_map_count`, both below 2³².
pub(super) fn next<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).unwrap_or(u32::MAX)
}

/// Opens for reading what a magic link leads to, as a description of its own.
fn open_link(target: &Target, link: &str) -> Result<OwnedFd, FileError> {
    // Without O_NONBLOCK a device or FIFO could block us before it is refused.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(target.path(link))
        .map(OwnedFd::from)
        .map_err(|source| target.unreadable(link, source))
}

fn modified_ns(stat: &Stat) -> i64 {
    let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    stat.st_mtime
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}
