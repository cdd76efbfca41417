//! Where the bytes of pages come from: the memory of the process, its memory files, and the files that it maps.
//!
//! A page of a private file mapping that was never written is the file's, now and later: it is read from the file when
//! the process runs again.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use offshoot_image::model::{FileIdentity, PAGE_BYTES};
use offshoot_trace::{Memory, Range};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::CheckpointError;
use crate::files::ContentSource;

/// Where pages are read.
#[derive(Debug)]
pub(crate) struct Sources {
    pid: u32,
    pub memory: Memory,
    contents: Vec<ContentSource>,
    files: Vec<FileIdentity>,
    /// The process's root directory, in which the files are.
    root: OwnedFd,
    opened: BTreeMap<u32, File>,
}

impl Sources {
    /// The process must be frozen; it may go on, or end, afterwards.
    pub(crate) fn open(
        pid: u32,
        memory: Memory,
        contents: Vec<ContentSource>,
        files: Vec<FileIdentity>,
    ) -> Result<Self, CheckpointError> {
        let path = format!("/proc/{pid}/root");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root =
            openat(CWD, &path, flags, Mode::empty()).map_err(|errno| CheckpointError::Proc {
                path,
                source: errno.into(),
            })?;
        Ok(Self {
            pid,
            memory,
            contents,
            files,
            root,
            opened: BTreeMap::new(),
        })
    }

    /// Reads ranges of the process's memory one behind the other. It must be frozen.
    pub(crate) fn read_memory(
        &self,
        ranges: &[Range],
        into: &mut [u8],
    ) -> Result<(), CheckpointError> {
        self.memory.read(ranges, into).map_err(|source| {
            let start = ranges.first().map_or(0, |range| range.start);
            self.unreadable(&format!("pages from {start:#x} on"), source)
        })
    }

    /// Reads pages of a content from a page of it on. The process must be frozen.
    pub(crate) fn read_content(
        &self,
        content: usize,
        page: u64,
        into: &mut [u8],
    ) -> Result<(), CheckpointError> {
        let Some(source) = self.contents.get(content) else {
            into.fill(0);
            return Ok(());
        };
        read_and_fill(source.reader.as_fd(), page * PAGE_BYTES, into)
            .map_err(|errno| self.unreadable("a memory file", errno.into()))
    }

    /// Reads pages of a file from an offset on.
    pub(crate) fn read_file(
        &mut self,
        file: u32,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), CheckpointError> {
        if !self.opened.contains_key(&file) {
            let opened = self.open_file(file)?;
            self.opened.insert(file, opened);
        }
        match self.opened.get(&file) {
            Some(opened) => read_and_fill(opened.as_fd(), offset, into)
                .map_err(|errno| self.unreadable("a mapped file", errno.into())),
            None => Ok(()),
        }
    }

    /// Opens a file of the process, and makes sure that it is as it was when the process was frozen.
    fn open_file(&self, index: u32) -> Result<File, CheckpointError> {
        let Some(file) = self.files.get(index as usize) else {
            return Err(self.unreadable("a mapped file", Errno::NOENT.into()));
        };
        let path = file.path.strip_prefix(b"/").unwrap_or(&file.path);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = openat2(
            &self.root,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )
        .map_err(std::io::Error::from)
        .map(File::from)
        .and_then(|opened| Ok((opened.metadata()?, opened)));
        let shown = || String::from_utf8_lossy(&file.path).into_owned();
        let (now, opened) = opened.map_err(|source| self.unreadable(&shown(), source))?;
        let modified_ns = now
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(now.mtime_nsec());
        if now.len() != file.bytes || modified_ns != file.modified_ns || now.mode() != file.mode {
            return Err(CheckpointError::FileChanged { path: shown() });
        }
        Ok(opened)
    }

    fn unreadable(&self, what: &str, source: std::io::Error) -> CheckpointError {
        CheckpointError::Memory {
            what: format!("{what} of process {}", self.pid),
            source,
        }
    }
}

/// Reads as much as there is. What lies behind the end of a file is zeros to those who map it.
fn read_and_fill(file: BorrowedFd<'_>, offset: u64, into: &mut [u8]) -> Result<(), Errno> {
    let mut filled = 0;
    while filled < into.len() {
        match rustix::io::pread(file, &mut into[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    into[filled..].fill(0);
    Ok(())
}
