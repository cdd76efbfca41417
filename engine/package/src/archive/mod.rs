//! A strict reader of zip files in memory.
//!
//! Zip has several descriptions of the same thing (local headers, data descriptors, the central
//! directory, two kinds of end record), and readers that trust different ones see different
//! archives. Here all of them must agree, and every byte of the file belongs to exactly one
//! record: local header, name, data and descriptor of each entry, one after another from offset 0,
//! then the central directory, then the end records. So nothing overlaps, nothing hides in gaps,
//! and nothing precedes or follows. The rules that PyPI enforces on wheels since 2025 ("Preventing
//! ZIP parser confusion attacks on Python package installers", PyPI blog) are the precedent; the
//! section numbers below are those of PKWARE's APPNOTE.TXT 6.3.10.
//!
//! Nothing here inflates, allocates in proportion to a number in a header, or touches a file.

mod central;
mod end;
mod extra;
mod fields;
mod local;

pub(crate) use central::Entry;

use crate::refusal::{ArchiveFault, EntryFault, Refusal};

/// Reads the records of all entries of `zip`, in the order of the central directory, and ties
/// each to its data. At most `max_entries` records are read.
pub(crate) fn read(zip: &[u8], max_entries: u32) -> Result<Vec<Entry<'_>>, Refusal> {
    let end = end::find(zip)?;
    if end.entries > u64::from(max_entries) {
        return Err(Refusal::TooManyEntries);
    }
    if end.entries == 0 {
        let nothing_else = end.directory_offset == 0 && end.directory(zip).is_empty();
        let stray = ArchiveFault::DirectoryRecord { index: 0 };
        return Err(if nothing_else {
            Refusal::Empty
        } else {
            stray.into()
        });
    }
    let mut entries = central::read(end.directory(zip), end.entries)?;
    attach_data(zip, end.directory_offset, &mut entries)?;
    Ok(entries)
}

/// Walks the entries by place and demands that each ends where the next begins.
fn attach_data<'a>(
    zip: &'a [u8],
    directory_offset: usize,
    entries: &mut [Entry<'a>],
) -> Result<(), Refusal> {
    let mut by_place: Vec<usize> = (0..entries.len()).collect();
    by_place.sort_by_key(|&index| entries[index].local_offset);
    if let Some(&first) = by_place.first()
        && entries[first].local_offset != 0
    {
        return Err(ArchiveFault::Prefixed {
            bytes: entries[first].local_offset,
        }
        .into());
    }
    for (rank, &index) in by_place.iter().enumerate() {
        let entry = &entries[index];
        let start = usize::try_from(entry.local_offset).unwrap_or(usize::MAX);
        let next = match by_place.get(rank + 1) {
            Some(&next) => usize::try_from(entries[next].local_offset).unwrap_or(usize::MAX),
            None => directory_offset,
        };
        if start >= directory_offset || next > directory_offset {
            return Err(entry.refuse(EntryFault::LocalMissing));
        }
        let Some(record) = zip.get(start..next).filter(|record| !record.is_empty()) else {
            return Err(entry.refuse(EntryFault::Overlap));
        };
        let data = local::data(record, entry).map_err(|fault| entry.refuse(fault))?;
        entries[index].data = data;
    }
    Ok(())
}
