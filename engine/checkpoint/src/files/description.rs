//! One open file description of the process, duplicated into this one, and questions to it.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, Stat, fstat};
use rustix::io::Errno;

use super::error::{FileError, Halt};
use super::info::Info;
use super::obstacle::Obstacle;
use super::target::{Listed, Target};

/// An open file description of the process, duplicated into this one.
pub(super) struct Description {
    /// The descriptors that lead to it, ascending, with their `FD_CLOEXEC`.
    pub descriptors: Vec<(u32, bool)>,
    /// Where its magic link leads, as the kernel prints it.
    pub link: Vec<u8>,
    pub info: Info,
    pub file: OwnedFd,
    pub stat: Stat,
    /// Whether whoever makes a clone gives a file for it.
    pub external: bool,
}

impl Description {
    pub fn duplicate(
        target: &Target,
        group: Vec<Listed>,
        external: &BTreeSet<u32>,
    ) -> Result<Self, FileError> {
        let external = is_external(&group, external);
        let descriptors: Vec<_> = group
            .iter()
            .map(|one| (one.number, one.info.close_on_exec))
            .collect();
        let number = descriptors.first().map_or(0, |&(number, _)| number);
        let file = target.duplicate(number)?;
        let stat = fstat(&file).map_err(|source| query(number, "the inode", source))?;
        let (link, info) = group
            .into_iter()
            .next()
            .map(|one| (one.link, one.info))
            .ok_or_else(|| target.malformed("fd", "an empty group"))?;
        Ok(Self {
            descriptors,
            link,
            info,
            file,
            stat,
            external,
        })
    }

    /// Device and inode of its file.
    pub fn inode(&self) -> (u64, u64) {
        (self.stat.st_dev, self.stat.st_ino)
    }

    /// Its lowest descriptor.
    pub fn first(&self) -> u32 {
        self.descriptors.first().map_or(0, |&(number, _)| number)
    }

    /// Its link, for messages.
    pub fn path(&self) -> Vec<u8> {
        self.link.clone()
    }

    /// Says which descriptor a failed question was about.
    pub fn asked<T>(&self, what: &'static str, answer: Result<T, Errno>) -> Result<T, FileError> {
        answer.map_err(|source| query(self.first(), what, source))
    }

    /// A line of its fdinfo, as a number.
    pub fn number(&self, target: &Target, key: &str, radix: u32) -> Result<u64, FileError> {
        self.info
            .number(key, radix)
            .ok_or_else(|| self.malformed(target, key))
    }

    /// The error for a line of its fdinfo.
    pub fn malformed(&self, target: &Target, line: &str) -> FileError {
        target.malformed(&format!("fdinfo/{}", self.first()), line)
    }

    /// Refuses a description that sends signals when it becomes ready.
    pub fn refuse_signals(&self) -> Result<(), Halt> {
        /// `O_ASYNC` on x86-64.
        const ASYNC: u32 = 0o20_000;
        let how = if self.info.flags & ASYNC != 0 {
            "O_ASYNC"
        } else if self.info.has(OFlags::PATH) {
            return Ok(());
        } else if self.raw("the owner", offshoot_sys::owner::owner)?.is_some() {
            "F_SETOWN"
        } else if self
            .raw("the signal", offshoot_sys::owner::signal)?
            .is_some()
        {
            "F_SETSIG"
        } else {
            return Ok(());
        };
        let path = self.path();
        Err(Obstacle::Signalling { how, path }.into())
    }

    fn raw<T>(
        &self,
        what: &'static str,
        ask: fn(BorrowedFd<'_>) -> std::io::Result<T>,
    ) -> Result<T, FileError> {
        ask(self.file.as_fd()).map_err(|source| FileError::Query {
            descriptor: self.first(),
            what,
            source,
        })
    }
}

fn query(descriptor: u32, what: &'static str, source: Errno) -> FileError {
    FileError::Query {
        descriptor,
        what,
        source: source.into(),
    }
}

/// Whether one of the duplicates is to be substituted.
pub(super) fn is_external(group: &[Listed], external: &BTreeSet<u32>) -> bool {
    group.iter().any(|one| external.contains(&one.number))
}
