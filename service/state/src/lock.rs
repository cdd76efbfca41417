//! One daemon per state directory: an exclusive flock(2) on `STATE_DIR/lock`.
//!
//! The kernel drops the lock when the last descriptor of this open file closes, so a killed daemon
//! leaves none behind. The descriptor is close-on-exec; a child that is forked and never execs must
//! close it, or it keeps the directory locked.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// The lock, held as long as this lives.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

/// What came of asking for the lock.
pub(crate) enum Locked {
    Ours(DirLock),
    /// Another process holds it; its pid, if it wrote one.
    Theirs(Option<u32>),
}

impl DirLock {
    /// Asks for the lock in `dir` without waiting.
    pub(crate) fn take(dir: &Path) -> io::Result<Locked> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Locked::Theirs(read_pid(&file))),
            Err(errno) => return Err(errno.into()),
        }
        file.set_len(0)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Locked::Ours(DirLock { _file: file }))
    }
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
