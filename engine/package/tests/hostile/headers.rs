//! Headers, descriptors and streams that contradict each other.

use offshoot_package::EntryFault as E;
use offshoot_package::UnpackErrorKind;

use crate::cases::{Case, Want, refuse_all, zip};
use crate::support::builder::{Header, Item, deflate, extra, zip64_extra};

#[test]
#[rustfmt::skip] // one row, one case
fn lying_headers_are_refused() {
    let file = || Item::file("f", "content").deflated();
    let local = |change: fn(&mut Header)| {
        zip([file().with(|i| change(&mut i.local)), file_two()])
    };
    let both = |change: fn(&mut Header)| zip([file().both(change), file_two()]);
    let differs = |field: &str| {
        Want::Entry(E::LocalDiffers {
            field: field.to_owned(),
        })
    };
    let described =
        |change: fn(&mut Item)| zip([file().described(true, false).with(change), file_two()]);
    let cases: Vec<Case> = vec![
        ("encrypted", both(|h| h.flags |= 1), Want::Entry(E::Encrypted)),
        ("strongly encrypted", both(|h| h.flags |= 1 << 6), Want::Entry(E::Encrypted)),
        ("masked", both(|h| h.flags |= 1 << 13), Want::Entry(E::Encrypted)),
        ("patch", both(|h| h.flags |= 1 << 5), Want::Entry(E::Encrypted)),
        ("encrypted by the local header", local(|h| h.flags |= 1), differs("flags")),
        ("aes", both(|h| h.method = 99), Want::Entry(E::Method { method: 99 })),
        ("bzip2", both(|h| h.method = 12), Want::Entry(E::Method { method: 12 })),
        ("lzma", both(|h| h.method = 14), Want::Entry(E::Method { method: 14 })),
        ("zstd", both(|h| h.method = 93), Want::Entry(E::Method { method: 93 })),
        ("deflate64", both(|h| h.method = 9), Want::Entry(E::Method { method: 9 })),
        ("unknown method", both(|h| h.method = 0xfffe), Want::Entry(E::Method { method: 0xfffe })),
        ("other local name", local(|h| h.name = b"g".to_vec()), differs("name")),
        ("longer local name", local(|h| h.name = b"../f".to_vec()), differs("name")),
        ("other local method", local(|h| h.method = 0), differs("method")),
        ("other local checksum", local(|h| h.crc ^= 1), differs("checksum")),
        ("other local size", local(|h| h.uncompressed += 1), differs("size")),
        ("other local compressed size", local(|h| h.compressed -= 1), differs("size")),
        ("zero local size", local(|h| h.uncompressed = 0), differs("size")),
        ("descriptor flag in the local header only", local(|h| h.flags |= 8), differs("flags")),
        ("no local signature", local(|h| h.signature = 0), Want::Entry(E::LocalMissing)),
        ("central signature in place of local", local(|h| h.signature = 0x0201_4b50), Want::Entry(E::LocalMissing)),
        ("descriptor checksum", described(|i| i.after[4] ^= 1), Want::Entry(E::Descriptor)),
        ("descriptor compressed size", described(|i| i.after[8] ^= 1), Want::Entry(E::Descriptor)),
        ("descriptor size", described(|i| i.after[12] ^= 1), Want::Entry(E::Descriptor)),
        ("descriptor signature", described(|i| i.after[0] ^= 1), Want::Entry(E::Descriptor)),
        ("descriptor missing", described(|i| i.after.clear()), Want::Entry(E::Descriptor)),
        ("descriptor cut", described(|i| i.after.truncate(15)), Want::Entry(E::Descriptor)),
        ("descriptor too long", described(|i| i.after.extend([0; 100])), Want::Entry(E::Descriptor)),
        ("descriptor and lying header", described(|i| i.local.uncompressed = 3), differs("size")),
        ("size too small", both(|h| h.uncompressed = 3), Want::Entry(E::Size)),
        ("size too large", both(|h| h.uncompressed = 300), Want::Entry(E::Size)),
        ("size zero", both(|h| h.uncompressed = 0), Want::Entry(E::Size)),
        ("checksum", both(|h| h.crc ^= 0x8000_0000), Want::Entry(E::Checksum)),
        ("compressed size too small", both(|h| h.compressed -= 1), Want::Entry(E::Gap)),
        ("compressed size too large", both(|h| h.compressed += 1), Want::Entry(E::Overlap)),
        ("compressed size huge", both(|h| h.compressed = 0x7fff_ffff), Want::Entry(E::Overlap)),
        ("stored with other sizes", zip([Item::file("f", "abc").both(|h| h.uncompressed = 2)]), Want::Entry(E::Size)),
        ("stored and corrupt", zip([Item::file("f", "abc").with(|i| i.data[0] = b'x')]), Want::Entry(E::Checksum)),
        ("deflate stream corrupt", stream(b"\xff\xff\xff\xff"), Want::Entry(E::Corrupt)),
        ("deflate stream empty", stream(b""), Want::Entry(E::Corrupt)),
        ("deflate stream cut", stream(&deflate(b"some content, cut")[..8]), Want::Entry(E::Corrupt)),
        ("deflate stream with trailing data", stream(&[deflate(b"content"), b"hidden".to_vec()].concat()), Want::Entry(E::Corrupt)),
        ("deflate stream reaching back too far", stream(b"\x4b\x04\x80\x01\x00"), Want::Entry(E::Corrupt)),
        ("extra field overruns", both(|h| h.extra = b"\x01\x00\xff\xff".to_vec()), Want::Entry(E::ExtraFields)),
        ("local extra field overruns", local(|h| h.extra = b"\x55\x54\x09\x00abc".to_vec()), Want::Entry(E::ExtraFields)),
        ("two zip64 fields", both(|h| h.extra = [zip64_extra(&[1]), zip64_extra(&[2])].concat()), Want::Entry(E::ExtraFields)),
        ("two unicode paths", both(|h| h.extra = extra(0x7075, b"\x01CRC!f").repeat(2)), Want::Entry(E::ExtraFields)),
        ("zip64 field missing", both(|h| h.uncompressed = u32::MAX), Want::Entry(E::Zip64)),
        ("zip64 field short", both(|h| { h.uncompressed = u32::MAX; h.extra = extra(1, &[0; 4]); }), Want::Entry(E::Zip64)),
        ("zip64 field holds one of two", both(|h| { (h.uncompressed, h.compressed) = (u32::MAX, u32::MAX); h.extra = zip64_extra(&[7]); }), Want::Entry(E::Zip64)),
        ("zip64 size huge", both(|h| { h.uncompressed = u32::MAX; h.extra = zip64_extra(&[u64::MAX]); }), Want::Kind(UnpackErrorKind::TooLarge)),
        ("zip64 size a little off", both(|h| { h.uncompressed = u32::MAX; h.extra = zip64_extra(&[8]); }), Want::Entry(E::Size)),
        ("zip64 compressed size huge", both(|h| { h.compressed = u32::MAX; h.extra = zip64_extra(&[u64::MAX]); }), Want::Entry(E::Overlap)),
        ("zip64 local differs", zip([file().both(|h| h.uncompressed = u32::MAX).with(|i| { i.central.extra = zip64_extra(&[7]); i.local.extra = zip64_extra(&[6]); })]), differs("size")),
        ("on another disk", both(|h| h.disk = 1), Want::Entry(E::Zip64)),
        ("on another disk by zip64", both(|h| { h.disk = u16::MAX; h.extra = extra(1, &[1, 0, 0, 0]); }), Want::Entry(E::Zip64)),
    ];
    refuse_all(cases, 56);
}

fn file_two() -> Item {
    Item::file("second", "file")
}

/// An entry of seven announced bytes whose deflate stream is `data`.
fn stream(data: &[u8]) -> Vec<u8> {
    let item = Item::file("f", "content").both(|h| {
        (h.method, h.compressed) = (8, data.len() as u32);
    });
    zip([item.with(|i| i.data = data.to_vec())])
}
