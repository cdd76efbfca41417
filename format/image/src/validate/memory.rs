//! Rules for the address space and for contents.

use super::{
    Invalid, Place, Rule, check_bits, check_index, check_path, check_signed, ensure, in_user_space,
    is_page_aligned,
};
use crate::chunk::own_runs;
use crate::header::{FIRST_PAGE, Header};
use crate::limits::{MAX_FILE_PAGE, MAX_GENERATION, MAX_MAPPINGS, USER_SPACE_END};
use crate::model::{
    Backing, Content, ContentKind, Manifest, Mapping, MappingFlags, PAGE_BYTES, PageRange, Run,
};

/// `F_SEAL_*` up to `F_SEAL_EXEC` (`fcntl(2)`).
const SEALS: u64 = 0x3f;

/// The longest name of a mapping (`PR_SET_VMA_ANON_NAME`) and of a memfd (`memfd_create(2)`), in bytes.
const MAX_NAME_BYTES: usize = 79;
const MAX_MEMFD_NAME_BYTES: usize = 249;

pub(super) fn check(manifest: &Manifest) -> Result<(), Invalid> {
    let count = manifest.mappings.len();
    let rule = Rule::TooMany {
        what: "mappings",
        count: count as u64,
        limit: MAX_MAPPINGS as u64,
    };
    ensure(count <= MAX_MAPPINGS, Place::Manifest, rule)?;
    let mut behind = 0;
    for mapping in &manifest.mappings {
        let place = Place::Mapping(mapping.start);
        ensure(mapping.start >= behind, place, Rule::NotAscending)?;
        behind = mapping.end;
        check_mapping(manifest, mapping)?;
    }
    check_special(manifest)?;
    for (index, content) in manifest.contents.iter().enumerate() {
        check_content(manifest, index, content)?;
    }
    check_storage(manifest)?;
    check_profile("accessed", &manifest.profile.accessed)?;
    check_profile("dirty", &manifest.profile.dirty)
}

pub(super) fn check_ancestors(manifest: &Manifest, ancestors: &[&Header]) -> Result<(), Invalid> {
    let check = |run: &Run, place: Place| match run.generation {
        0 => Ok(()),
        generation => {
            let ancestor = ancestors.get(usize::from(generation) - 1);
            let end = ancestor.map_or(0, |ancestor| ancestor.end_page);
            ensure(end > 0, place, Rule::Generation(generation))?;
            ensure(
                run.file_page + u64::from(run.pages) <= end,
                place,
                Rule::Outside("ancestor"),
            )
        }
    };
    for mapping in &manifest.mappings {
        for (index, run) in mapping.runs.iter().enumerate() {
            check(run, Place::MappingRun(mapping.start, index))?;
        }
    }
    for (content, Content { runs, .. }) in manifest.contents.iter().enumerate() {
        for (index, run) in runs.iter().enumerate() {
            check(run, Place::ContentRun(content, index))?;
        }
    }
    Ok(())
}

fn check_mapping(manifest: &Manifest, mapping: &Mapping) -> Result<(), Invalid> {
    let place = Place::Mapping(mapping.start);
    ensure(
        in_user_space(mapping.start, mapping.end),
        place,
        Rule::NotInUserSpace,
    )?;
    let aligned = is_page_aligned(mapping.start) && is_page_aligned(mapping.end);
    ensure(aligned, place, Rule::Unaligned)?;
    check_bits(u64::from(mapping.protection.0), 7, "protection", place)?;
    check_bits(
        u64::from(mapping.flags.0),
        u64::from(MappingFlags::ALL),
        "flags",
        place,
    )?;
    check_backing(manifest, mapping, place)?;
    check_flags(mapping, place)?;
    let named = !mapping.name.is_empty();
    let of_file = matches!(mapping.backing, Backing::File { .. });
    ensure(
        !(named && of_file),
        place,
        Rule::Contradiction("named", "of a file"),
    )?;
    ensure(is_name(&mapping.name, MAX_NAME_BYTES), place, Rule::Name)?;
    let (first, end) = (mapping.start / PAGE_BYTES, mapping.end / PAGE_BYTES);
    let run_place = |index| Place::MappingRun(mapping.start, index);
    check_runs(manifest, &mapping.runs, (first, end), "mapping", run_place)?;
    check_clean(&mapping.runs, of_file && !mapping.shared, run_place)?;
    check_guards(mapping, first, end)
}

fn check_backing(manifest: &Manifest, mapping: &Mapping, place: Place) -> Result<(), Invalid> {
    let (index, count, what, offset) = match mapping.backing {
        Backing::Anonymous => {
            let rule = Rule::Contradiction("shared", "anonymous without a content");
            return ensure(!mapping.shared, place, rule);
        }
        Backing::File { file, offset } => (file, manifest.files.len(), "file", offset),
        Backing::Content { content, offset } => {
            (content, manifest.contents.len(), "content", offset)
        }
    };
    check_index(index, count, what, place)?;
    ensure(is_page_aligned(offset), place, Rule::Unaligned)?;
    let bytes = mapping.end - mapping.start;
    check_signed(offset.saturating_add(bytes), "file offset", place)
}

fn check_flags(mapping: &Mapping, place: Place) -> Result<(), Invalid> {
    let of_content = matches!(mapping.backing, Backing::Content { .. });
    let without_runs = [
        (
            mapping.flags.any(MappingFlags::WIPE_ON_FORK),
            "wiped on fork",
        ),
        (mapping.flags.any(MappingFlags::DROPPABLE), "droppable"),
        (
            mapping.shared && of_content,
            "a shared mapping of a content",
        ),
        (
            mapping.shared && mapping.protection.write(),
            "shared and writable",
        ),
    ];
    for (applies, what) in without_runs {
        let good = !applies || mapping.runs.is_empty();
        ensure(good, place, Rule::MustHaveNoRuns(what))?;
    }
    let private_anonymous = mapping.backing == Backing::Anonymous;
    for (flag, what) in [
        (MappingFlags::GROWS_DOWN, "growing down"),
        (MappingFlags::WIPE_ON_FORK, "wiped on fork"),
        (MappingFlags::DROPPABLE, "droppable"),
    ] {
        let rule = Rule::Contradiction(what, "other than private and anonymous");
        ensure(private_anonymous || !mapping.flags.any(flag), place, rule)?;
    }
    let huge = MappingFlags(mapping.flags.0);
    let both = huge.any(MappingFlags::HUGE_PAGES) && huge.any(MappingFlags::NO_HUGE_PAGES);
    ensure(
        !both,
        place,
        Rule::Contradiction("of huge pages", "of none"),
    )
}

fn check_runs(
    manifest: &Manifest,
    runs: &[Run],
    (first, end): (u64, u64),
    whole: &'static str,
    place: impl Fn(usize) -> Place,
) -> Result<(), Invalid> {
    let mut behind = 0;
    for (index, run) in runs.iter().enumerate() {
        let place = place(index);
        ensure(run.pages > 0, place, Rule::Missing("pages"))?;
        ensure(run.page >= behind, place, Rule::NotAscending)?;
        ensure(
            first <= run.page && run.end() <= end,
            place,
            Rule::Outside(whole),
        )?;
        let known =
            run.generation == 0 || manifest.parent.is_some() && run.generation <= MAX_GENERATION;
        ensure(known, place, Rule::Generation(run.generation))?;
        let file_end = run.file_page.saturating_add(u64::from(run.pages));
        let inside = run.file_page >= FIRST_PAGE && file_end <= MAX_FILE_PAGE;
        ensure(inside, place, Rule::Outside("image file's page area"))?;
        behind = run.end();
    }
    Ok(())
}

/// Only what maps a file privately can have pages that equal the file's.
fn check_clean(runs: &[Run], may_be: bool, place: impl Fn(usize) -> Place) -> Result<(), Invalid> {
    match runs.iter().position(|run| run.clean && !may_be) {
        Some(index) => {
            let rule = Rule::Contradiction("clean", "other than a private mapping of a file");
            ensure(false, place(index), rule)
        }
        None => Ok(()),
    }
}

fn check_guards(mapping: &Mapping, first: u64, end: u64) -> Result<(), Invalid> {
    let mut runs = mapping.runs.iter().peekable();
    let mut behind = 0;
    for (index, guard) in mapping.guards.iter().enumerate() {
        let place = Place::Guard(mapping.start, index);
        let guard_end = guard.page.saturating_add(guard.pages);
        ensure(guard.pages > 0, place, Rule::Missing("pages"))?;
        ensure(guard.page >= behind, place, Rule::NotAscending)?;
        ensure(
            first <= guard.page && guard_end <= end,
            place,
            Rule::Outside("mapping"),
        )?;
        while runs.next_if(|run| run.end() <= guard.page).is_some() {}
        let free = runs.peek().is_none_or(|run| run.page >= guard_end);
        ensure(free, place, Rule::Overlaps("a run"))?;
        behind = guard_end;
    }
    Ok(())
}

fn check_special(manifest: &Manifest) -> Result<(), Invalid> {
    for special in &manifest.machine.vdso.mappings {
        let (start, end) = (special.start, special.start + special.bytes);
        let below = manifest
            .mappings
            .partition_point(|mapping| mapping.end <= start);
        let free = manifest
            .mappings
            .get(below)
            .is_none_or(|mapping| mapping.start >= end);
        ensure(
            free,
            Place::SpecialMapping(start),
            Rule::Overlaps("a mapping"),
        )?;
    }
    Ok(())
}

fn check_content(manifest: &Manifest, index: usize, content: &Content) -> Result<(), Invalid> {
    let place = Place::Content(index);
    let rule = Rule::Range {
        field: "length",
        value: content.bytes,
    };
    ensure(content.bytes <= USER_SPACE_END, place, rule)?;
    match &content.kind {
        ContentKind::Memfd { name, seals } => {
            ensure(is_name(name, MAX_MEMFD_NAME_BYTES), place, Rule::Name)?;
            check_bits(u64::from(*seals), SEALS, "seals", place)?;
        }
        ContentKind::SharedAnonymous => {}
        ContentKind::DeletedFile { path, mode } => {
            check_path(path, place)?;
            let rule = Rule::WrongKind("regular file");
            ensure(super::file::is_regular(*mode), place, rule)?;
        }
    }
    let pages = content.bytes.div_ceil(PAGE_BYTES);
    let run_place = |run| Place::ContentRun(index, run);
    check_runs(manifest, &content.runs, (0, pages), "content", run_place)?;
    check_clean(&content.runs, false, run_place)
}

// One place in the file holds one page.
fn check_storage(manifest: &Manifest) -> Result<(), Invalid> {
    let mut runs: Vec<&Run> = own_runs(manifest).collect();
    runs.sort_unstable_by_key(|run| run.file_page);
    let mut behind = 0;
    for run in runs {
        ensure(
            run.file_page >= behind,
            Place::FilePage(run.file_page),
            Rule::Twice,
        )?;
        behind = run.file_page + u64::from(run.pages);
    }
    Ok(())
}

fn check_profile(which: &'static str, ranges: &[PageRange]) -> Result<(), Invalid> {
    let mut behind = 0;
    for (index, range) in ranges.iter().enumerate() {
        let place = Place::Profile(which, index);
        let end = range.page.saturating_add(range.pages);
        let (start, end_address) = (
            range.page.saturating_mul(PAGE_BYTES),
            end.saturating_mul(PAGE_BYTES),
        );
        ensure(
            in_user_space(start, end_address),
            place,
            Rule::NotInUserSpace,
        )?;
        ensure(range.page >= behind, place, Rule::NotAscending)?;
        behind = end;
    }
    Ok(())
}

fn is_name(name: &[u8], max_bytes: usize) -> bool {
    name.len() <= max_bytes && !name.contains(&0)
}
