//! What people ask about images: what is in one, and in what two differ.

use serde::{Deserialize, Serialize};

use crate::chunk::stored_pages;
use crate::id::ImageId;
use crate::model::{Backing, Manifest, Mapping, PAGE_BYTES, Run};

/// An image in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The image whose pages it refers to.
    pub parent: Option<ImageId>,
    /// The program.
    pub executable: String,
    /// The kernel that it was frozen on.
    pub kernel: String,
    /// How many threads it has.
    pub threads: u64,
    /// How many descriptors it has.
    pub descriptors: u64,
    /// How many of its open files must come from outside.
    pub substituted: u64,
    /// How many mappings it has.
    pub mappings: u64,
    /// How much address space they take, in bytes.
    pub mapped_bytes: u64,
    /// How many pages the image stores itself, in bytes.
    pub stored_bytes: u64,
    /// How many pages it takes from its ancestors, in bytes.
    pub inherited_bytes: u64,
    /// How much memory clones are known to write before their first answer, in bytes.
    pub dirty_bytes: u64,
}

impl Summary {
    /// The numbers of a manifest.
    pub fn of(manifest: &Manifest) -> Self {
        let executable = manifest.files.get(manifest.process.executable as usize);
        let substituted = manifest
            .open_files
            .iter()
            .filter(|file| matches!(file.kind, crate::model::OpenFileKind::Substituted { .. }));
        Self {
            parent: manifest.parent,
            executable: executable.map_or_else(String::new, |file| {
                String::from_utf8_lossy(&file.path).into_owned()
            }),
            kernel: manifest.machine.kernel.clone(),
            threads: manifest.threads.len() as u64,
            descriptors: manifest.descriptors.len() as u64,
            substituted: substituted.count() as u64,
            mappings: manifest.mappings.len() as u64,
            mapped_bytes: manifest
                .mappings
                .iter()
                .map(Mapping::bytes)
                .fold(0, u64::saturating_add),
            stored_bytes: stored_pages(manifest).saturating_mul(PAGE_BYTES),
            inherited_bytes: inherited_pages(manifest).saturating_mul(PAGE_BYTES),
            dirty_bytes: dirty_pages(manifest).saturating_mul(PAGE_BYTES),
        }
    }
}

/// In what two images differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Mappings that differ, ascending by address; equal ones are left out.
    pub mappings: Vec<MappingChange>,
    /// Threads of the second less those of the first.
    pub threads: i64,
    /// Descriptors of the second less those of the first.
    pub descriptors: i64,
    /// Bytes of stored pages of the second less those of the first.
    pub stored_bytes: i64,
}

/// How a mapping differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum MappingChange {
    /// Only the second image has it.
    Added {
        /// Its first address.
        start: u64,
        /// Its length in bytes.
        bytes: u64,
        /// Pages that the image holds of it.
        pages: u64,
    },
    /// Only the first image has it.
    Removed {
        /// Its first address.
        start: u64,
        /// Its length in bytes.
        bytes: u64,
        /// Pages that the image held of it.
        pages: u64,
    },
    /// Both have one at this address, with another end, protection, backing, flags or number of pages.
    Changed {
        /// The first address of both.
        start: u64,
        /// Length in the first image, in bytes.
        bytes_before: u64,
        /// Length in the second, in bytes.
        bytes_after: u64,
        /// Pages held in the first image.
        pages_before: u64,
        /// Pages held in the second.
        pages_after: u64,
        /// Whether something else than length and pages differs.
        attributes: bool,
    },
}

/// Compares two images by what their manifests say; pages are counted, not compared.
pub fn difference(before: &Manifest, after: &Manifest) -> Difference {
    let less = |after: u64, before: u64| after.wrapping_sub(before) as i64;
    Difference {
        mappings: mapping_changes(before, after),
        threads: less(after.threads.len() as u64, before.threads.len() as u64),
        descriptors: less(
            after.descriptors.len() as u64,
            before.descriptors.len() as u64,
        ),
        stored_bytes: less(
            stored_pages(after) * PAGE_BYTES,
            stored_pages(before) * PAGE_BYTES,
        ),
    }
}

// Both lists ascend, so one pass over both finds all.
fn mapping_changes(before: &Manifest, after: &Manifest) -> Vec<MappingChange> {
    let mut changes = Vec::new();
    let mut old = before.mappings.iter().peekable();
    let mut new = after.mappings.iter().peekable();
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) => old.start.cmp(&new.start),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return changes,
        };
        let old = if order.is_le() { old.next() } else { None };
        let new = if order.is_ge() { new.next() } else { None };
        changes.extend(match (old, new) {
            (Some(old), Some(new)) => change((before, old), (after, new)),
            (Some(old), None) => Some(MappingChange::Removed {
                start: old.start,
                bytes: old.bytes(),
                pages: pages(&old.runs),
            }),
            (None, new) => new.map(|new| MappingChange::Added {
                start: new.start,
                bytes: new.bytes(),
                pages: pages(&new.runs),
            }),
        });
    }
}

fn change(
    (before, old): (&Manifest, &Mapping),
    (after, new): (&Manifest, &Mapping),
) -> Option<MappingChange> {
    let attributes = old.protection != new.protection
        || old.shared != new.shared
        || old.flags != new.flags
        || old.name != new.name
        || backing(before, old) != backing(after, new);
    let (pages_before, pages_after) = (pages(&old.runs), pages(&new.runs));
    let same = !attributes && old.end == new.end && pages_before == pages_after;
    (!same).then_some(MappingChange::Changed {
        start: old.start,
        bytes_before: old.bytes(),
        bytes_after: new.bytes(),
        pages_before,
        pages_after,
        attributes,
    })
}

// By path: the index of one file may differ between images.
fn backing<'a>(manifest: &'a Manifest, mapping: &Mapping) -> (u8, Option<&'a [u8]>, u64) {
    match mapping.backing {
        Backing::Anonymous => (0, None, 0),
        Backing::File { file, offset } => {
            let file = manifest.files.get(file as usize);
            (1, file.map(|file| &file.path[..]), offset)
        }
        Backing::Content { offset, .. } => (2, None, offset),
    }
}

fn pages(runs: &[Run]) -> u64 {
    runs.iter().map(|run| u64::from(run.pages)).sum()
}

fn inherited_pages(manifest: &Manifest) -> u64 {
    let of_mappings = manifest.mappings.iter().flat_map(|mapping| &mapping.runs);
    let of_contents = manifest.contents.iter().flat_map(|content| &content.runs);
    let inherited = of_mappings
        .chain(of_contents)
        .filter(|run| run.generation > 0);
    inherited.map(|run| u64::from(run.pages)).sum()
}

fn dirty_pages(manifest: &Manifest) -> u64 {
    let ranges = manifest.profile.dirty.iter().map(|range| range.pages);
    ranges.fold(0, u64::saturating_add)
}
