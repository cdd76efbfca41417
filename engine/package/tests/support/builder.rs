//! A zip writer without opinions: every field can be made to lie.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// The fields of a local header or of a central record.
#[derive(Clone, Default)]
pub struct Header {
    pub signature: u32,
    pub host: u8,
    pub flags: u16,
    pub method: u16,
    pub time: u16,
    pub date: u16,
    pub crc: u32,
    pub compressed: u32,
    pub uncompressed: u32,
    pub name: Vec<u8>,
    pub extra: Vec<u8>,
    pub comment: Vec<u8>,
    pub disk: u16,
    pub external: u32,
    /// Of a central record only; `None` for the real one.
    pub offset: Option<u32>,
}

/// An entry: two headers, data, and what follows it.
#[derive(Clone)]
pub struct Item {
    pub local: Header,
    pub central: Header,
    pub data: Vec<u8>,
    /// A descriptor, or anything.
    pub after: Vec<u8>,
    pub in_directory: bool,
    pub in_body: bool,
}

/// A whole file.
#[derive(Clone, Default)]
pub struct Archive {
    pub prefix: Vec<u8>,
    pub items: Vec<Item>,
    /// Between the last entry and the central directory.
    pub before_directory: Vec<u8>,
    /// Between the central directory and the end record.
    pub after_directory: Vec<u8>,
    pub count: Option<u16>,
    pub count_here: Option<u16>,
    pub disk: u16,
    pub directory_disk: u16,
    pub directory_len: Option<u32>,
    pub directory_offset: Option<u32>,
    pub comment: Vec<u8>,
    pub comment_len: Option<u16>,
    pub trailing: Vec<u8>,
    /// Writes zip64 end records, after letting this change them.
    pub zip64: Option<fn(&mut Wide)>,
}

/// The zip64 end record and locator.
pub struct Wide {
    pub signature: u32,
    pub size: u64,
    pub disk: u32,
    pub directory_disk: u32,
    pub count_here: u64,
    pub count: u64,
    pub len: u64,
    pub offset: u64,
    pub locator_disk: u32,
    pub record_at: u64,
    pub disks: u32,
    pub padding: Vec<u8>,
}

impl Item {
    /// An honest stored file of mode 0644.
    pub fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        Self::typed(name, content, 0o100644)
    }

    pub fn directory(name: impl AsRef<[u8]>) -> Self {
        Self::typed(name, "", 0o040755)
    }

    pub fn link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::typed(name, target, 0o120777)
    }

    /// An honest entry of any Unix mode.
    pub fn typed(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>, mode: u32) -> Self {
        let content = content.as_ref();
        let header = Header {
            host: 3,
            date: 44 << 9 | 1 << 5 | 1,
            crc: crc32fast::hash(content),
            compressed: content.len() as u32,
            uncompressed: content.len() as u32,
            name: name.as_ref().to_vec(),
            external: mode << 16,
            ..Header::default()
        };
        Self {
            local: Header {
                signature: 0x0403_4b50,
                ..header.clone()
            },
            central: Header {
                signature: 0x0201_4b50,
                ..header
            },
            data: content.to_vec(),
            after: Vec::new(),
            in_directory: true,
            in_body: true,
        }
    }

    /// The same, deflated.
    pub fn deflated(self) -> Self {
        let data = deflate(&self.data);
        self.both(|h| (h.method, h.compressed) = (8, data.len() as u32))
            .with(|i| i.data = data.clone())
    }

    /// Changes both headers alike.
    pub fn both(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Moves sizes and checksum into a descriptor: signature or not, 32 or 64 bits.
    pub fn described(mut self, signed: bool, wide: bool) -> Self {
        let h = &self.central;
        let mut after = Vec::new();
        if signed {
            after.extend(0x0807_4b50u32.to_le_bytes());
        }
        after.extend(h.crc.to_le_bytes());
        for size in [h.compressed, h.uncompressed] {
            let bytes = u64::from(size).to_le_bytes();
            after.extend(&bytes[..if wide { 8 } else { 4 }]);
        }
        self.after = after;
        (
            self.local.crc,
            self.local.compressed,
            self.local.uncompressed,
        ) = (0, 0, 0);
        self.both(|h| h.flags |= 8)
    }
}

pub fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// One extra field.
pub fn extra(id: u16, body: &[u8]) -> Vec<u8> {
    [
        &id.to_le_bytes()[..],
        &(body.len() as u16).to_le_bytes(),
        body,
    ]
    .concat()
}

/// A zip64 extra field of 64-bit numbers.
pub fn zip64_extra(numbers: &[u64]) -> Vec<u8> {
    extra(
        1,
        &numbers
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect::<Vec<_>>(),
    )
}

impl Archive {
    pub fn of(items: impl IntoIterator<Item = Item>) -> Self {
        Self {
            items: items.into_iter().collect(),
            ..Self::default()
        }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.prefix.clone();
        let mut offsets = Vec::new();
        for item in &self.items {
            offsets.push(out.len() as u32);
            if item.in_body {
                write_local(&mut out, item);
            }
        }
        out.extend(&self.before_directory);
        let directory_at = out.len();
        for (item, offset) in self.items.iter().zip(offsets) {
            if item.in_directory {
                write_central(&mut out, &item.central, offset);
            }
        }
        let directory_len = out.len() - directory_at;
        out.extend(&self.after_directory);
        let count = self.items.iter().filter(|i| i.in_directory).count();
        self.write_end(&mut out, count, directory_at, directory_len);
        out
    }

    /// Writes the end records for a directory of `count` records at `directory_at`.
    pub fn write_end(
        &self,
        out: &mut Vec<u8>,
        count: usize,
        directory_at: usize,
        directory_len: usize,
    ) {
        if let Some(change) = self.zip64 {
            write_zip64(out, change, count, directory_at, directory_len);
        }
        let count = count as u16;
        out.extend(0x0605_4b50u32.to_le_bytes());
        for short in [
            self.disk,
            self.directory_disk,
            self.count_here.or(self.count).unwrap_or(count),
            self.count.unwrap_or(count),
        ] {
            out.extend(short.to_le_bytes());
        }
        out.extend(
            self.directory_len
                .unwrap_or(directory_len as u32)
                .to_le_bytes(),
        );
        out.extend(
            self.directory_offset
                .unwrap_or(directory_at as u32)
                .to_le_bytes(),
        );
        out.extend(
            self.comment_len
                .unwrap_or(self.comment.len() as u16)
                .to_le_bytes(),
        );
        out.extend(&self.comment);
        out.extend(&self.trailing);
    }
}

pub fn write_local(out: &mut Vec<u8>, item: &Item) {
    let h = &item.local;
    out.extend(h.signature.to_le_bytes());
    out.extend(20u16.to_le_bytes());
    write_common(out, h);
    out.extend((h.name.len() as u16).to_le_bytes());
    out.extend((h.extra.len() as u16).to_le_bytes());
    out.extend(&h.name);
    out.extend(&h.extra);
    out.extend(&item.data);
    out.extend(&item.after);
}

pub fn write_central(out: &mut Vec<u8>, h: &Header, offset: u32) {
    out.extend(h.signature.to_le_bytes());
    out.extend([20, h.host, 20, 0]);
    write_common(out, h);
    for short in [
        h.name.len(),
        h.extra.len(),
        h.comment.len(),
        h.disk.into(),
        0,
    ] {
        out.extend((short as u16).to_le_bytes());
    }
    out.extend(h.external.to_le_bytes());
    out.extend(h.offset.unwrap_or(offset).to_le_bytes());
    out.extend(&h.name);
    out.extend(&h.extra);
    out.extend(&h.comment);
}

fn write_common(out: &mut Vec<u8>, h: &Header) {
    for short in [h.flags, h.method, h.time, h.date] {
        out.extend(short.to_le_bytes());
    }
    for long in [h.crc, h.compressed, h.uncompressed] {
        out.extend(long.to_le_bytes());
    }
}

fn write_zip64(out: &mut Vec<u8>, change: fn(&mut Wide), count: usize, at: usize, len: usize) {
    let mut wide = Wide {
        signature: 0x0606_4b50,
        size: 44,
        disk: 0,
        directory_disk: 0,
        count_here: count as u64,
        count: count as u64,
        len: len as u64,
        offset: at as u64,
        locator_disk: 0,
        record_at: out.len() as u64,
        disks: 1,
        padding: Vec::new(),
    };
    change(&mut wide);
    out.extend(wide.signature.to_le_bytes());
    out.extend(wide.size.to_le_bytes());
    out.extend([45, 3, 45, 0]);
    out.extend(wide.disk.to_le_bytes());
    out.extend(wide.directory_disk.to_le_bytes());
    for long in [wide.count_here, wide.count, wide.len, wide.offset] {
        out.extend(long.to_le_bytes());
    }
    out.extend(&wide.padding);
    out.extend(0x0706_4b50u32.to_le_bytes());
    out.extend(wide.locator_disk.to_le_bytes());
    out.extend(wide.record_at.to_le_bytes());
    out.extend(wide.disks.to_le_bytes());
}
