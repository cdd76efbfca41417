//! The end records: where the central directory lies and how much it holds.

use super::fields::Fields;
use crate::refusal::ArchiveFault;

/// Length of an end record without a comment (4.3.16).
const PLAIN_LEN: usize = 22;
/// Length of the zip64 end-of-central-directory locator (4.3.15).
const LOCATOR_LEN: usize = 20;
/// Length of a zip64 end record without extensible data (4.3.14).
const ZIP64_LEN: usize = 56;

const PLAIN_SIGNATURE: u32 = 0x0605_4b50;
const LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const ZIP64_SIGNATURE: u32 = 0x0606_4b50;

/// What the end records say, checked against each other and against the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) entries: u64,
    pub(super) directory_offset: usize,
    directory_len: usize,
}

impl End {
    /// The bytes of the central directory.
    pub(super) fn directory<'a>(&self, zip: &'a [u8]) -> &'a [u8] {
        &zip[self.directory_offset..self.directory_offset + self.directory_len]
    }
}

/// Finds the one end record, and the zip64 one before it if there is one.
pub(super) fn find(zip: &[u8]) -> Result<End, ArchiveFault> {
    let at = locate(zip)?;
    let plain = Counts::plain(&zip[at..]).ok_or(ArchiveFault::NoEnd)?;
    let (counts, records_start) = match zip64(zip, at)? {
        Some((wide, start)) => (plain.widened_to(wide).ok_or(ArchiveFault::Zip64End)?, start),
        None => (plain, at),
    };
    if counts.disk != 0 || counts.directory_disk != 0 || counts.entries_here != counts.entries {
        return Err(ArchiveFault::MultiPart);
    }
    let offset = usize::try_from(counts.offset).map_err(|_| ArchiveFault::DirectoryPlace)?;
    let len = usize::try_from(counts.len).map_err(|_| ArchiveFault::DirectoryPlace)?;
    if offset.checked_add(len) != Some(records_start) {
        return Err(ArchiveFault::DirectoryPlace);
    }
    Ok(End {
        entries: counts.entries,
        directory_offset: offset,
        directory_len: len,
    })
}

/// The only place whose comment ends exactly at the end of the file. A comment (at most 65,535
/// bytes) may be there: `git archive` writes one.
fn locate(zip: &[u8]) -> Result<usize, ArchiveFault> {
    let last = zip
        .len()
        .checked_sub(PLAIN_LEN)
        .ok_or(ArchiveFault::NoEnd)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let mut fitting = (first..=last).rev().filter(|&at| {
        let comment_len = u16::from_le_bytes([zip[at + 20], zip[at + 21]]);
        zip[at..].starts_with(&PLAIN_SIGNATURE.to_le_bytes())
            && at + PLAIN_LEN + usize::from(comment_len) == zip.len()
    });
    let found = fitting.next().ok_or(ArchiveFault::NoEnd)?;
    if fitting.next().is_some() {
        return Err(ArchiveFault::AmbiguousEnd);
    }
    Ok(found)
}

/// The numbers that both kinds of end record hold.
#[derive(Debug, Clone, Copy)]
struct Counts {
    disk: u32,
    directory_disk: u32,
    entries_here: u64,
    entries: u64,
    len: u64,
    offset: u64,
}

impl Counts {
    fn plain(record: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(record);
        fields.u32()?;
        Some(Self {
            disk: fields.u16()?.into(),
            directory_disk: fields.u16()?.into(),
            entries_here: fields.u16()?.into(),
            entries: fields.u16()?.into(),
            len: fields.u32()?.into(),
            offset: fields.u32()?.into(),
        })
    }

    fn zip64(record: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(record);
        fields.take(16)?; // signature, size of the record, versions made by and needed
        Some(Self {
            disk: fields.u32()?,
            directory_disk: fields.u32()?,
            entries_here: fields.u64()?,
            entries: fields.u64()?,
            len: fields.u64()?,
            offset: fields.u64()?,
        })
    }

    /// Each plain number must be the wide one, or the mark that refers to it (4.4.1.4).
    fn widened_to(self, wide: Self) -> Option<Self> {
        let fits = |narrow: u64, mark: u64, wide: u64| narrow == wide || narrow == mark;
        let short = u64::from(u16::MAX);
        let long = u64::from(u32::MAX);
        let agree = fits(self.disk.into(), short, wide.disk.into())
            && fits(
                self.directory_disk.into(),
                short,
                wide.directory_disk.into(),
            )
            && fits(self.entries_here, short, wide.entries_here)
            && fits(self.entries, short, wide.entries)
            && fits(self.len, long, wide.len)
            && fits(self.offset, long, wide.offset);
        agree.then_some(wide)
    }
}

/// The zip64 end record and its place, if a locator stands right before the plain record. It must
/// fill the space up to its locator exactly.
fn zip64(zip: &[u8], plain_at: usize) -> Result<Option<(Counts, usize)>, ArchiveFault> {
    let Some(locator_at) = plain_at.checked_sub(LOCATOR_LEN) else {
        return Ok(None);
    };
    let mut locator = Fields::new(&zip[locator_at..plain_at]);
    if locator.u32() != Some(LOCATOR_SIGNATURE) {
        return Ok(None);
    }
    let (Some(0), Some(record_at), Some(0 | 1)) = (locator.u32(), locator.u64(), locator.u32())
    else {
        return Err(ArchiveFault::MultiPart);
    };
    let record_at = usize::try_from(record_at).map_err(|_| ArchiveFault::Zip64End)?;
    let record = zip
        .get(record_at..locator_at)
        .ok_or(ArchiveFault::Zip64End)?;
    let mut fields = Fields::new(record);
    let signed = fields.u32() == Some(ZIP64_SIGNATURE);
    // The size field counts what follows it: the record less 12 bytes.
    let exact = fields.u64() == Some((record.len() as u64).wrapping_sub(12));
    if !signed || !exact || record.len() < ZIP64_LEN {
        return Err(ArchiveFault::Zip64End);
    }
    let counts = Counts::zip64(record).ok_or(ArchiveFault::Zip64End)?;
    Ok(Some((counts, record_at)))
}
