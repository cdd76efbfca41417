//! The manifest's tables of files, and how entries are shared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;

use offshoot_image::model::{
    Content, ContentKind, Descriptor, FileIdentity, OpenFile, Pipe, UnixSocket,
};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, fstatfs, major, minor, open};

use super::error::{FileError, Halt};
use super::holders::{Mark, Others, Wanted};
use super::kernel_files;
use super::obstacle::Obstacle;
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
        let mut place = || {
            refuse_unopenable(target, link, &path)?;
            let file = open_link(target, link)?;
            let stat = fstat(&file).map_err(|source| target.unreadable(link, source.into()))?;
            let located = regular::locate(root, &path, file.as_fd(), &stat, false)?;
            self.enter(target, link, located, &stat, pinned)
        };
        place().map_err(|halt| match halt {
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

    /// Refuses contents that other processes have too, so that both would see what one writes. `exposed` are those that
    /// the process maps so that it may write to all.
    ///
    /// # Errors
    /// [`FileError::SharedMemory`].
    pub fn refuse_shared(
        &self,
        target: &Target,
        exposed: &BTreeSet<u32>,
        others: &mut Others,
    ) -> Result<(), FileError> {
        let mut marks = Vec::new();
        let mut wanted = Wanted::default();
        for (&(device, inode), &index) in &self.by_inode {
            let Some(source) = self.contents.get(index as usize) else {
                continue;
            };
            let path = format!("/proc/self/fd/{}", source.reader.as_raw_fd());
            let link = std::fs::read_link(path).unwrap_or_default();
            let link = link.into_os_string().into_vec();
            wanted.add(&link, || false);
            let kind = &source.content.kind;
            if !regular::is_sealed(kind) {
                let of_file = matches!(kind, ContentKind::DeletedFile { .. });
                let only_writers = of_file && !exposed.contains(&index);
                marks.push((Mark::Inode(link, device, inode), kind, only_writers));
            }
        }
        others.renew(target, &wanted, None);
        for (mark, kind, only_writers) in marks {
            let mut holders = others.of(target, &mark, only_writers);
            if let Mark::Inode(_, device, inode) = mark {
                holders.extend(others.mapping(device, inode, only_writers));
            }
            if !holders.is_empty() {
                let what = noun(kind);
                return Err(FileError::SharedMemory { what, holders });
            }
        }
        Ok(())
    }

    /// The index of a file that another image knows.
    pub(crate) fn known(&mut self, file: FileIdentity) -> u32 {
        if let Some(&index) = self.by_path.get(&file.path) {
            if let Some(known) = self.files.get_mut(index as usize) {
                known.pinned |= file.pinned;
            }
            return index;
        }
        let index = next(&self.files);
        self.by_path.insert(file.path.clone(), index);
        self.files.push(file);
        index
    }

    fn file(&mut self, path: Vec<u8>, stat: &Stat, pinned: bool) -> u32 {
        self.known(FileIdentity {
            path,
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ns: modified_ns(stat),
            mode: stat.st_mode,
            pinned,
        })
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

/// A content, for messages.
fn noun(kind: &ContentKind) -> String {
    match kind {
        ContentKind::Memfd { name, .. } => format!("the memfd {}", name.escape_ascii()),
        ContentKind::SharedAnonymous => "memory (MAP_SHARED | MAP_ANONYMOUS)".to_owned(),
        ContentKind::DeletedFile { path, .. } => {
            format!("the deleted file {}", path.escape_ascii())
        }
    }
}

/// The index that the next entry gets. Tables are bounded by `fs.nr_open` and
/// `vm.max_map_count`, both below 2³².
pub(super) fn next<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).unwrap_or(u32::MAX)
}

/// Refuses what cannot be opened, or should not be: a device might do something then.
fn refuse_unopenable(target: &Target, link: &str, path: &[u8]) -> Result<(), Halt> {
    let unreadable = |source: rustix::io::Errno| target.unreadable(link, source.into());
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = open(target.path(link), flags, Mode::empty()).map_err(unreadable)?;
    let stat = fstat(&file).map_err(unreadable)?;
    let fs_type = fstatfs(&file).map_err(unreadable)?.f_type;
    let path = path.to_vec();
    if let Some(what) = kernel_files::refused(fs_type, &path, false) {
        return Err(Obstacle::KernelFile { what, path }.into());
    }
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile | FileType::Directory => Ok(()),
        FileType::BlockDevice => Err(Obstacle::BlockDevice { path }.into()),
        FileType::CharacterDevice => {
            let (major, minor) = (major(stat.st_rdev), minor(stat.st_rdev));
            Err(Obstacle::Device { path, major, minor }.into())
        }
        FileType::Socket => {
            let what = "special memory of a socket (a ring of packets)";
            Err(Obstacle::KernelFile { what, path }.into())
        }
        _ => Err(Obstacle::Unreachable { path }.into()),
    }
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
