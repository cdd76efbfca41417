//! Too much of anything, and what the client is told.

use offshoot_package::EntryFault as E;
use offshoot_package::{Limits, UnpackError, UnpackErrorKind};

use crate::cases::{Case, Want, limits, named, refuse_all, zip};
use crate::support::Arena;
use crate::support::builder::{Archive, Item, write_central, write_local, zip64_extra};

#[test]
#[rustfmt::skip] // one row, one case
fn bombs_are_refused() {
    let zeros = |len: usize| Item::file("zeros", vec![0; len]).deflated();
    let understated = zeros(40_000_000).both(|h| h.uncompressed = 1_000);
    let many = |count: u32| zip((0..count).map(|n| Item::file(format!("f{n}"), "")));
    let tree =
        |count: u32| zip((0..count).map(|n| Item::file(format!("{n}/{}f", "d/".repeat(40)), "")));
    let too_large = || Want::Kind(UnpackErrorKind::TooLarge);
    let cases: Vec<Case> = vec![
        ("one byte too many", zip([zeros(4_000_001)]), too_large()),
        ("one byte too many, stored", zip([Item::file("f", vec![7; 4_000_001])]), too_large()),
        ("one byte too many in two", zip([zeros(4_000_000), Item::file("x", "x")]), too_large()),
        ("ten times too much", zip([zeros(40_000_000)]), too_large()),
        ("understated", zip([understated]), Want::Entry(E::Size)),
        ("understated with descriptor", zip([zeros(40_000_000) .both(|h| h.uncompressed = 1_000) .described(true, false)]), Want::Entry(E::Size)),
        ("sizes that wrap", zip([ zeros(10).both(|h| { h.uncompressed = u32::MAX; h.extra = zip64_extra(&[u64::MAX]); }), Item::file("x", "x")]), too_large()),
        ("2001 empty files", many(2_001), too_large()),
        ("60000 empty files", many(60_000), too_large()),
        ("directories that no entry names", tree(60), too_large()),
    ];
    refuse_all(cases, 10);
}

#[test]
fn a_million_empty_files_are_refused_quickly() {
    let arena = Arena::new();
    let zip = empty_files(1_000_000);
    let started = std::time::Instant::now();
    let error = arena.store.unpack(
        &zip,
        &Limits {
            zipped_bytes: 1 << 30,
            ..Limits::default()
        },
    );
    assert!(
        matches!(error, Err(UnpackError::TooManyEntries { limit: 100_000 })),
        "{error:?}"
    );
    assert!(started.elapsed().as_secs() < 5);
}

/// A zip64 archive of so many empty files, written without holding them.
fn empty_files(count: u32) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for n in 0..count {
        let item = Item::file(format!("{n:x}"), "");
        write_central(&mut directory, &item.central, body.len() as u32);
        write_local(&mut body, &item);
    }
    let end = Archive {
        count: Some(u16::MAX),
        zip64: Some(|_| {}),
        ..Archive::default()
    };
    let (at, len) = (body.len(), directory.len());
    body.extend(directory);
    end.write_end(&mut body, count as usize, at, len);
    body
}

#[test]
fn a_zip_beyond_the_limit_is_not_even_hashed() {
    let arena = Arena::new();
    let limits = Limits {
        zipped_bytes: 10,
        ..Limits::default()
    };
    let error = arena.store.unpack(&[0; 11], &limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Zipped size must be smaller than 10 bytes"
    );
    assert_eq!(error.kind(), UnpackErrorKind::TooLarge);
}

#[test]
fn messages_are_lambdas_own() {
    let arena = Arena::new();
    let message = |zip: &[u8]| arena.store.unpack(zip, &limits()).unwrap_err().to_string();
    assert_eq!(
        message(b"no zip"),
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    );
    assert_eq!(
        message(&Archive::default().bytes()),
        "Uploaded file must be a non-empty zip"
    );
    assert_eq!(
        message(&zip([Item::file("f", vec![0; 4_000_001]).deflated()])),
        "Unzipped size must be smaller than 4000000 bytes"
    );
    assert_eq!(
        message(&named("../\x1b[2Jx")),
        "Could not unzip uploaded file: entry \"../\\u{1b}[2Jx\" is refused: \
         its name has a \"..\" component"
    );
}
