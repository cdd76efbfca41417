//! Images whose bytes can be changed, and what is where in them.

use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use offshoot_clone::{Compilation, Memory, ReadError, Seed, this_machine};
use offshoot_image::model::{Machine, Manifest, PAGE_BYTES, Run};
use offshoot_image::{ChunkRange, HEADER_BYTES, Header, Key, chunks, seal};
use offshoot_pool::{ImageName, Mount, Pool, PoolConfig};

use crate::bits::Wrong;

pub const KEY: [u8; 32] = [7; 32];

pub fn image_name(name: &str) -> ImageName {
    ImageName::new(name).unwrap()
}

/// A pool in a directory of its own.
pub struct TestPool {
    pub pool: Pool,
    dir: tempfile::TempDir,
}

impl TestPool {
    pub fn new() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let config = PoolConfig {
            dir: dir.path().join("pool"),
            mount: Mount::Existing,
        };
        Self {
            pool: Pool::open(&config, Key(KEY)).unwrap(),
            dir,
        }
    }

    /// A copy of an image, outside the pool.
    pub fn copy(&self, name: &str) -> (Copy, Layout) {
        let image = self.pool.open_image(&image_name(name)).unwrap();
        let layout = Layout::of(image.header(), &image.read_manifest().unwrap());
        let copy = Copy::of(&File::from(OwnedFd::from(image)), &self.dir);
        (copy, layout)
    }
}

/// An image file that nobody protects.
pub struct Copy(File);

impl Copy {
    fn of(original: &File, dir: &tempfile::TempDir) -> Self {
        let copy = tempfile::tempfile_in(dir.path()).unwrap();
        let length = original.metadata().unwrap().len();
        let mut bytes = vec![0; length as usize];
        original.read_exact_at(&mut bytes, 0).unwrap();
        copy.write_all_at(&bytes, 0).unwrap();
        Self(copy)
    }

    pub fn flip(&self, bit: u64) {
        let mut byte = [0];
        self.0.read_exact_at(&mut byte, bit / 8).unwrap();
        byte[0] ^= 1 << (bit % 8);
        self.0.write_all_at(&byte, bit / 8).unwrap();
    }

    pub fn resize(&self, bytes: u64) {
        self.0.set_len(bytes).unwrap();
    }

    /// The same pages with another manifest, sealed with the right key: what a writer with a bug would make.
    pub fn resealed(&self, change: impl FnOnce(&mut Manifest)) -> Self {
        let bytes = self.bytes();
        let header = Header::open(bytes.first_chunk().unwrap(), &Key(KEY), bytes.len() as u64);
        let header = header.unwrap();
        let part = |offset: u64, length: u64| &bytes[offset as usize..(offset + length) as usize];
        let metadata = part(header.metadata.offset, header.metadata.bytes);
        let mut manifest = header.open_manifest(metadata, &Key(KEY)).unwrap();
        change(&mut manifest);
        let (digests, _) = part(header.digests.offset, header.digests.bytes).as_chunks();
        let sealed = seal(&manifest, digests, &Key(KEY)).unwrap();
        let copy = tempfile::tempfile_in("/dev/shm").unwrap();
        copy.write_all_at(&bytes, 0).unwrap();
        copy.set_len(sealed.metadata_offset()).unwrap();
        copy.write_all_at(&sealed.metadata, sealed.metadata_offset())
            .unwrap();
        copy.write_all_at(&sealed.digests, sealed.digests_offset())
            .unwrap();
        copy.write_all_at(&sealed.header[..], 0).unwrap();
        Self(copy)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.0.metadata().unwrap().len() as usize];
        self.0.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }
}

/// Reads a chain as the nursery does.
pub fn read(images: &[&Copy], pages: bool) -> Result<Seed, ReadError> {
    let pages = of_all(images, pages);
    let mapped = read_with(images, KEY, pages, Memory::Mapped);
    if let Ok(seed) = read_with(images, KEY, pages, Memory::Local) {
        assert!(mapped.is_ok(), "{mapped:?}");
        return Ok(seed);
    }
    mapped
}

fn of_all(images: &[&Copy], pages: bool) -> usize {
    if pages { images.len() } else { 0 }
}

/// The error with which a chain is refused.
#[track_caller]
pub fn refusal(images: &[&Copy], pages: bool) -> ReadError {
    read_with(images, KEY, of_all(images, pages), Memory::Local)
        .expect_err("the image must be refused")
}

pub fn read_with(
    images: &[&Copy],
    key: [u8; 32],
    with_pages: usize,
    memory: Memory,
) -> Result<Seed, ReadError> {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    let machine = MACHINE.get_or_init(|| this_machine().unwrap());
    let images: Vec<OwnedFd> = images
        .iter()
        .map(|copy| copy.0.try_clone().unwrap().into())
        .collect();
    let how = Compilation {
        memory,
        is_confined: false,
    };
    offshoot_clone::read(&images, &Key(key), how, with_pages, machine, None)
}

/// What is where in an image file, in bytes.
pub struct Layout {
    pub file_bytes: u64,
    pub metadata: Range<u64>,
    pub digests: Range<u64>,
    /// The chunks of stored pages.
    pub pages: Vec<Range<u64>>,
    /// What nobody maps or reads: between the header and the pages, and between runs of pages.
    pub holes: Vec<Range<u64>>,
    /// What the runs refer to in the parent's file.
    pub inherited: Vec<Range<u64>>,
}

impl Layout {
    fn of(header: &Header, manifest: &Manifest) -> Self {
        let span = |span: offshoot_image::Span| span.offset..span.offset + span.bytes;
        let chunk = |chunk: ChunkRange| chunk.offset()..chunk.offset() + chunk.bytes();
        let pages: Vec<Range<u64>> = chunks(manifest).map(chunk).collect();
        let ends = std::iter::once(HEADER_BYTES as u64).chain(pages.iter().map(|pages| pages.end));
        let starts = pages.iter().map(|pages| pages.start);
        let starts = starts.chain([header.metadata.offset]);
        let holes = ends.zip(starts).filter(|(end, start)| end < start);
        let run = |run: &Run| {
            let start = run.file_page * PAGE_BYTES;
            start..start + u64::from(run.pages) * PAGE_BYTES
        };
        let of_mappings = manifest.mappings.iter().flat_map(|mapping| &mapping.runs);
        let of_contents = manifest.contents.iter().flat_map(|content| &content.runs);
        let runs = of_mappings.chain(of_contents);
        Self {
            file_bytes: header.file_bytes,
            metadata: span(header.metadata),
            digests: span(header.digests),
            holes: holes.map(|(end, start)| end..start).collect(),
            pages,
            inherited: runs.filter(|run| run.generation == 1).map(run).collect(),
        }
    }

    /// Everything that a writer has stored.
    pub fn stored_bits(&self) -> Stored {
        let header = 0..HEADER_BYTES as u64;
        let ends = [self.metadata.clone(), self.digests.clone()];
        let parts: Vec<Range<u64>> = std::iter::once(header)
            .chain(self.pages.iter().cloned())
            .chain(ends)
            .collect();
        Stored::of(&parts)
    }

    /// What the refusal must say when a bit has changed.
    pub fn expected(&self, bit: u64) -> Wrong {
        let byte = bit / 8;
        let chunk = self.pages.iter().find(|pages| pages.contains(&byte));
        match (byte, chunk) {
            (0..8, _) => Wrong::NotAnImage,
            (8..12, _) => Wrong::UnknownVersion,
            (12..4096, _) => Wrong::Header,
            (_, Some(chunk)) => Wrong::Page(chunk.start / PAGE_BYTES),
            _ if self.metadata.contains(&byte) => Wrong::Metadata,
            _ if self.digests.contains(&byte) => Wrong::Digests,
            _ => panic!("byte {byte} is in a hole"),
        }
    }
}

/// Parts of a file, as one sequence of bits.
pub struct Stored(Vec<Range<u64>>);

impl Stored {
    pub fn of(parts: &[Range<u64>]) -> Self {
        Self(parts.to_vec())
    }

    /// How many bits.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|part| (part.end - part.start) * 8).sum()
    }

    /// Where the `index`th of them is in the file.
    pub fn bit(&self, mut index: u64) -> u64 {
        for part in &self.0 {
            let bits = (part.end - part.start) * 8;
            if index < bits {
                return part.start * 8 + index;
            }
            index -= bits;
        }
        panic!("there are not so many bits");
    }
}
