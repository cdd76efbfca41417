//! One changed bit anywhere in an image of a real process, or a wrong parent, and there is no clone: the image is refused,
//! with the error that says what is wrong.
//!
//! `OFFSHOOT_FLIPS` is the number of random bits that are tried (2,000), `OFFSHOOT_FLIPS_SEED` chooses them.
#![allow(clippy::unwrap_used)]

#[path = "flips/bits.rs"]
mod bits;
#[path = "flips/image.rs"]
mod image;
#[path = "flips/program.rs"]
mod program;

use std::collections::BTreeMap;

use offshoot_clone::{Memory, ReadError};
use offshoot_image::{HEADER_BYTES, ImageId, Rule};

use bits::{Bits, Wrong, number, wrong};
use image::{Copy, KEY, Layout, TestPool, read, read_with, refusal};
use program::Program;

/// An image of a small process, in a pool that lives as long as it.
fn small_image() -> (TestPool, Copy, Layout) {
    let pool = TestPool::new();
    Program::start().checkpoint(&pool, "small", None);
    let (copy, layout) = pool.copy("small");
    (pool, copy, layout)
}

/// Flips bits one after the other, each in the otherwise whole image, and counts what the refusals say.
fn flip_all(
    copy: &Copy,
    layout: &Layout,
    bits: impl Iterator<Item = u64>,
) -> BTreeMap<Wrong, usize> {
    let mut refused = BTreeMap::new();
    for bit in bits {
        copy.flip(bit);
        let error = refusal(&[copy], true);
        copy.flip(bit);
        let expected = layout.expected(bit);
        assert_eq!(wrong(&error), expected, "bit {bit}: {error:?}");
        *refused.entry(expected.without_page()).or_default() += 1;
    }
    refused
}

#[test]
fn image_with_a_changed_bit_is_refused() {
    let (_pool, copy, layout) = small_image();
    read(&[&copy], true).expect("the whole image is accepted");

    let count = number("OFFSHOOT_FLIPS", 2_000);
    let seed = number("OFFSHOOT_FLIPS_SEED", 1);
    let began = std::time::Instant::now();
    let stored = layout.stored_bits();
    let refused = flip_all(
        &copy,
        &layout,
        Bits::new(&stored, seed).take(count as usize),
    );
    println!(
        "{count} of {} bits, seed {seed}, {:?}: {refused:?}",
        stored.len(),
        began.elapsed()
    );
    assert!(refused.contains_key(&Wrong::Page(0)), "{refused:?}");

    read(&[&copy], true).expect("the image is whole again");
}

#[test]
fn image_with_any_bit_of_its_header_changed_is_refused() {
    let (_pool, copy, layout) = small_image();
    let refused = flip_all(&copy, &layout, 0..HEADER_BYTES as u64 * 8);
    let of_magic_and_version = (refused[&Wrong::NotAnImage], refused[&Wrong::UnknownVersion]);
    assert_eq!(of_magic_and_version, (64, 32));
    assert_eq!(refused[&Wrong::Header], HEADER_BYTES * 8 - 96);
    read(&[&copy], true).expect("the image is whole again");
}

#[test]
fn image_with_a_changed_bit_of_metadata_or_digests_is_refused() {
    let (_pool, copy, layout) = small_image();
    let count = number("OFFSHOOT_FLIPS", 2_000) as usize;
    let seed = number("OFFSHOOT_FLIPS_SEED", 1);
    for (part, expected) in [
        (&layout.metadata, Wrong::Metadata),
        (&layout.digests, Wrong::Digests),
    ] {
        let bits = image::Stored::of(std::slice::from_ref(part));
        let refused = flip_all(&copy, &layout, Bits::new(&bits, seed).take(count / 4));
        assert_eq!(refused.get(&expected), Some(&(count / 4)));
    }
}

// What the other tests leave out, and why: nothing maps it, so the plan stays the same.
#[test]
fn holes_between_runs_are_not_looked_at() {
    let (_pool, copy, layout) = small_image();
    let whole = read(&[&copy], true).unwrap();
    for hole in &layout.holes {
        copy.flip(hole.start * 8);
        copy.flip(hole.end * 8 - 1);
    }
    assert!(!layout.holes.is_empty(), "there is one behind the header");
    assert_eq!(read(&[&copy], true).unwrap(), whole);
}

// Positive control: it is the check of the pages that finds changed pages, not something that would fail anyway.
#[test]
fn changed_page_is_seen_only_by_who_looks() {
    let (_pool, copy, layout) = small_image();
    let bit = layout.pages[0].start * 8 + 5;
    copy.flip(bit);
    read(&[&copy], false).expect("pages are not looked at");
    assert_eq!(wrong(&refusal(&[&copy], true)), layout.expected(bit));
}

#[test]
fn image_that_is_cut_short_or_longer_is_refused() {
    let (_pool, copy, layout) = small_image();
    for bytes in [layout.file_bytes - 1, layout.file_bytes + 1] {
        copy.resize(bytes);
        assert_eq!(wrong(&refusal(&[&copy], true)), Wrong::Length);
    }
    for bytes in [0, 1, HEADER_BYTES as u64 - 1] {
        copy.resize(bytes);
        assert_eq!(wrong(&refusal(&[&copy], true)), Wrong::Io);
    }
}

/// A process's image, and one that was made of it later, which refers to pages of the first.
struct Family {
    pool: TestPool,
    child: Copy,
    parent: Copy,
    child_layout: Layout,
    parent_layout: Layout,
}

fn family() -> Family {
    let pool = TestPool::new();
    let mut program = Program::start();
    program.checkpoint(&pool, "parent", None);
    program.write_some_pages();
    program.checkpoint(&pool, "child", Some("parent"));
    let (child, child_layout) = pool.copy("child");
    let (parent, parent_layout) = pool.copy("parent");
    let family = Family {
        pool,
        child,
        parent,
        child_layout,
        parent_layout,
    };
    assert!(!family.child_layout.inherited.is_empty());
    assert!(!family.child_layout.pages.is_empty());
    read(&[&family.child, &family.parent], true).expect("child and parent are accepted");
    family
}

#[track_caller]
fn assert_breaks_chain(images: &[&Copy], rule: &Rule) {
    match refusal(images, true) {
        ReadError::Chain(invalid) => assert_eq!(&invalid.rule, rule),
        other => panic!("{other:?}"),
    }
}

#[test]
fn child_without_its_parent_is_refused() {
    let family = family();
    assert_breaks_chain(&[&family.child], &Rule::Generation(1));
}

#[test]
fn child_with_another_image_as_its_parent_is_refused() {
    let family = family();
    Program::start().checkpoint(&family.pool, "stranger", None);
    let (stranger, _) = family.pool.copy("stranger");
    read(&[&stranger], true).expect("the stranger itself is whole");
    assert_breaks_chain(&[&family.child, &stranger], &Rule::WrongAncestor);
    assert_breaks_chain(&[&family.child, &family.child], &Rule::WrongAncestor);
    assert_breaks_chain(&[&family.parent, &family.child], &Rule::WrongAncestor);
    let surplus = [&family.child, &family.parent, &stranger];
    assert_breaks_chain(&surplus, &Rule::WrongAncestor);
}

#[test]
fn pages_of_so_many_images_are_looked_at_as_was_said() {
    let family = family();
    let bit = family.parent_layout.pages[0].start * 8 + 5;
    family.parent.flip(bit);
    let chain = [&family.child, &family.parent];
    let with = |images| read_with(&chain, KEY, images, Memory::Local);
    assert!(with(1).is_ok());
    let found = with(2).unwrap_err();
    assert!(
        matches!(found, ReadError::Page { generation: 1, .. }),
        "{found:?}"
    );
}

#[test]
fn child_that_names_another_parent_is_refused() {
    let family = family();
    let named = family
        .child
        .resealed(|manifest| manifest.parent = Some(ImageId([9; 32])));
    assert_breaks_chain(&[&named, &family.parent], &Rule::WrongAncestor);
    let unchanged = family.child.resealed(|_| ());
    read(&[&unchanged, &family.parent], true).expect("sealing again changes nothing by itself");
}

#[test]
fn changed_bit_of_a_page_that_only_the_parent_stores_is_refused() {
    let family = family();
    let images = [&family.child, &family.parent];
    let seed = number("OFFSHOOT_FLIPS_SEED", 1);
    let inherited = image::Stored::of(&family.child_layout.inherited);
    for bit in Bits::new(&inherited, seed).take(200) {
        family.parent.flip(bit);
        let error = refusal(&images, true);
        family.parent.flip(bit);
        let of_parent = matches!(error, ReadError::Page { generation: 1, .. });
        assert!(of_parent, "bit {bit}: {error:?}");
        assert_eq!(wrong(&error), family.parent_layout.expected(bit));
    }
    family.parent.flip(1000);
    let error = refusal(&images, true);
    assert!(matches!(error, ReadError::Header { generation: 1, .. }));
}

#[test]
fn image_is_refused_under_another_key() {
    let (_pool, copy, _) = small_image();
    let error = read_with(&[&copy], [8; 32], 1, Memory::Local).unwrap_err();
    assert_eq!(wrong(&error), Wrong::Header);
}
