//! Extra fields of an entry (4.5): the few that matter, and the few that hide something.

use super::fields::Fields;
use crate::refusal::EntryFault;

const ZIP64: u16 = 0x0001;
const PKWARE_UNIX: u16 = 0x000d;
const EXTENDED_TIMESTAMP: u16 = 0x5455;
const UNICODE_PATH: u16 = 0x7075;
const ASI_UNIX: u16 = 0x756e;
/// Length of the fixed part of a PKWARE Unix field: times, uid, gid. Link targets and device
/// numbers follow it (4.5.7).
const PKWARE_UNIX_FIXED: usize = 12;

/// What we read from a record's extra fields. Unknown ones (uids, xattrs, ACLs) are ignored: they
/// have no effect.
#[derive(Debug, Default)]
pub(super) struct Extra<'a> {
    pub(super) zip64: Option<&'a [u8]>,
    pub(super) mtime_s: Option<i64>,
    unicode_path: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, EntryFault> {
        let mut extra = Self::default();
        let mut fields = Fields::new(bytes);
        // Fewer than four bytes at the end are padding, as alignment tools leave them.
        while fields.remaining().len() >= 4 {
            let (Some(id), Some(len)) = (fields.u16(), fields.u16()) else {
                break;
            };
            let body = fields.take(len.into()).ok_or(EntryFault::ExtraFields)?;
            extra.note(id, body)?;
        }
        Ok(extra)
    }

    fn note(&mut self, id: u16, body: &'a [u8]) -> Result<(), EntryFault> {
        match id {
            ZIP64 => once(&mut self.zip64, body),
            UNICODE_PATH => once(&mut self.unicode_path, body),
            PKWARE_UNIX if body.len() > PKWARE_UNIX_FIXED => Err(EntryFault::Hardlink),
            ASI_UNIX if asi_link_len(body) != Some(0) => Err(EntryFault::Hardlink),
            EXTENDED_TIMESTAMP => {
                if let [flags, a, b, c, d, ..] = *body
                    && flags & 1 != 0
                {
                    self.mtime_s = Some(i32::from_le_bytes([a, b, c, d]).into());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A Unicode path field (4.6.9: version, CRC of the name, UTF-8 name) must repeat the name.
    pub(super) fn check_name(&self, name: &[u8]) -> Result<(), EntryFault> {
        match self.unicode_path {
            Some(field) if field.get(5..) != Some(name) => Err(EntryFault::SecondName),
            _ => Ok(()),
        }
    }
}

fn once<'a>(slot: &mut Option<&'a [u8]>, body: &'a [u8]) -> Result<(), EntryFault> {
    match slot.replace(body) {
        Some(_) => Err(EntryFault::ExtraFields),
        None => Ok(()),
    }
}

/// The link length of an ASi Unix field: CRC (4), mode (2), then this.
fn asi_link_len(body: &[u8]) -> Option<u32> {
    let mut fields = Fields::new(body);
    fields.take(6)?;
    fields.u32()
}

/// The zip64 field, from which marked sizes are taken in a fixed order (4.5.3).
pub(super) struct Zip64<'a>(Option<Fields<'a>>);

impl<'a> Zip64<'a> {
    pub(super) fn new(body: Option<&'a [u8]>) -> Self {
        Self(body.map(Fields::new))
    }

    /// `narrow`, or the next wide number if `narrow` is the mark.
    pub(super) fn size(&mut self, narrow: u32) -> Result<u64, EntryFault> {
        if narrow != u32::MAX {
            return Ok(narrow.into());
        }
        self.0
            .as_mut()
            .and_then(Fields::u64)
            .ok_or(EntryFault::Zip64)
    }

    /// The disk number, last in the field.
    pub(super) fn disk(&mut self) -> Result<u32, EntryFault> {
        self.0
            .as_mut()
            .and_then(Fields::u32)
            .ok_or(EntryFault::Zip64)
    }
}
