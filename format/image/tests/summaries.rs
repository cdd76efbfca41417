//! What people are told about images.

#![allow(clippy::unwrap_used, missing_docs)]

use offshoot_image::model::{Backing, PAGE_BYTES, PageRange};
use offshoot_image::sample::{self, HEAP, TEXT};
use offshoot_image::{MappingChange, Summary, difference};

#[test]
fn summary_counts_what_is_in_the_manifest() {
    let mut manifest = sample::manifest(5);
    manifest.profile.dirty = vec![PageRange {
        page: 0x600,
        pages: 2,
    }];
    let summary = Summary::of(&manifest);
    assert_eq!(summary.executable, "/usr/bin/sample");
    assert_eq!(
        (summary.threads, summary.descriptors, summary.mappings),
        (1, 1, 2)
    );
    assert_eq!(summary.mapped_bytes, 9 * PAGE_BYTES);
    assert_eq!(summary.stored_bytes, 5 * PAGE_BYTES);
    assert_eq!(
        (summary.inherited_bytes, summary.dirty_bytes),
        (0, 2 * PAGE_BYTES)
    );
    let json = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
}

#[test]
fn image_does_not_differ_from_itself() {
    let manifest = sample::manifest(5);
    assert_eq!(difference(&manifest, &manifest), Default::default());
}

#[test]
fn difference_names_mappings_that_came_went_or_changed() {
    let before = sample::manifest(2);
    let mut after = sample::manifest(5);
    after.mappings[0] = sample::mapping(TEXT - 4096, TEXT, 1, Backing::Anonymous);
    after.threads.push(sample::thread(101));
    let found = difference(&before, &after);
    let added = MappingChange::Added {
        start: TEXT - 4096,
        bytes: 4096,
        pages: 0,
    };
    let removed = MappingChange::Removed {
        start: TEXT,
        bytes: 16_384,
        pages: 0,
    };
    let changed = MappingChange::Changed {
        start: HEAP,
        bytes_before: 8192,
        bytes_after: 20_480,
        pages_before: 2,
        pages_after: 5,
        attributes: false,
    };
    assert_eq!(found.mappings, [added, removed, changed]);
    assert_eq!((found.threads, found.descriptors), (1, 0));
    assert_eq!(found.stored_bytes, 3 * 4096);
    assert_eq!(difference(&after, &before).stored_bytes, -3 * 4096);
}
