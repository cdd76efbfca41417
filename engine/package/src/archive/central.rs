//! The central directory: one record per entry.

use super::extra::{Extra, Zip64};
use super::fields::Fields;
use crate::refusal::{ArchiveFault, EntryFault, Refusal};

const SIGNATURE: u32 = 0x0201_4b50;
/// Bits 0 (encrypted), 5 (patch data), 6 (strong encryption) and 13 (masked headers) of 4.4.4.
const UNREADABLE_FLAGS: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;
/// Bit 3: sizes follow the data in a descriptor.
const DESCRIPTOR_FLAG: u16 = 1 << 3;

/// One entry, as the central directory describes it, with its compressed data.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    /// The name as stored, not yet validated.
    pub(crate) name: &'a [u8],
    /// True if deflated, false if stored.
    pub(crate) deflated: bool,
    pub(crate) crc32: u32,
    /// Announced inflated size; a claim until counted.
    pub(crate) announced_bytes: u64,
    /// The Unix mode, 0 if there is none. Honoured whatever system the record says it was made on,
    /// as Info-ZIP does, so that no writer's habit hides a file type.
    pub(crate) unix_mode: u32,
    /// Modification time, seconds since the epoch.
    pub(crate) mtime_s: i64,
    /// The compressed bytes.
    pub(crate) data: &'a [u8],
    pub(super) compressed_bytes: u64,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) local_offset: u64,
}

impl Entry<'_> {
    /// This entry is at fault.
    pub(crate) fn refuse(&self, fault: EntryFault) -> Refusal {
        Refusal::entry(self.name, fault)
    }

    pub(super) fn has_descriptor(&self) -> bool {
        self.flags & DESCRIPTOR_FLAG != 0
    }
}

/// Reads exactly `count` records, which must fill `directory`.
pub(super) fn read(directory: &[u8], count: u64) -> Result<Vec<Entry<'_>>, Refusal> {
    let mut fields = Fields::new(directory);
    let mut entries = Vec::new();
    for index in 0..count {
        let raw = Raw::read(&mut fields).ok_or(ArchiveFault::DirectoryRecord { index })?;
        entries.push(
            raw.check()
                .map_err(|fault| Refusal::entry(raw.name, fault))?,
        );
    }
    if !fields.remaining().is_empty() {
        return Err(ArchiveFault::DirectoryRecord { index: count }.into());
    }
    Ok(entries)
}

/// A record before any judgement (4.3.12).
struct Raw<'a> {
    flags: u16,
    method: u16,
    dos_time: u16,
    dos_date: u16,
    crc32: u32,
    compressed: u32,
    uncompressed: u32,
    disk: u16,
    external: u32,
    offset: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> Raw<'a> {
    fn read(fields: &mut Fields<'a>) -> Option<Self> {
        if fields.u32()? != SIGNATURE {
            return None;
        }
        fields.take(4)?; // versions made by and needed
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let (dos_time, dos_date) = (fields.u16()?, fields.u16()?);
        let (crc32, compressed, uncompressed) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_len, extra_len, comment_len) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let disk = fields.u16()?;
        fields.take(2)?; // internal attributes
        let (external, offset) = (fields.u32()?, fields.u32()?);
        let name = fields.take(name_len.into())?;
        let extra = fields.take(extra_len.into())?;
        fields.take(comment_len.into())?;
        Some(Self {
            flags,
            method,
            dos_time,
            dos_date,
            crc32,
            compressed,
            uncompressed,
            disk,
            external,
            offset,
            name,
            extra,
        })
    }

    fn check(&self) -> Result<Entry<'a>, EntryFault> {
        if self.flags & UNREADABLE_FLAGS != 0 {
            return Err(EntryFault::Encrypted);
        }
        if !matches!(self.method, 0 | 8) {
            return Err(EntryFault::Method {
                method: self.method,
            });
        }
        let extra = Extra::read(self.extra)?;
        extra.check_name(self.name)?;
        let mut wide = Zip64::new(extra.zip64);
        let announced_bytes = wide.size(self.uncompressed)?;
        let compressed_bytes = wide.size(self.compressed)?;
        let local_offset = wide.size(self.offset)?;
        if self.disk != 0 && !(self.disk == u16::MAX && wide.disk()? == 0) {
            return Err(EntryFault::Zip64);
        }
        Ok(Entry {
            name: self.name,
            deflated: self.method == 8,
            crc32: self.crc32,
            announced_bytes,
            unix_mode: self.external >> 16,
            mtime_s: extra
                .mtime_s
                .unwrap_or_else(|| dos_seconds(self.dos_date, self.dos_time)),
            data: &[],
            compressed_bytes,
            flags: self.flags,
            method: self.method,
            local_offset,
        })
    }
}

/// Seconds since the epoch of an MS-DOS date and time (4.4.6), which has no zone and is taken as
/// UTC. Nonsense fields give a nonsense but harmless time.
fn dos_seconds(date: u16, time: u16) -> i64 {
    let (year, month, day) = (
        1980 + i64::from(date >> 9),
        i64::from(date >> 5 & 15),
        date & 31,
    );
    // Days from the civil calendar (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let shifted_year = year - i64::from(month <= 2);
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds =
        i64::from(time >> 11) * 3_600 + i64::from(time >> 5 & 63) * 60 + i64::from(time & 31) * 2;
    days * 86_400 + seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_times_are_seconds_since_the_epoch() {
        let dos = |y: u16, m: u16, d: u16| (y - 1980) << 9 | m << 5 | d;
        assert_eq!(dos_seconds(dos(1980, 1, 1), 0), 315_532_800);
        assert_eq!(
            dos_seconds(dos(2024, 2, 29), 12 << 11 | 30 << 5 | 29),
            1_709_209_858
        );
        assert_eq!(
            dos_seconds(dos(2107, 12, 31), 23 << 11 | 59 << 5 | 29),
            4_354_819_198
        );
    }

    #[test]
    fn nonsense_times_do_not_overflow() {
        for date in [0, u16::MAX, 1 << 5, 31] {
            for time in [0, u16::MAX] {
                assert!(dos_seconds(date, time).abs() < 1 << 40);
            }
        }
    }
}
