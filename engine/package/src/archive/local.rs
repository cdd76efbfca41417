//! Local headers and data descriptors: they may only repeat the central directory.

use super::central::Entry;
use super::extra::{Extra, Zip64};
use super::fields::Fields;
use crate::refusal::EntryFault;

const SIGNATURE: u32 = 0x0403_4b50;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
/// General purpose bits that must agree: encryption, descriptor, patch, strong, masked. The UTF-8
/// bit has no meaning here: names must be UTF-8 with and without it.
const COMPARED_FLAGS: u16 = 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 13;

/// The compressed data within `record`, which runs from the entry's local header to whatever comes
/// next in the file. Header, data and descriptor must fill it exactly.
pub(super) fn data<'a>(record: &'a [u8], entry: &Entry<'_>) -> Result<&'a [u8], EntryFault> {
    let mut fields = Fields::new(record);
    let header = Header::read(&mut fields).ok_or(EntryFault::LocalMissing)?;
    header.check(entry)?;
    let len = usize::try_from(entry.compressed_bytes).map_err(|_| EntryFault::Overlap)?;
    let data = fields.take(len).ok_or(EntryFault::Overlap)?;
    let rest = fields.remaining();
    if entry.has_descriptor() {
        check_descriptor(rest, entry)?;
    } else if !rest.is_empty() {
        return Err(EntryFault::Gap);
    }
    Ok(data)
}

/// A local file header (4.3.7).
struct Header<'a> {
    flags: u16,
    method: u16,
    crc32: u32,
    compressed: u32,
    uncompressed: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(fields: &mut Fields<'a>) -> Option<Self> {
        if fields.u32()? != SIGNATURE {
            return None;
        }
        fields.take(2)?; // version needed
        let (flags, method) = (fields.u16()?, fields.u16()?);
        fields.take(4)?; // time and date
        let (crc32, compressed, uncompressed) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_len, extra_len) = (fields.u16()?, fields.u16()?);
        let name = fields.take(name_len.into())?;
        let extra = fields.take(extra_len.into())?;
        Some(Self {
            flags,
            method,
            crc32,
            compressed,
            uncompressed,
            name,
            extra,
        })
    }

    fn check(&self, entry: &Entry<'_>) -> Result<(), EntryFault> {
        let differs = |field: &str| EntryFault::LocalDiffers {
            field: field.to_owned(),
        };
        if self.name != entry.name {
            return Err(differs("name"));
        }
        if self.method != entry.method {
            return Err(differs("method"));
        }
        if (self.flags ^ entry.flags) & COMPARED_FLAGS != 0 {
            return Err(differs("flags"));
        }
        let extra = Extra::read(self.extra)?;
        extra.check_name(self.name)?;
        let mut wide = Zip64::new(extra.zip64);
        // In a local header a zip64 field holds both sizes or none (4.5.3).
        let sizes = (wide.size(self.uncompressed)?, wide.size(self.compressed)?);
        // With a descriptor the header may leave the three numbers at zero.
        let deferred = entry.has_descriptor();
        let agrees = |local: u64, central: u64| local == central || deferred && local == 0;
        if !agrees(self.crc32.into(), entry.crc32.into()) {
            return Err(differs("checksum"));
        }
        if !agrees(sizes.0, entry.announced_bytes) || !agrees(sizes.1, entry.compressed_bytes) {
            return Err(differs("size"));
        }
        Ok(())
    }
}

/// A descriptor (4.3.9) has or lacks its signature, and 32- or 64-bit sizes; readers guess. Here
/// the place of the next record tells its length, and the numbers must be the known ones.
fn check_descriptor(bytes: &[u8], entry: &Entry<'_>) -> Result<(), EntryFault> {
    let mut fields = Fields::new(bytes);
    if matches!(bytes.len(), 16 | 24) && fields.u32() != Some(DESCRIPTOR_SIGNATURE) {
        return Err(EntryFault::Descriptor);
    }
    let crc32 = fields.u32();
    let (compressed, uncompressed) = match fields.remaining().len() {
        8 => (fields.u32().map(u64::from), fields.u32().map(u64::from)),
        16 => (fields.u64(), fields.u64()),
        _ => return Err(EntryFault::Descriptor),
    };
    let agrees = crc32 == Some(entry.crc32)
        && compressed == Some(entry.compressed_bytes)
        && uncompressed == Some(entry.announced_bytes);
    if agrees {
        Ok(())
    } else {
        Err(EntryFault::Descriptor)
    }
}
