//! Images. Each input gets genuine digests, so that it is decoded at all.

use offshoot_clone::{Compilation, Memory, compile};
use offshoot_image::model::Manifest;
use offshoot_image::{
    HEADER_BYTES, Header, Key, Sealed, Summary, chunk_count, chunks, sample, seal,
};

const KEY: Key = Key([11; 32]);
const FIELDS: usize = HEADER_BYTES - 32;

/// The length of the file, eight bytes, then any bytes as its header: as they are, and with a genuine digest.
pub fn header(input: &[u8]) {
    let Some((length, fields)) = input.split_first_chunk::<8>() else {
        return;
    };
    let file_bytes = u64::from_le_bytes(*length);
    let mut bytes = [0; HEADER_BYTES];
    let used = fields.len().min(HEADER_BYTES);
    bytes[..used].copy_from_slice(&fields[..used]);
    let _ = Header::open(&bytes, &KEY, file_bytes);

    let genuine = sample::forge_bytes(&sealed(&sample::manifest(0)), &KEY, |header| {
        let used = used.min(FIELDS);
        header[..used].copy_from_slice(&bytes[..used]);
    });
    if let Ok(header) = Header::open(&genuine, &KEY, file_bytes) {
        assert_eq!(header.digests.offset + header.digests.bytes, file_bytes);
    }
}

/// Any bytes as metadata: what is accepted keeps every rule and can be used.
pub fn manifest(metadata: &[u8]) {
    if let Some((manifest, _)) = open(metadata) {
        assert_eq!(manifest.validate(), Ok(()));
        assert_eq!(chunks(&manifest).count() as u64, chunk_count(&manifest));
        let _ = Summary::of(&manifest);
        let _ = manifest.validate_ancestors(&[]);
    }
}

/// A length, two bytes, so much metadata, and the rest as the digest list.
pub fn digests(input: &[u8]) {
    let Some((length, rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let (metadata, list) = rest.split_at(rest.len().min(u16::from_le_bytes(*length).into()));
    let Some((manifest, header)) = open(metadata) else {
        return;
    };
    let genuine = sample::forge_digests(&header, list, &KEY);
    if let Ok(digests) = genuine.open_digests(list, &manifest, &KEY) {
        assert_eq!(digests.chunks().len() * 32, list.len());
        for chunk in digests.chunks() {
            assert_eq!(digests.find(chunk.file_page), Some(*chunk));
            let _ = digests.verify(chunk.file_page, list);
        }
    }
}

/// Any bytes as metadata; what is accepted is compiled and the plan is looked over, as the maker of templates does.
pub fn plan(metadata: &[u8]) {
    let Some((manifest, _)) = open(metadata) else {
        return;
    };
    for memory in [Memory::Local, Memory::Mapped] {
        let how = Compilation {
            memory,
            is_confined: true,
        };
        if let Ok(plan) = compile(&manifest, how) {
            let _ = offshoot_plan::check(&plan.bytes);
        }
    }
}

/// Opens metadata as that of an image whose other parts fit it as well as those of the sample with four pages can.
pub(crate) fn open(metadata: &[u8]) -> Option<(Manifest, Header)> {
    let forged = sample::forge(metadata.to_vec(), &sealed(&sample::manifest(4)), &KEY);
    let manifest = forged.fields.open_manifest(&forged.metadata, &KEY).ok()?;
    Some((manifest, forged.fields))
}

pub(crate) fn header_samples() -> Vec<Vec<u8>> {
    let of_pages = |pages| {
        let sealed = sealed(&sample::manifest(pages));
        let fields = sealed.header[..256].to_vec();
        [sealed.file_bytes().to_le_bytes().to_vec(), fields].concat()
    };
    [0, 1, 40].into_iter().map(of_pages).collect()
}

pub(crate) fn manifest_samples() -> Vec<Vec<u8>> {
    let mut with_other_umask = sample::manifest(4);
    with_other_umask.process.umask = 0;
    let manifests = [sample::manifest(4), with_other_umask];
    manifests.iter().map(|one| sealed(one).metadata).collect()
}

pub(crate) fn digests_samples() -> Vec<Vec<u8>> {
    let sealed = sealed(&sample::manifest(4));
    let length = (sealed.metadata.len() as u16).to_le_bytes();
    vec![[length.as_slice(), &sealed.metadata, &sealed.digests].concat()]
}

fn sealed(manifest: &Manifest) -> Sealed {
    let digests = vec![[0; 32]; chunk_count(manifest) as usize];
    seal(manifest, &digests, &KEY).expect("the sample is valid")
}
