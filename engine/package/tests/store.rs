//! The store: idempotence, removal, crashes, locking.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use offshoot_package::{Digest, Limits, OpenError, PackageStore, UnpackErrorKind};
use support::builder::{Archive, Item};
use support::{Arena, worker};

fn zip_of(content: &str) -> Vec<u8> {
    Archive::of([
        Item::file("index.js", content),
        Item::file("lib/util.js", "u"),
    ])
    .bytes()
}

#[test]
fn unpacking_twice_gives_the_same_package() {
    let arena = Arena::new();
    let first = arena
        .store
        .unpack(&zip_of("1"), &Limits::default())
        .unwrap();
    let made = first.path.metadata().unwrap().ino();
    let second = arena
        .store
        .unpack(&zip_of("1"), &Limits::default())
        .unwrap();
    assert_eq!(first, second);
    assert_eq!(second.path.metadata().unwrap().ino(), made);
    assert_eq!((first.entries, first.unzipped_bytes), (3, 2));
    assert_eq!(arena.store.list().unwrap(), [first.digest]);
    assert_eq!(arena.store.path(&first.digest), Some(first.path));
}

#[test]
fn a_package_already_there_still_obeys_smaller_limits() {
    let arena = Arena::new();
    arena
        .store
        .unpack(&zip_of("1"), &Limits::default())
        .unwrap();
    for limits in [
        Limits {
            unzipped_bytes: 1,
            ..Limits::default()
        },
        Limits {
            entries: 2,
            ..Limits::default()
        },
    ] {
        let error = arena.store.unpack(&zip_of("1"), &limits).unwrap_err();
        assert_eq!(error.kind(), UnpackErrorKind::TooLarge);
    }
}

#[test]
fn removed_packages_are_gone_and_can_come_back() {
    let arena = Arena::new();
    let empty = arena.snapshot();
    let package = arena
        .store
        .unpack(&zip_of("1"), &Limits::default())
        .unwrap();
    arena.store.remove(&package.digest).unwrap();
    assert_eq!(arena.snapshot(), empty);
    assert_eq!(arena.store.path(&package.digest), None);
    arena.store.remove(&package.digest).unwrap();
    assert_eq!(
        arena
            .store
            .unpack(&zip_of("1"), &Limits::default())
            .unwrap(),
        package
    );
}

#[test]
fn packages_survive_reopening_and_half_made_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("code");
    let store = PackageStore::open(&root, worker()).unwrap();
    let package = store.unpack(&zip_of("1"), &Limits::default()).unwrap();
    drop(store);
    let half = root.join("tmp-1-0/tree");
    let deep = half.join("d/".repeat(900));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("f"), "x").unwrap();
    std::fs::write(dir.path().join("canary"), "x").unwrap();
    symlink(dir.path(), half.join("out")).unwrap();
    let store = PackageStore::open(&root, worker()).unwrap();
    assert_eq!(store.list().unwrap(), [package.digest]);
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1);
    assert!(dir.path().join("canary").exists());
}

#[test]
fn a_store_has_one_owner() {
    let arena = Arena::new();
    let second = PackageStore::open(&arena.root(), worker());
    assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");
}

#[test]
fn a_store_behind_a_symbolic_link_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("real")).unwrap();
    symlink("real", dir.path().join("code")).unwrap();
    let opened = PackageStore::open(&dir.path().join("code"), worker());
    assert!(matches!(opened, Err(OpenError::Root { .. })), "{opened:?}");
}

#[test]
fn the_store_is_closed_to_others() {
    let arena = Arena::new();
    std::fs::set_permissions(arena.root(), PermissionsExt::from_mode(0o777)).unwrap();
    let root = arena.root();
    drop(arena.store);
    let _store = PackageStore::open(&root, worker()).unwrap();
    assert_eq!(root.metadata().unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn sixteen_threads_unpack_the_same_and_other_zips() {
    let arena = Arena::new();
    std::thread::scope(|scope| {
        for n in 0..16 {
            let store = &arena.store;
            scope.spawn(move || {
                store
                    .unpack(&zip_of(&(n % 4).to_string()), &Limits::default())
                    .unwrap();
            });
        }
    });
    assert_eq!(arena.store.list().unwrap().len(), 4);
    assert_eq!(std::fs::read_dir(arena.root()).unwrap().count(), 4);
}

#[test]
fn strangers_in_the_store_are_not_listed() {
    let arena = Arena::new();
    std::fs::create_dir(arena.root().join("lost+found")).unwrap();
    assert_eq!(arena.store.list().unwrap(), []);
    assert_eq!(arena.store.path(&Digest::of(b"")), None);
}

#[test]
fn a_damaged_record_is_an_error_and_not_a_guess() {
    let arena = Arena::new();
    let package = arena
        .store
        .unpack(&zip_of("1"), &Limits::default())
        .unwrap();
    let record = package.path.parent().unwrap().join("package.json");
    for text in ["", "{", "{\"format\":2,\"unzipped_bytes\":1,\"entries\":1}"] {
        std::fs::write(&record, text).unwrap();
        let error = arena
            .store
            .unpack(&zip_of("1"), &Limits::default())
            .unwrap_err();
        assert_eq!(error.kind(), UnpackErrorKind::Io, "{text}");
    }
}
