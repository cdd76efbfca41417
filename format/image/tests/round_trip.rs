//! What is sealed is what is opened.

#![allow(clippy::unwrap_used, missing_docs)]

mod generated;

use offshoot_image::model::{Manifest, PAGE_BYTES};
use offshoot_image::{
    CHUNK_PAGES, ChunkHasher, ChunkRange, Header, ImageId, Key, SealError, chunk_count, chunks,
    sample, seal, stored_pages,
};
use proptest::prelude::*;

const KEY: Key = Key([3; 32]);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn manifest_comes_back_as_it_was_sealed(manifest in generated::manifest()) {
        let digests: Vec<[u8; 32]> = chunks(&manifest).map(|chunk| digest(chunk, 0)).collect();
        let sealed = seal(&manifest, &digests, &KEY).unwrap();
        let header = Header::open(&sealed.header, &KEY, sealed.file_bytes()).unwrap();
        prop_assert_eq!(&header, &sealed.fields);
        let opened = header.open_manifest(&sealed.metadata, &KEY).unwrap();
        prop_assert_eq!(&opened, &manifest);
        let digests = header.open_digests(&sealed.digests, &opened, &KEY).unwrap();
        for chunk in digests.chunks().iter().step_by(11) {
            prop_assert!(digests.verify(chunk.file_page, &pages(*chunk, 0)).is_ok());
            prop_assert!(digests.verify(chunk.file_page, &pages(*chunk, 1)).is_err());
        }
    }

    #[test]
    fn chunks_cover_each_stored_page_once(manifest in generated::manifest()) {
        let chunks: Vec<ChunkRange> = chunks(&manifest).collect();
        prop_assert_eq!(chunks.len() as u64, chunk_count(&manifest));
        prop_assert!(chunks.windows(2).all(|pair| pair[0].end() <= pair[1].file_page));
        prop_assert!(chunks.iter().all(|chunk| (1..=CHUNK_PAGES).contains(&chunk.pages)));
        let covered: u64 = chunks.iter().map(|chunk| u64::from(chunk.pages)).sum();
        prop_assert_eq!(covered, stored_pages(&manifest));
        for run in runs(&manifest) {
            for page in run {
                prop_assert!(chunks.iter().any(|chunk| (chunk.file_page..chunk.end()).contains(&page)));
            }
        }
    }
}

#[test]
fn equal_manifests_give_equal_ids_and_others_do_not() {
    let id = |manifest: &Manifest, seed| {
        let digests: Vec<[u8; 32]> = chunks(manifest).map(|chunk| digest(chunk, seed)).collect();
        seal(manifest, &digests, &KEY).unwrap().id()
    };
    let manifest = sample::manifest(20);
    let mut later = manifest.clone();
    later.process.clocks.realtime_ns += 1;
    let mut child = manifest.clone();
    child.parent = Some(ImageId([1; 32]));
    assert_eq!(id(&manifest, 0), id(&manifest, 0));
    assert_ne!(id(&manifest, 0), id(&manifest, 1));
    assert_ne!(id(&manifest, 0), id(&later, 0));
    assert_ne!(id(&manifest, 0), id(&child, 0));
}

#[test]
fn image_without_pages_is_an_image() {
    let manifest = sample::manifest(0);
    let sealed = seal(&manifest, &[], &KEY).unwrap();
    let header = Header::open(&sealed.header, &KEY, sealed.file_bytes()).unwrap();
    assert_eq!((header.end_page, header.stored_pages), (512, 0));
    assert_eq!(header.open_manifest(&sealed.metadata, &KEY), Ok(manifest));
}

#[test]
fn extent_is_cut_from_its_first_page_on() {
    let cut: Vec<_> = chunks(&sample::manifest(35))
        .map(|chunk| (chunk.file_page, chunk.pages))
        .collect();
    assert_eq!(cut, [(512, 16), (528, 16), (544, 3)]);
}

#[test]
fn neighbouring_runs_share_chunks() {
    let mut manifest = sample::manifest(20);
    let run = manifest.mappings[1].runs[0];
    manifest.mappings[1].runs = vec![
        offshoot_image::model::Run { pages: 5, ..run },
        offshoot_image::model::Run {
            page: run.page + 6,
            file_page: run.file_page + 5,
            pages: 14,
            ..run
        },
    ];
    assert_eq!(manifest.validate(), Ok(()));
    let cut: Vec<_> = chunks(&manifest)
        .map(|chunk| (chunk.file_page, chunk.pages))
        .collect();
    assert_eq!(cut, [(512, 16), (528, 3)]);
}

#[test]
fn chunks_cannot_be_swapped_or_cut() {
    let manifest = sample::manifest(35);
    let digests: Vec<[u8; 32]> = chunks(&manifest).map(|chunk| digest(chunk, 7)).collect();
    let sealed = seal(&manifest, &digests, &KEY).unwrap();
    let digests = sealed
        .fields
        .open_digests(&sealed.digests, &manifest, &KEY)
        .unwrap();
    let [first, second, third] = digests.chunks() else {
        panic!("three chunks");
    };
    let bytes = pages(*first, 7);
    assert!(digests.verify(first.file_page, &bytes).is_ok());
    assert!(digests.verify(second.file_page, &bytes).is_err());
    assert!(digests.verify(first.file_page, &bytes[..4096]).is_err());
    assert!(digests.verify(first.file_page + 1, &bytes[4096..]).is_err());
    assert!(digests.verify(first.file_page, &[]).is_err());
    assert!(digests.verify(u64::MAX, &bytes).is_err());
    assert_eq!(digests.find(529), Some(*second));
    assert_eq!(digests.find(third.end()), None);
    assert_eq!(digests.find(511), None);
}

#[test]
fn too_few_digests_are_refused() {
    let refused = seal(&sample::manifest(17), &[[0; 32]], &KEY).unwrap_err();
    assert_eq!(
        refused,
        SealError::Digests {
            given: 1,
            chunks: 2
        }
    );
}

#[test]
fn id_is_text_for_people_and_bytes_in_images() {
    let id = ImageId([0xab; 32]);
    let json = serde_json::to_string(&id).unwrap();
    assert_eq!(json, format!("\"{}\"", "ab".repeat(32)));
    assert_eq!(serde_json::from_str::<ImageId>(&json).unwrap(), id);
    assert!(serde_json::from_str::<ImageId>("\"ab\"").is_err());
}

fn runs(manifest: &Manifest) -> impl Iterator<Item = std::ops::Range<u64>> {
    let runs = manifest.mappings.iter().flat_map(|mapping| &mapping.runs);
    runs.map(|run| run.file_page..run.file_page + u64::from(run.pages))
}

// Each page has bytes of its own.
fn pages(chunk: ChunkRange, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(chunk.bytes()).unwrap()];
    let pages = bytes.chunks_exact_mut(PAGE_BYTES as usize);
    for (page, bytes) in (chunk.file_page..chunk.end()).zip(pages) {
        bytes.fill(seed ^ page as u8);
    }
    bytes
}

fn digest(chunk: ChunkRange, seed: u8) -> [u8; 32] {
    ChunkHasher::new(&KEY).digest(chunk.file_page, &pages(chunk, seed))
}
