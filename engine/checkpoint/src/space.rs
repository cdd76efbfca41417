//! The address space: which mappings an image has, and which of their pages.

use std::collections::{BTreeMap, BTreeSet};

use offshoot_image::model::{Backing, Mapping, MappingFlags, PAGE_BYTES, SpecialKind};
use offshoot_plan::{ENGINE_BASE, ENGINE_BYTES, MAGIC, PLAN_BASE};
use offshoot_trace::{Memory, PageKinds, Region};

use crate::files::{Place, Tables, Target};
use crate::found::{Found, clip, guards, with_image};
use crate::images::Images;
use crate::pieces::{self, Piece};
use crate::refusal::MappingObstacle;
use crate::smaps::Area;
use crate::{CheckpointError, vdso};

/// Mappings for the manifest, their runs still empty, and what is to be copied into them.
#[derive(Debug, Default)]
pub(crate) struct Space {
    pub mappings: Vec<Mapping>,
    /// Those that can wait behind those that cannot, then read-only ones first, else ascending.
    pub pieces: Vec<Piece>,
}

/// Sorts out an address space. `regions` are the pages that the process has, ascending; with `file_pages`, those that
/// equal their file's are copied, too.
pub(crate) fn survey(
    areas: &[Area],
    regions: &[Region],
    memory: &Memory,
    images: &Images,
    target: &Target,
    tables: &mut Tables,
    file_pages: bool,
) -> Result<Space, CheckpointError> {
    let engine = Engine::find(areas, memory);
    let mut found: Vec<Found> = Vec::new();
    let mut placed = BTreeMap::new();
    for area in areas {
        if is_kernels(area) || engine.owns(area)? {
            continue;
        }
        refuse(area)?;
        let mut regions = clip(regions, area.start, area.end);
        let guards = guards(&regions);
        let behind = images.behind(area);
        let (backing, name) = match &behind {
            Some(behind) => {
                regions = with_image(area, behind, &regions);
                let backing = behind.file.map_or(Backing::Anonymous, |(file, offset)| {
                    let file = tables.known(file.clone());
                    Backing::File { file, offset }
                });
                (backing, behind.name)
            }
            None => {
                regions.retain(|region| file_pages || !region.kinds.has(PageKinds::FILE));
                (
                    backing(area, target, tables, &mut placed)?,
                    given_name(area),
                )
            }
        };
        let mapping = Mapping {
            start: area.start,
            end: area.end,
            protection: area.protection,
            backing,
            shared: area.shared,
            flags: area.flags,
            name: name.to_vec(),
            runs: Vec::new(),
            guards,
        };
        let next = Found {
            mapping,
            regions,
            of_image: behind.is_some(),
        };
        match found.last_mut().filter(|last| last.continues(&next)) {
            Some(last) => last.join(next),
            None => found.push(next),
        }
    }
    let mut space = Space::default();
    for Found {
        mapping, regions, ..
    } in found
    {
        let file_end = file_end(&mapping, tables);
        let index = space.mappings.len();
        let pieces = pieces::of_mapping(index, &mapping, &regions, file_end);
        space.pieces.extend(pieces);
        space.mappings.push(mapping);
    }
    let mappings = &space.mappings;
    space
        .pieces
        .sort_by_key(|piece| (piece.is_of_writable(mappings), piece.page));
    Ok(space)
}

/// The contents that are mapped so that all who have them see what is written.
pub(crate) fn exposed(mappings: &[Mapping]) -> BTreeSet<u32> {
    let exposed = mappings.iter().filter_map(|mapping| match mapping.backing {
        Backing::Content { content, .. } if mapping.shared && mapping.protection.write() => {
            Some(content)
        }
        _ => None,
    });
    exposed.collect()
}

/// The name that the program gave it (`PR_SET_VMA_ANON_NAME`); empty if none.
fn given_name(area: &Area) -> &[u8] {
    let path = &area.path[..];
    let prefixes = [&b"[anon:"[..], b"[anon_shmem:"];
    let named = prefixes
        .iter()
        .find_map(|prefix| path.strip_prefix(*prefix)?.strip_suffix(b"]"));
    named.unwrap_or_default()
}

/// Whether the kernel makes it anew in every process.
fn is_kernels(area: &Area) -> bool {
    let special: Option<SpecialKind> = vdso::special_kind(area);
    special.is_some() || area.bracketed() == Some(b"vsyscall")
}

fn refuse(area: &Area) -> Result<(), CheckpointError> {
    let traits = area.traits;
    let known = match area.bracketed() {
        None => true,
        Some(name) => name == b"heap" || name.starts_with(b"stack") || name.starts_with(b"anon:"),
    };
    let obstacle = if traits.huge_tlb {
        MappingObstacle::HugeTlb
    } else if traits.shadow_stack {
        MappingObstacle::ShadowStack
    } else if traits.device {
        MappingObstacle::Device
    } else if traits.user_fault {
        MappingObstacle::UserFault
    } else if area.protection_key != 0 {
        MappingObstacle::ProtectionKey
    } else if !known {
        MappingObstacle::Unknown
    } else {
        return Ok(());
    };
    Err(obstacle.at(area.start).into())
}

/// What is behind a mapping. Mappings of one file are next to one another: each file is looked up once.
fn backing<'a>(
    area: &'a Area,
    target: &Target,
    tables: &mut Tables,
    placed: &mut BTreeMap<(&'a [u8], &'a [u8]), Place>,
) -> Result<Backing, CheckpointError> {
    // A private mapping of /dev/zero is the old way to say MAP_ANONYMOUS.
    let zero_device = !area.shared && area.path == b"/dev/zero";
    if !area.has_file() || zero_device {
        return Ok(Backing::Anonymous);
    }
    let key = (&area.inode[..], &area.path[..]);
    let place = match placed.get(&key) {
        Some(place) => *place,
        None => {
            let place = tables.place(target, &area.link(), true)?;
            placed.insert(key, place);
            place
        }
    };
    let offset = area.offset;
    Ok(match place {
        Place::File(file) => Backing::File { file, offset },
        Place::Content(content) => Backing::Content { content, offset },
    })
}

/// The first page of a file mapping that lies wholly behind the file's end; touching it would be `SIGBUS`.
fn file_end(mapping: &Mapping, tables: &Tables) -> u64 {
    let end = mapping.end / PAGE_BYTES;
    let Backing::File { file, offset } = mapping.backing else {
        return end;
    };
    let bytes = tables.files.get(file as usize).map_or(0, |file| file.bytes);
    let pages = bytes.saturating_sub(offset).div_ceil(PAGE_BYTES);
    end.min((mapping.start / PAGE_BYTES).saturating_add(pages))
}

/// The engine's region. In a clone the engine itself is there, and is left out of the image; in any other process nothing
/// may be there, for its clones would need the place.
struct Engine {
    present: bool,
}

impl Engine {
    fn find(areas: &[Area], memory: &Memory) -> Self {
        let plan = areas.iter().any(|area| area.start == PLAN_BASE);
        let present = plan
            && memory
                .read_words::<1>(PLAN_BASE)
                .is_ok_and(|[magic]| magic == MAGIC);
        Self { present }
    }

    fn owns(&self, area: &Area) -> Result<bool, CheckpointError> {
        let end = ENGINE_BASE + ENGINE_BYTES;
        let inside = ENGINE_BASE <= area.start && area.end <= end;
        if area.end <= ENGINE_BASE || end <= area.start {
            Ok(false)
        } else if self.present && inside {
            Ok(true)
        } else {
            Err(MappingObstacle::EngineRegion.at(area.start).into())
        }
    }
}

impl Piece {
    fn is_of_writable(&self, mappings: &[Mapping]) -> bool {
        match self.owner {
            pieces::Owner::Mapping(index) => mappings
                .get(index)
                .is_some_and(|mapping| mapping.protection.write()),
            pieces::Owner::Content(_) => true,
        }
    }
}

/// Whether the kernel's contract with the program is that these pages may vanish: then an image must not bring them back.
pub(crate) fn may_vanish(flags: MappingFlags) -> bool {
    flags.any(MappingFlags::WIPE_ON_FORK | MappingFlags::DROPPABLE)
}
