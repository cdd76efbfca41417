//! Whatever is changed in an image is noticed.

#![allow(clippy::unwrap_used, missing_docs)]

use offshoot_image::model::{Manifest, PAGE_BYTES};
use offshoot_image::{
    ChunkHasher, DigestsError, FIRST_PAGE, HEADER_BYTES, Header, HeaderError, Key, ManifestError,
    Sealed, VERSION, chunks, sample, seal,
};

const KEY: Key = Key([5; 32]);

#[test]
fn every_flipped_bit_of_the_header_is_refused() {
    let (sealed, _) = image();
    for bit in 0..HEADER_BYTES * 8 {
        let mut header = *sealed.header;
        header[bit / 8] ^= 1 << (bit % 8);
        let refused = Header::open(&header, &KEY, sealed.file_bytes()).unwrap_err();
        match bit / 8 {
            0..8 => assert_eq!(refused, HeaderError::NotAnImage),
            8..12 => assert!(
                matches!(refused, HeaderError::UnknownVersion { found } if found != VERSION)
            ),
            _ => assert_eq!(refused, HeaderError::WrongDigest, "bit {bit}"),
        }
    }
}

#[test]
fn every_flipped_bit_of_the_metadata_is_refused() {
    let (sealed, _) = image();
    let mut metadata = sealed.metadata.clone();
    for bit in 0..metadata.len() * 8 {
        metadata[bit / 8] ^= 1 << (bit % 8);
        let opened = sealed.fields.open_manifest(&metadata, &KEY);
        assert_eq!(opened, Err(ManifestError::WrongDigest), "bit {bit}");
        metadata[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(sealed.fields.open_manifest(&metadata, &KEY).is_ok());
}

#[test]
fn every_flipped_bit_of_the_digests_is_refused() {
    let (sealed, manifest) = image();
    let mut digests = sealed.digests.clone();
    for bit in 0..digests.len() * 8 {
        digests[bit / 8] ^= 1 << (bit % 8);
        let opened = sealed.fields.open_digests(&digests, &manifest, &KEY);
        assert_eq!(opened.unwrap_err(), DigestsError::WrongDigest, "bit {bit}");
        digests[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(
        sealed
            .fields
            .open_digests(&digests, &manifest, &KEY)
            .is_ok()
    );
}

#[test]
fn file_of_every_other_length_is_refused() {
    let (sealed, _) = image();
    let whole = sealed.file_bytes();
    for found_bytes in (0..whole)
        .rev()
        .take(20_000)
        .chain([0, 1, 4096, whole + 1, u64::MAX])
    {
        let expected = HeaderError::WrongLength {
            expected_bytes: whole,
            found_bytes,
        };
        assert_eq!(
            Header::open(&sealed.header, &KEY, found_bytes),
            Err(expected)
        );
    }
}

#[test]
fn parts_of_every_other_length_are_refused() {
    let (sealed, manifest) = image();
    for length in 0..sealed.metadata.len() {
        let opened = sealed
            .fields
            .open_manifest(&sealed.metadata[..length], &KEY);
        assert!(
            matches!(opened, Err(ManifestError::WrongLength { .. })),
            "{length}"
        );
    }
    for length in 0..sealed.digests.len() {
        let opened = sealed
            .fields
            .open_digests(&sealed.digests[..length], &manifest, &KEY);
        assert!(
            matches!(opened, Err(DigestsError::WrongLength { .. })),
            "{length}"
        );
    }
}

#[test]
fn metadata_cut_anywhere_and_sealed_again_is_refused() {
    let (sealed, _) = image();
    for length in 1..sealed.metadata.len() {
        let forged = sample::forge(sealed.metadata[..length].to_vec(), &sealed, &KEY);
        let header = Header::open(&forged.header, &KEY, forged.file_bytes()).unwrap();
        let opened = header.open_manifest(&forged.metadata, &KEY);
        assert!(
            matches!(opened, Err(ManifestError::Decode(_))),
            "{length}: {opened:?}"
        );
    }
}

#[test]
fn bytes_behind_the_manifest_are_refused() {
    let (sealed, _) = image();
    let mut metadata = sealed.metadata.clone();
    metadata.extend([0, 0]);
    let forged = sample::forge(metadata, &sealed, &KEY);
    let opened = forged.fields.open_manifest(&forged.metadata, &KEY);
    assert_eq!(opened, Err(ManifestError::Trailing { bytes: 2 }));
}

#[test]
fn another_key_opens_nothing() {
    let (sealed, manifest) = image();
    let other = Key([6; 32]);
    let whole = sealed.file_bytes();
    assert_eq!(
        Header::open(&sealed.header, &other, whole),
        Err(HeaderError::WrongDigest)
    );
    let opened = sealed.fields.open_manifest(&sealed.metadata, &other);
    assert_eq!(opened, Err(ManifestError::WrongDigest));
    let opened = sealed
        .fields
        .open_digests(&sealed.digests, &manifest, &other);
    assert_eq!(opened.unwrap_err(), DigestsError::WrongDigest);
}

#[test]
fn genuine_metadata_that_breaks_a_rule_is_refused() {
    let (sealed, mut manifest) = image();
    manifest.threads.clear();
    let forged = sample::forge(encode(&manifest), &sealed, &KEY);
    let opened = forged.fields.open_manifest(&forged.metadata, &KEY);
    assert!(
        matches!(opened, Err(ManifestError::Invalid(_))),
        "{opened:?}"
    );
}

#[test]
fn header_and_manifest_must_agree() {
    let (sealed, manifest) = image();
    let mut longer = manifest.clone();
    longer.mappings[1].runs[0].pages -= 1;
    let mut moved = manifest.clone();
    moved.mappings[1].runs[0].file_page += 1;
    let mut child = manifest.clone();
    child.parent = Some(sealed.id());
    for (manifest, what) in [
        (longer, "ends of pages"),
        (moved, "ends of pages"),
        (child, "parents"),
    ] {
        let forged = sample::forge(encode(&manifest), &sealed, &KEY);
        let opened = forged.fields.open_manifest(&forged.metadata, &KEY);
        assert_eq!(opened, Err(ManifestError::Disagree { what }));
    }
}

#[test]
fn digests_of_another_image_are_refused() {
    let (sealed, _) = image();
    let opened = sealed
        .fields
        .open_digests(&sealed.digests, &sample::manifest(1), &KEY);
    assert_eq!(
        opened.unwrap_err(),
        DigestsError::Disagree {
            digests: 3,
            chunks: 1
        }
    );
}

#[test]
fn genuine_header_with_impossible_fields_is_refused() {
    let (sealed, _) = image();
    type Change = fn(&mut Header);
    let changes: [(&str, Change); 9] = [
        ("end of pages", |h| h.end_page = FIRST_PAGE - 1),
        ("end of pages", |h| h.end_page = u64::MAX),
        ("number of pages", |h| h.stored_pages = 36),
        ("number of pages", |h| h.stored_pages = 0),
        ("metadata offset", |h| h.metadata.offset += 1),
        ("digests offset", |h| h.digests.offset = u64::MAX),
        ("digests length", |h| h.digests.bytes = 33),
        ("digests length", |h| h.digests.bytes = 32 * 36),
        ("file length", |h| h.file_bytes += 1),
    ];
    for (expected, change) in changes {
        let header = sample::forge_header(&sealed, &KEY, change);
        match Header::open(&header, &KEY, sealed.file_bytes()) {
            Err(HeaderError::Field { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    for (metadata_bytes, digests) in [(0, 0), (u64::MAX, 0), (1 << 40, 0)] {
        let header = sample::forge_header(&sealed, &KEY, |h| {
            h.metadata.bytes = metadata_bytes;
            h.digests.bytes = digests;
        });
        let opened = Header::open(&header, &KEY, sealed.file_bytes());
        let field = "metadata length";
        assert_eq!(
            opened,
            Err(HeaderError::Field {
                field,
                value: metadata_bytes
            })
        );
    }
}

#[test]
fn genuine_header_with_reserved_bytes_is_refused() {
    let (sealed, _) = image();
    for at in [176, 1000, 4063] {
        let header = sample::forge_bytes(&sealed, &KEY, |bytes| bytes[at] = 9);
        let opened = Header::open(&header, &KEY, sealed.file_bytes());
        let field = "reserved part";
        assert_eq!(opened, Err(HeaderError::Field { field, value: 9 }));
    }
    let header = sample::forge_bytes(&sealed, &KEY, |bytes| bytes[13] = 0);
    let opened = Header::open(&header, &KEY, sealed.file_bytes());
    assert!(matches!(
        opened,
        Err(HeaderError::Field {
            field: "length of itself",
            ..
        })
    ));
    let header = sample::forge_bytes(&sealed, &KEY, |bytes| bytes[24] = 1);
    let opened = Header::open(&header, &KEY, sealed.file_bytes());
    assert!(matches!(
        opened,
        Err(HeaderError::Field {
            field: "first page",
            ..
        })
    ));
}

#[test]
fn unknown_version_is_refused_by_its_number() {
    let (sealed, _) = image();
    let next = VERSION + 1;
    let header = sample::forge_bytes(&sealed, &KEY, |bytes| bytes[8] = next as u8);
    let refused = Header::open(&header, &KEY, sealed.file_bytes()).unwrap_err();
    assert_eq!(refused, HeaderError::UnknownVersion { found: next });
    assert_eq!(
        refused.to_string(),
        format!("the image has format version {next}; this program reads version {VERSION}")
    );
}

fn image() -> (Sealed, Manifest) {
    let manifest = sample::manifest(35);
    let hasher = ChunkHasher::new(&KEY);
    let page = vec![1; PAGE_BYTES as usize * 16];
    let digests: Vec<[u8; 32]> = chunks(&manifest)
        .map(|chunk| hasher.digest(chunk.file_page, &page[..chunk.bytes() as usize]))
        .collect();
    (seal(&manifest, &digests, &KEY).unwrap(), manifest)
}

fn encode(manifest: &Manifest) -> Vec<u8> {
    postcard::to_stdvec(manifest).unwrap()
}
