//! The process whose descriptors are read.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use offshoot_sys::kcmp;
use rustix::fs::{FileType, stat};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::error::FileError;
use super::info::Info;
use super::root::Root;

/// A process that does not run while its files are read: all of its threads are stopped.
#[derive(Debug)]
pub struct Target {
    pid: Pid,
    pidfd: OwnedFd,
    root: OnceCell<Root>,
}

/// A descriptor, and what `/proc` says of it.
#[derive(Debug)]
pub(super) struct Listed {
    pub number: u32,
    /// Where its magic link leads, as the kernel prints it.
    pub link: Vec<u8>,
    pub info: Info,
}

impl Target {
    /// A process by its id, as our PID namespace counts, and its pidfd.
    pub fn new(pid: Pid, pidfd: OwnedFd) -> Self {
        Self {
            pid,
            pidfd,
            root: OnceCell::new(),
        }
    }

    /// A process by its id.
    ///
    /// # Errors
    /// [`FileError::Process`] if there is none.
    pub fn open(pid: Pid) -> Result<Self, FileError> {
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|source| FileError::Process {
            pid: pid.as_raw_pid(),
            source,
        })?;
        Ok(Self::new(pid, pidfd))
    }

    /// Its id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Its pidfd.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Its id as a number.
    pub(super) fn id(&self) -> i32 {
        self.pid.as_raw_pid()
    }

    /// Its root directory and mounts, read once.
    pub(super) fn root(&self) -> Result<&Root, FileError> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let root = Root::open(self)?;
        Ok(self.root.get_or_init(|| root))
    }

    /// The path of a file below its `/proc/pid`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.id()))
    }

    /// The content of a file below its `/proc/pid`.
    pub(super) fn proc_text(&self, name: &str) -> Result<String, FileError> {
        // Names in these files are the tenant's bytes; the parts that are parsed are ASCII.
        fs::read(self.path(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|source| self.unreadable(name, source))
    }

    /// Where a magic link below its `/proc/pid` leads, as the kernel prints it.
    pub(super) fn link(&self, name: &str) -> Result<Vec<u8>, FileError> {
        fs::read_link(self.path(name))
            .map(|path| OsString::from(path).into_vec())
            .map_err(|source| self.unreadable(name, source))
    }

    pub(super) fn unreadable(&self, name: &str, source: std::io::Error) -> FileError {
        FileError::Proc {
            pid: self.id(),
            name: name.to_owned(),
            source,
        }
    }

    pub(super) fn malformed(&self, name: &str, line: &str) -> FileError {
        FileError::Malformed {
            pid: self.id(),
            name: name.to_owned(),
            line: line.to_owned(),
        }
    }

    /// Duplicates one of its descriptors into this process.
    pub(super) fn duplicate(&self, number: u32) -> Result<OwnedFd, FileError> {
        let raw = i32::try_from(number).unwrap_or(-1);
        pidfd_getfd(&self.pidfd, raw, PidfdGetfdFlags::empty()).map_err(|source| FileError::Query {
            descriptor: number,
            what: "a duplicate",
            source: source.into(),
        })
    }

    /// Its descriptors, ascending.
    pub(super) fn descriptors(&self) -> Result<Vec<Listed>, FileError> {
        let mut numbers = self.numbers("fd")?;
        numbers.sort_unstable();
        numbers
            .into_iter()
            .map(|number| {
                let name = format!("fdinfo/{number}");
                let text = self.proc_text(&name)?;
                Ok(Listed {
                    number,
                    link: self.link(&format!("fd/{number}"))?,
                    info: Info::parse(&text).map_err(|line| self.malformed(&name, line))?,
                })
            })
            .collect()
    }

    /// Where its descriptors lead, in no order. It may be running: those that are closed meanwhile are left out.
    pub(super) fn links(&self) -> Result<Vec<(u32, Vec<u8>)>, FileError> {
        let numbers = self.numbers("fd")?.into_iter();
        Ok(numbers
            .filter_map(|number| Some((number, self.link(&format!("fd/{number}")).ok()?)))
            .collect())
    }

    /// Whether a descriptor leads to a pipe or FIFO.
    pub(super) fn is_fifo(&self, number: u32) -> bool {
        let stat = stat(self.path(&format!("fd/{number}")));
        stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
    }

    /// Refuses a process whose threads do not all use one descriptor table.
    pub(super) fn require_one_table(&self) -> Result<(), FileError> {
        for thread in self.numbers("task")? {
            let thread = i32::try_from(thread).unwrap_or(-1);
            let shared =
                kcmp::share_descriptors(self.id(), thread).map_err(|source| FileError::Kernel {
                    what: "compare the descriptor tables of two threads",
                    source,
                })?;
            if !shared {
                return Err(FileError::OwnTable {
                    pid: self.id(),
                    thread,
                });
            }
        }
        Ok(())
    }

    /// The entries of a directory below its `/proc/pid` whose names are numbers.
    fn numbers(&self, name: &str) -> Result<Vec<u32>, FileError> {
        let unreadable = |source| self.unreadable(name, source);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(self.path(name)).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?.file_name();
            let text = entry.to_string_lossy();
            numbers.push(text.parse().map_err(|_| self.malformed(name, &text))?);
        }
        Ok(numbers)
    }
}
