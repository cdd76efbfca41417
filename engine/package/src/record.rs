//! `package.json`: what was counted when a package was unpacked, so that it need not be counted
//! again.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::tree::Tally;

const NAME: &str = "package.json";
/// The number makes a later change of meaning visible.
const FORMAT: u32 = 1;
/// A record is shorter.
const MOST_BYTES: u64 = 4_096;

#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    unzipped_bytes: u64,
    entries: u32,
}

/// Writes the record of the package that is being made as `draft`.
pub(crate) fn write(root: &OwnedFd, draft: &str, tally: Tally) -> io::Result<()> {
    let record = Record {
        format: FORMAT,
        unzipped_bytes: tally.bytes,
        entries: tally.entries,
    };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let path = format!("{draft}/{NAME}");
    let fd = rustix::fs::openat(root, path, flags, Mode::from_raw_mode(0o600))?;
    File::from(fd).write_all(&serde_json::to_vec(&record)?)
}

/// Reads the record of a finished package; `NotFound` if there is no such package.
pub(crate) fn read(root: &OwnedFd, digest: &Digest) -> io::Result<Tally> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let path = format!("{digest}/{NAME}");
    let file = File::from(rustix::fs::openat(root, path, flags, Mode::empty())?);
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text)?;
    let record: Record = serde_json::from_str(&text)?;
    if record.format != FORMAT {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "its record has an unknown format",
        ));
    }
    Ok(Tally {
        bytes: record.unzipped_bytes,
        entries: record.entries,
    })
}
