//! Memory that a clone maps from images of the pool, and what is behind it.
//!
//! To the kernel these are private mappings of a file. An image must not depend on them: its clones may live where the
//! pool is not, and the file may be removed. What was behind the pages before they were in that image is behind them
//! still: its manifest says what.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use offshoot_image::MAGIC;
use offshoot_image::model::{Backing, FileIdentity, Manifest, Mapping, PAGE_BYTES, PageRange, Run};
use offshoot_pool::{ImageName, OpenError, Pool};
use rustix::fs::makedev;

use crate::smaps::Area;
use crate::{CheckpointError, proc};

/// The images of a pool that a process maps.
#[derive(Debug, Default)]
pub(crate) struct Images {
    /// By device and inode.
    images: BTreeMap<(u64, u64), Image>,
}

/// What is behind an area that is mapped from an image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Behind<'a> {
    /// None for zeros; else the file and the offset of the area's first byte.
    pub file: Option<(&'a FileIdentity, u64)>,
    /// The name that the program gave the mapping.
    pub name: &'a [u8],
    /// Pages of the area that the file has, too.
    pub clean: Vec<PageRange>,
}

#[derive(Debug, Default)]
struct Image {
    /// None for one that was removed from the pool.
    manifest: Option<Manifest>,
    /// Its own runs by place in its file: the mapping, and the run.
    runs: BTreeMap<u64, (usize, Run)>,
}

impl Images {
    /// Opens those images of the pool that a process maps. It may be running.
    pub(crate) fn of(pid: u32, pool: &Pool) -> Result<Self, CheckpointError> {
        let maps = proc::read(pid, "maps")?;
        let mut images = BTreeMap::new();
        let mut mapped = BTreeSet::new();
        for line in maps.split(|&byte| byte == b'\n') {
            let mut words = line.split(|&byte| byte == b' ');
            let range = words.next().unwrap_or_default();
            let key = words.nth(2).zip(words.next());
            let key = key.and_then(|(device, inode)| file_of(&[device, b" ", inode].concat()));
            let Some(key) = key else { continue };
            if mapped.insert(key) && line.ends_with(b" (deleted)") && is_image(pid, range) {
                images.insert(key, Image::default());
            }
        }
        for entry in std::fs::read_dir(pool.dir())
            .into_iter()
            .flatten()
            .flatten()
        {
            let key = entry.metadata().map(|stat| (stat.dev(), stat.ino()));
            let name = entry.file_name().into_string().ok();
            let name = name.and_then(|name| ImageName::new(name).ok());
            if let (Ok(key), Some(name)) = (key, name)
                && mapped.contains(&key)
            {
                images.insert(key, Image::open(pool, &name)?);
            }
        }
        Ok(Self { images })
    }

    /// What is behind an area; none if it is not of an image. An area that the image's manifest does not explain is
    /// zeros of which every page was written.
    pub(crate) fn behind(&self, area: &Area) -> Option<Behind<'_>> {
        let image = self.images.get(&file_of(&area.inode)?)?;
        if area.shared {
            return None;
        }
        let unexplained = Behind {
            file: None,
            name: &[],
            clean: Vec::new(),
        };
        Some(image.explain(area).unwrap_or(unexplained))
    }
}

impl Image {
    fn open(pool: &Pool, name: &ImageName) -> Result<Self, CheckpointError> {
        let opened = pool.open_image(name);
        let manifest = opened.and_then(|image| image.read_manifest());
        manifest
            .map(Self::new)
            .map_err(|source| unusable(name, source))
    }

    fn new(manifest: Manifest) -> Self {
        let mut runs = BTreeMap::new();
        for (index, mapping) in manifest.mappings.iter().enumerate() {
            for run in mapping.runs.iter().filter(|run| run.generation == 0) {
                runs.insert(run.file_page, (index, *run));
            }
        }
        Self {
            manifest: Some(manifest),
            runs,
        }
    }

    /// None if the area is not of consecutive pages of one mapping.
    fn explain(&self, area: &Area) -> Option<Behind<'_>> {
        let first_file_page = area.offset / PAGE_BYTES;
        let (&at, &(index, first)) = self.runs.range(..=first_file_page).next_back()?;
        let first_page = first.page + (first_file_page - first.file_page);
        let mapping = self.manifest.as_ref()?.mappings.get(index)?;
        let pages = (area.end - area.start) / PAGE_BYTES;
        let (mut covered, mut clean) = (0, Vec::new());
        for &(owner, run) in self.runs.range(at..).map(|(_, found)| found) {
            let from = first_file_page + covered;
            let follows =
                run.file_page <= from && run.page + (from - run.file_page) == first_page + covered;
            if covered == pages || owner != index || !follows {
                break;
            }
            let behind = (run.file_page + u64::from(run.pages)).saturating_sub(from);
            let here = behind.min(pages - covered);
            if run.clean && here > 0 {
                let page = area.start / PAGE_BYTES + covered;
                clean.push(PageRange { page, pages: here });
            }
            covered += here;
        }
        if covered < pages {
            return None;
        }
        let file = self.file_behind(mapping, first_page)?;
        Some(Behind {
            file,
            name: &mapping.name,
            clean: if file.is_some() { clean } else { Vec::new() },
        })
    }

    /// None if it is neither zeros nor a file with a name.
    fn file_behind(&self, mapping: &Mapping, page: u64) -> Option<Option<(&FileIdentity, u64)>> {
        match mapping.backing {
            Backing::Anonymous => Some(None),
            Backing::File { file, offset } => {
                let file = self.manifest.as_ref()?.files.get(file as usize)?;
                let before = (page * PAGE_BYTES).checked_sub(mapping.start)?;
                Some(Some((file, offset.checked_add(before)?)))
            }
            Backing::Content { .. } => None,
        }
    }
}

/// Whether what a process maps there begins as an image does: for those that are not in the pool any more. `range` is as
/// `/proc/pid/maps` has it.
fn is_image(pid: u32, range: &[u8]) -> bool {
    let link = std::str::from_utf8(range).ok().and_then(|range| {
        let (start, end) = range.split_once('-')?;
        // There are no leading zeros in names of links.
        let address = |digits| u64::from_str_radix(digits, 16).ok();
        let (start, end) = (address(start)?, address(end)?);
        Some(format!("/proc/{pid}/map_files/{start:x}-{end:x}"))
    });
    let mut magic = [0; MAGIC.len()];
    let file = link.and_then(|link| File::open(link).ok());
    file.is_some_and(|file| file.read_exact_at(&mut magic, 0).is_ok()) && magic == MAGIC
}

/// Device and inode of `08:01 1234`.
fn file_of(words: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(words).ok()?;
    let (device, inode) = text.split_once(' ')?;
    let (major, minor) = device.split_once(':')?;
    let number = |digits| u32::from_str_radix(digits, 16).ok();
    let inode = inode.parse().ok().filter(|inode| *inode != 0)?;
    Some((makedev(number(major)?, number(minor)?), inode))
}

fn unusable(name: &ImageName, source: OpenError) -> CheckpointError {
    CheckpointError::Mapped {
        name: name.as_str().to_owned(),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use offshoot_image::sample;

    const FIRST: u64 = 512;

    fn area(page: u64, pages: u64, file_page: u64) -> Area {
        let line = format!(
            "{:x}-{:x} rw-p {:08x} 08:01 77 /pool/image",
            page * PAGE_BYTES,
            (page + pages) * PAGE_BYTES,
            file_page * PAGE_BYTES
        );
        crate::smaps::parse(line.as_bytes()).unwrap().remove(0)
    }

    fn images(manifest: Manifest) -> Images {
        let key = (makedev(8, 1), 77);
        Images {
            images: BTreeMap::from([(key, Image::new(manifest))]),
        }
    }

    #[test]
    fn area_of_an_image_is_what_its_manifest_says() {
        let mut manifest = sample::manifest(6);
        manifest.mappings[1].name = b"arena".to_vec();
        let images = images(manifest);
        let heap = sample::HEAP / PAGE_BYTES;
        let found = images.behind(&area(heap + 2, 4, FIRST + 2)).unwrap();
        assert_eq!((found.file, found.name), (None, &b"arena"[..]));
        // Moved elsewhere it is the same memory.
        assert_eq!(
            images.behind(&area(9, 4, FIRST + 2)).unwrap().name,
            b"arena"
        );
        // More than the run has: nobody knows what that is.
        assert_eq!(images.behind(&area(heap, 7, FIRST)).unwrap().name, b"");
        let other = area(heap, 2, FIRST);
        let other = Area {
            inode: b"08:01 78".to_vec(),
            ..other
        };
        assert_eq!(images.behind(&other), None);
    }

    #[test]
    fn area_of_a_file_has_the_files_offset_and_its_clean_pages() {
        let mut manifest = sample::manifest(0);
        let text = sample::TEXT / PAGE_BYTES;
        let run = |page, pages, file_page, clean| Run {
            page,
            pages,
            file_page,
            generation: 0,
            clean,
        };
        manifest.mappings[0].runs = vec![
            run(text, 1, FIRST, false),
            run(text + 1, 2, FIRST + 1, true),
            run(text + 3, 1, FIRST + 3, false),
        ];
        let images = images(manifest);
        let found = images.behind(&area(text + 1, 3, FIRST + 1)).unwrap();
        let (file, offset) = found.file.unwrap();
        assert_eq!(
            (&file.path[..], offset),
            (&b"/usr/bin/sample"[..], PAGE_BYTES)
        );
        let clean = PageRange {
            page: text + 1,
            pages: 2,
        };
        assert_eq!(found.clean, [clean]);
    }
}
