//! How a table of hostile zips is run.

use offshoot_package::{ArchiveFault, EntryFault, Limits, UnpackError, UnpackErrorKind};

use crate::support::Arena;
use crate::support::builder::{Archive, Item};

/// What is expected of a case.
pub enum Want {
    Archive(ArchiveFault),
    Entry(EntryFault),
    Empty,
    Kind(UnpackErrorKind),
}

/// Name, zip, expectation.
pub type Case = (&'static str, Vec<u8>, Want);

/// Small limits, so that bombs are small too.
pub fn limits() -> Limits {
    Limits {
        unzipped_bytes: 4_000_000,
        entries: 2_000,
        ..Limits::default()
    }
}

/// Runs a table in one store. `at_least` keeps a table from shrinking unnoticed.
pub fn refuse_all(cases: Vec<Case>, at_least: usize) {
    let mut names: Vec<_> = cases.iter().map(|case| case.0).collect();
    names.sort_unstable();
    names.dedup();
    assert!(
        names.len() == cases.len() && names.len() >= at_least,
        "{} cases",
        names.len()
    );
    let arena = Arena::new();
    let before = arena.snapshot();
    for (name, zip, want) in cases {
        let error = arena.store.unpack(&zip, &limits()).expect_err(name);
        check(name, &error, want);
        assert_eq!(arena.snapshot(), before, "{name}: something was left");
    }
    assert_eq!(arena.store.list().unwrap(), []);
}

fn check(name: &str, error: &UnpackError, want: Want) {
    let right = match (error, &want) {
        (UnpackError::NotAZip { fault }, Want::Archive(wanted)) => fault == wanted,
        (UnpackError::Hostile { fault, entry }, Want::Entry(wanted)) => {
            assert!(entry.chars().all(|c| !c.is_control()), "{name}: {entry:?}");
            fault == wanted
        }
        (UnpackError::Empty, Want::Empty) => true,
        (error, Want::Kind(kind)) => error.kind() == *kind,
        _ => false,
    };
    assert!(right, "{name}: {error:?}");
}

/// A zip of these entries.
pub fn zip(items: impl IntoIterator<Item = Item>) -> Vec<u8> {
    Archive::of(items).bytes()
}

/// A zip with an innocent entry and one of this name.
pub fn named(name: impl AsRef<[u8]>) -> Vec<u8> {
    zip([Item::file("index.js", "ok"), Item::file(name, "hostile")])
}
