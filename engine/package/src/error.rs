//! Errors that callers see.

use std::io;
use std::path::PathBuf;

use crate::refusal::{ArchiveFault, EntryFault, Refusal};

/// Why a package store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or opened, or is no directory (a symbolic link is refused).
    #[error("cannot open the package store {path}", path = path.display())]
    Root {
        /// The store's directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another process has this store open.
    #[error("the package store {path} is in use by another process", path = path.display())]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// Left-overs of an earlier process cannot be removed.
    #[error("cannot clear left-overs from the package store {path}", path = path.display())]
    Clear {
        /// The store's directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The worker's program cannot be opened.
    #[error("cannot open the unpacking program {path}", path = path.display())]
    Worker {
        /// The program.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Why a zip did not become a package.
///
/// The messages of the first five variants are Lambda's own where Lambda has one.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Not a readable zip.
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    NotAZip {
        /// What is wrong with it.
        #[source]
        fault: ArchiveFault,
    },
    /// A zip of no entries.
    #[error("Uploaded file must be a non-empty zip")]
    Empty,
    /// The zip itself is too large.
    #[error("Zipped size must be smaller than {limit_bytes} bytes")]
    ZippedTooLarge {
        /// The most allowed.
        limit_bytes: u64,
    },
    /// Its contents are too large, by announcement or by count.
    #[error("Unzipped size must be smaller than {limit_bytes} bytes")]
    UnzippedTooLarge {
        /// The most allowed.
        limit_bytes: u64,
    },
    /// Too many files, links and directories.
    #[error("The uploaded file must have fewer than {limit} files and directories")]
    TooManyEntries {
        /// The most allowed.
        limit: u32,
    },
    /// One entry is refused, and so is the zip.
    #[error("Could not unzip uploaded file: entry \"{entry}\" is refused: {fault}")]
    Hostile {
        /// The entry's name, escaped and possibly cut.
        entry: String,
        /// What is wrong with it.
        fault: EntryFault,
    },
    /// A system call failed, here or in the worker (disk full, for instance).
    #[error("cannot unpack the uploaded file: {step}")]
    Io {
        /// What was being done.
        step: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The worker did not do its work.
    #[error("cannot unpack the uploaded file: the unpacking process failed")]
    Worker {
        /// How it failed.
        source: WorkerFault,
    },
}

/// How the worker process failed, as opposed to the zip.
#[derive(Debug, thiserror::Error)]
pub enum WorkerFault {
    /// It was killed at its deadline.
    #[error("it was killed after {timeout_ms} ms")]
    TimedOut {
        /// The time that it had.
        timeout_ms: u64,
    },
    /// It ended without a verdict.
    #[error("it ended without a verdict ({status})")]
    Died {
        /// Exit code or signal.
        status: std::process::ExitStatus,
    },
    /// Its verdict cannot be read.
    #[error("its verdict is unreadable")]
    BadVerdict,
    /// It could not confine itself, or panicked.
    #[error("it failed: {step}")]
    Failed {
        /// What it was doing.
        step: String,
    },
    /// What it made is not what it may make: a wrong type, mode or count.
    #[error("it left something that it must not make: {what}")]
    Untrustworthy {
        /// What was found.
        what: &'static str,
    },
}

/// The four things that a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnpackErrorKind {
    /// Not a zip, damaged as a whole, or empty. The client's fault.
    NotAZip,
    /// Over a limit. The client's fault.
    TooLarge,
    /// A single entry is damaged or hostile. The client's fault.
    Hostile,
    /// Our own trouble; trying again may help.
    Io,
}

impl UnpackError {
    /// The class of this error.
    pub fn kind(&self) -> UnpackErrorKind {
        match self {
            Self::NotAZip { .. } | Self::Empty => UnpackErrorKind::NotAZip,
            Self::ZippedTooLarge { .. }
            | Self::UnzippedTooLarge { .. }
            | Self::TooManyEntries { .. } => UnpackErrorKind::TooLarge,
            Self::Hostile { .. } => UnpackErrorKind::Hostile,
            Self::Io { .. } | Self::Worker { .. } => UnpackErrorKind::Io,
        }
    }

    pub(crate) fn io(step: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            step: step.into(),
            source: source.into(),
        }
    }

    /// Translates the worker's word. Its text is not trusted to be printable.
    pub(crate) fn from_refusal(refusal: Refusal, limits: &crate::Limits) -> Self {
        match refusal {
            Refusal::Archive(fault) => Self::NotAZip { fault },
            Refusal::Empty => Self::Empty,
            Refusal::Entry { name, fault } => Self::Hostile {
                entry: printable(name),
                fault,
            },
            Refusal::UnzippedTooLarge => Self::UnzippedTooLarge {
                limit_bytes: limits.unzipped_bytes,
            },
            Refusal::TooManyEntries => Self::TooManyEntries {
                limit: limits.entries,
            },
            Refusal::Failed {
                step,
                errno: Some(errno),
            } => Self::io(printable(step), io::Error::from_raw_os_error(errno)),
            Refusal::Failed { step, errno: None } => Self::Worker {
                source: WorkerFault::Failed {
                    step: printable(step),
                },
            },
        }
    }
}

impl From<WorkerFault> for UnpackError {
    fn from(source: WorkerFault) -> Self {
        Self::Worker { source }
    }
}

/// An honest worker sends escaped text; anything else is replaced.
fn printable(text: String) -> String {
    if text.len() <= 2_048 && text.chars().all(|c| !c.is_control()) {
        text
    } else {
        "(unprintable)".to_owned()
    }
}
