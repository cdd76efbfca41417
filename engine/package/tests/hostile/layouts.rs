//! Archives of which two readers could see two different ones.

use offshoot_package::ArchiveFault as A;
use offshoot_package::EntryFault as E;
use offshoot_package::UnpackErrorKind;

use crate::cases::{Case, Want, refuse_all, zip};
use crate::support::builder::{Archive, Item};

#[test]
#[rustfmt::skip] // one row, one case
fn hostile_layouts_are_refused() {
    let two = || Archive::of([Item::file("a", "first"), Item::file("b", "second")]);
    let good = two().bytes();
    let end_at = good.len() - 22;
    let wide = |change| two().with(|a| a.zip64 = Some(change)).bytes();
    let with = |change: fn(&mut Archive)| two().with(change).bytes();
    let record = |index| Want::Archive(A::DirectoryRecord { index });
    let prefixed = |bytes| Want::Archive(A::Prefixed { bytes });
    let cases: Vec<Case> = vec![
        ("nothing", Vec::new(), Want::Archive(A::NoEnd)),
        ("one byte", b"P".to_vec(), Want::Archive(A::NoEnd)),
        ("text", b"exports.handler = async () => 1; // not a zip".to_vec(), Want::Archive(A::NoEnd)),
        ("gzip", [b"\x1f\x8b\x08".to_vec(), vec![0; 100]].concat(), Want::Archive(A::NoEnd)),
        ("zeros", vec![0; 100_000], Want::Archive(A::NoEnd)),
        ("only signatures", b"PK\x05\x06".repeat(20_000), Want::Archive(A::NoEnd)),
        ("empty archive", Archive::default().bytes(), Want::Empty),
        ("empty archive with comment", Archive::default() .with(|a| a.comment = b"hi".to_vec()) .bytes(), Want::Empty),
        ("empty archive with entries hidden", with(|a| { a.count = Some(0); }), record(0)),
        ("empty archive behind data", with(|a| a.items.iter_mut().for_each(|i| i.in_directory = false)), record(0)),
        ("truncated by one", good[..good.len() - 1].to_vec(), Want::Archive(A::NoEnd)),
        ("truncated to the entries", good[..50].to_vec(), Want::Archive(A::NoEnd)),
        ("truncated before the end record", good[..end_at].to_vec(), Want::Archive(A::NoEnd)),
        ("without its beginning", good[10..].to_vec(), Want::Archive(A::DirectoryPlace)),
        ("appended byte", [&good[..], b"x"].concat(), Want::Archive(A::NoEnd)),
        ("appended zip", good.repeat(2), Want::Archive(A::DirectoryPlace)),
        ("comment length too long", with(|a| a.comment_len = Some(5)), Want::Archive(A::NoEnd)),
        ("comment length too short", with(|a| { a.comment = b"hello".to_vec(); a.comment_len = Some(2); }), Want::Archive(A::NoEnd)),
        ("end record in the comment", with(|a| a.comment = Archive::default().bytes()), Want::Archive(A::AmbiguousEnd)),
        ("second archive in the comment", with(|a| a.comment = zip([Item::file("evil", "x")])), Want::Archive(A::AmbiguousEnd)),
        ("prefix, offsets not adjusted", [b"#!/bin/sh\n", &good[..]].concat(), Want::Archive(A::DirectoryPlace)),
        ("prefix, offsets adjusted", with(|a| a.prefix = b"#!/bin/sh\n".to_vec()), prefixed(10)),
        ("long prefix", with(|a| a.prefix = vec![b'x'; 70_000]), prefixed(70_000)),
        ("hidden first entry", with(|a| a.items[0].in_directory = false), prefixed(36)),
        ("hidden last entry", with(|a| a.items[1].in_directory = false), Want::Entry(E::Gap)),
        ("gap between entries", with(|a| a.items[0].after = b"gap".to_vec()), Want::Entry(E::Gap)),
        ("gap before the directory", with(|a| a.before_directory = vec![0; 7]), Want::Entry(E::Gap)),
        ("gap after the directory", with(|a| a.after_directory = vec![0; 7]), Want::Archive(A::DirectoryPlace)),
        ("digital signature", with(|a| { a.after_directory = b"\x50\x4b\x05\x05\x00\x00".to_vec(); a.directory_len = Some(100); }), record(2)),
        ("overlap, same header", with(|a| a.items[1].central.offset = Some(0)), Want::Entry(E::Overlap)),
        ("overlap, inside the first", with(|a| a.items[1].central.offset = Some(10)), Want::Entry(E::LocalMissing)),
        ("quoted overlap", overlapping(), Want::Entry(E::Overlap)),
        ("offset in the directory", with(|a| a.items[1].central.offset = Some(90)), Want::Entry(E::LocalMissing)),
        ("offset beyond the end", with(|a| a.items[1].central.offset = Some(0x7fff_fff0)), Want::Entry(E::LocalMissing)),
        ("entry without body", with(|a| a.items[1].in_body = false), Want::Entry(E::LocalMissing)),
        ("count too small", with(|a| a.count = Some(1)), record(1)),
        ("count too large", with(|a| a.count = Some(3)), record(2)),
        ("count without zip64", with(|a| a.count = Some(u16::MAX)), Want::Kind(UnpackErrorKind::TooLarge)),
        ("counts differ", with(|a| { a.count_here = Some(1); a.count = Some(2); }), Want::Archive(A::MultiPart)),
        ("second disk", with(|a| a.disk = 1), Want::Archive(A::MultiPart)),
        ("directory on second disk", with(|a| a.directory_disk = 1), Want::Archive(A::MultiPart)),
        ("directory length too small", with(|a| a.directory_len = Some(1)), Want::Archive(A::DirectoryPlace)),
        ("directory length huge", with(|a| a.directory_len = Some(u32::MAX)), Want::Archive(A::DirectoryPlace)),
        ("directory offset huge", with(|a| a.directory_offset = Some(u32::MAX)), Want::Archive(A::DirectoryPlace)),
        ("directory offset zero", with(|a| a.directory_offset = Some(0)), Want::Archive(A::DirectoryPlace)),
        ("central signature", with(|a| a.items[1].central.signature ^= 1), record(1)),
        ("zip64 signature", wide(|w| w.signature ^= 1), Want::Archive(A::Zip64End)),
        ("zip64 size", wide(|w| w.size += 1), Want::Archive(A::Zip64End)),
        ("zip64 size wraps", wide(|w| w.size = u64::MAX - 11), Want::Archive(A::Zip64End)),
        ("zip64 count differs", wide(|w| { w.count += 1; w.count_here += 1; }), Want::Archive(A::Zip64End)),
        ("zip64 offset differs", wide(|w| w.offset += 1), Want::Archive(A::Zip64End)),
        ("zip64 length differs", wide(|w| w.len -= 1), Want::Archive(A::Zip64End)),
        ("zip64 disk differs", wide(|w| w.disk = 1), Want::Archive(A::Zip64End)),
        ("zip64 record elsewhere", wide(|w| w.record_at -= 1), Want::Archive(A::Zip64End)),
        ("zip64 record beyond", wide(|w| w.record_at = u64::MAX), Want::Archive(A::Zip64End)),
        ("zip64 locator disk", wide(|w| w.locator_disk = 1), Want::Archive(A::MultiPart)),
        ("zip64 two disks", wide(|w| w.disks = 2), Want::Archive(A::MultiPart)),
        ("zip64 gap", wide(|w| w.padding = vec![0; 5]), Want::Archive(A::Zip64End)),
        ("zip64 wraps", two() .with(|a| { (a.directory_offset, a.directory_len) = (Some(u32::MAX), Some(u32::MAX)); a.zip64 = Some(|w| { w.offset = u64::MAX; w.len = 2 }); }) .bytes(), Want::Archive(A::DirectoryPlace)),
        ("zip64 2^63 entries", two() .with(|a| { a.count = Some(u16::MAX); a.zip64 = Some(|w| (w.count, w.count_here) = (1 << 63, 1 << 63)); }) .bytes(), Want::Kind(UnpackErrorKind::TooLarge)),
    ];
    refuse_all(cases, 60);
}

/// D. Fifield, "A better zip bomb": the first entry's stored data contains the second's header.
fn overlapping() -> Vec<u8> {
    let inner = zip([Item::file("b", "kernel")]);
    let body = &inner[..30 + 1 + 6];
    let outer = Item::file("a", body);
    let mut ghost = Item::file("b", "kernel").with(|i| i.in_body = false);
    ghost.central.offset = Some(31);
    zip([outer, ghost])
}
