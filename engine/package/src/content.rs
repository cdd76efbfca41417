//! Inflating one entry at a time, through a fixed buffer, while counting what really comes out.

use crc32fast::Hasher;
use flate2::{Decompress, FlushDecompress, Status};

use crate::archive::Entry;
use crate::refusal::{EntryFault, Refusal};

/// Inflated bytes held at a time.
const BUFFER_BYTES: usize = 256 * 1_024;

/// Takes entries apart. One is used for all entries of an archive and keeps the running total.
pub(crate) struct Inflater {
    decompress: Decompress,
    buffer: Vec<u8>,
    /// Bytes that may still come out, over all entries.
    budget: u64,
}

impl Inflater {
    /// `budget_bytes` is for all entries together.
    pub(crate) fn new(budget_bytes: u64) -> Self {
        Self {
            decompress: Decompress::new(false),
            buffer: vec![0; BUFFER_BYTES],
            budget: budget_bytes,
        }
    }

    /// Passes the content of `entry` to `sink` in pieces, and checks its size and checksum. Never
    /// passes on more than the headers announce, whatever the stream holds.
    pub(crate) fn read(
        &mut self,
        entry: &Entry<'_>,
        sink: impl FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut output = Output {
            entry,
            sink,
            hasher: Hasher::new(),
            count: 0,
            budget: &mut self.budget,
        };
        if entry.deflated {
            inflate(&mut self.decompress, &mut self.buffer, &mut output)?;
        } else {
            output.push(entry.data)?;
        }
        output.finish()
    }
}

/// Where content goes, and what is checked on the way.
struct Output<'a, S> {
    entry: &'a Entry<'a>,
    sink: S,
    hasher: Hasher,
    count: u64,
    budget: &'a mut u64,
}

impl<S: FnMut(&[u8]) -> Result<(), Refusal>> Output<'_, S> {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let len = bytes.len() as u64;
        self.count += len;
        if self.count > self.entry.announced_bytes {
            return Err(self.entry.refuse(EntryFault::Size));
        }
        *self.budget = self
            .budget
            .checked_sub(len)
            .ok_or(Refusal::UnzippedTooLarge)?;
        self.hasher.update(bytes);
        (self.sink)(bytes)
    }

    fn finish(self) -> Result<(), Refusal> {
        if self.count != self.entry.announced_bytes {
            return Err(self.entry.refuse(EntryFault::Size));
        }
        if self.hasher.finalize() != self.entry.crc32 {
            return Err(self.entry.refuse(EntryFault::Checksum));
        }
        Ok(())
    }
}

/// Runs one raw deflate stream (RFC 1951), which must end exactly where the entry's data ends.
fn inflate<S: FnMut(&[u8]) -> Result<(), Refusal>>(
    decompress: &mut Decompress,
    buffer: &mut [u8],
    output: &mut Output<'_, S>,
) -> Result<(), Refusal> {
    let entry = output.entry;
    let corrupt = || entry.refuse(EntryFault::Corrupt);
    decompress.reset(false);
    let mut input = entry.data;
    loop {
        let before = (decompress.total_in(), decompress.total_out());
        let status = decompress
            .decompress(input, buffer, FlushDecompress::None)
            .map_err(|_| corrupt())?;
        let consumed = (decompress.total_in() - before.0) as usize;
        let produced = (decompress.total_out() - before.1) as usize;
        input = input.get(consumed..).ok_or_else(corrupt)?;
        output.push(&buffer[..produced])?;
        match status {
            Status::StreamEnd if input.is_empty() => return Ok(()),
            Status::StreamEnd => return Err(corrupt()),
            Status::Ok | Status::BufError if consumed == 0 && produced == 0 => {
                return Err(corrupt());
            }
            Status::Ok | Status::BufError => {}
        }
    }
}
