//! Hostile bytes at every decoder, for about two seconds: nothing panics, nothing takes much memory, and whatever is
//! accepted keeps every rule. The fuzz targets in `fuzz/` drive the same functions for longer.

#![allow(clippy::unwrap_used, missing_docs)]

mod generated;

use std::time::{Duration, Instant};

use offshoot_image::model::Manifest;
use offshoot_image::{Header, Key, Sealed, Summary, chunk_count, chunks, sample, seal};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const KEY: Key = Key([11; 32]);
const TIME: Duration = Duration::from_millis(500);
const SEED: [u8; 32] = *b"offshoot image mutations, seed 1";

#[test]
fn mutated_metadata_is_refused_or_keeps_every_rule() {
    let mut runner = runner();
    let (mut tried, mut accepted) = (0_u32, 0_u32);
    repeat(|random| {
        let manifest = generated::manifest()
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let sealed = seal_without_pages(&manifest);
        for _ in 0..50 {
            let mut metadata = sealed.metadata.clone();
            mutate(&mut metadata, random);
            let forged = sample::forge(metadata, &sealed, &KEY);
            tried += 1;
            if let Ok(manifest) = forged.fields.open_manifest(&forged.metadata, &KEY) {
                accepted += 1;
                use_freely(&manifest, &forged.fields);
            }
        }
    });
    println!("{tried} tried, {accepted} accepted");
    assert!(
        accepted > 0 && accepted < tried,
        "{accepted} of {tried} accepted"
    );
}

#[test]
fn random_metadata_is_refused() {
    let sealed = seal_without_pages(&sample::manifest(4));
    repeat(|random| {
        let length = random.below(2000) + 1;
        let metadata = (0..length).map(|_| random.byte()).collect();
        let forged = sample::forge(metadata, &sealed, &KEY);
        assert!(forged.fields.open_manifest(&forged.metadata, &KEY).is_err());
    });
}

#[test]
fn mutated_header_is_refused_even_if_genuine() {
    let sealed = seal_without_pages(&sample::manifest(40));
    let mut accepted = 0;
    repeat(|random| {
        let header = sample::forge_bytes(&sealed, &KEY, |bytes| mutate_words(bytes, random));
        let file_bytes = match random.below(2) {
            0 => sealed.file_bytes(),
            _ => random.word(),
        };
        if let Ok(header) = Header::open(&header, &KEY, file_bytes) {
            assert_eq!(header.file_bytes, file_bytes);
            assert!(header.digests.offset + header.digests.bytes == file_bytes);
            accepted += 1;
        }
    });
    println!("{accepted} accepted");
}

#[test]
fn random_header_is_refused() {
    repeat(|random| {
        let mut bytes = [0; 4096];
        for byte in &mut bytes[..200] {
            *byte = random.byte();
        }
        if random.below(2) == 0 {
            bytes[..8].copy_from_slice(b"OFFSHOOT");
        }
        assert!(Header::open(&bytes, &KEY, random.word()).is_err());
    });
}

/// What readers do with a manifest once it was accepted.
fn use_freely(manifest: &Manifest, header: &Header) {
    assert_eq!(manifest.validate(), Ok(()));
    let count = chunk_count(manifest);
    assert_eq!(count, header.digests.bytes / 32);
    assert_eq!(chunks(manifest).count() as u64, count);
    let _ = Summary::of(manifest);
    let _ = manifest.validate_ancestors(&[]);
}

fn seal_without_pages(manifest: &Manifest) -> Sealed {
    let digests = vec![[0; 32]; chunk_count(manifest) as usize];
    seal(manifest, &digests, &KEY).unwrap()
}

fn repeat(mut attempt: impl FnMut(&mut Random)) {
    println!("seed {:?}", String::from_utf8_lossy(&SEED));
    let mut random = Random(u64::from_le_bytes(SEED[..8].try_into().unwrap()));
    let end = Instant::now() + TIME;
    while Instant::now() < end {
        attempt(&mut random);
    }
}

fn runner() -> TestRunner {
    TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &SEED),
    )
}

/// One to four changes: a flipped bit, another byte, a piece removed, repeated or filled with long numbers.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1) as u64) as usize;
        let length = random.below(16) as usize;
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.byte(),
            2 => drop(bytes.drain(at..(at + length).min(bytes.len()))),
            3 => {
                let piece = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let end = (at + length).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
        }
    }
    if bytes.is_empty() {
        bytes.push(random.byte());
    }
}

/// Changes whole fields of a header, mostly by a little.
fn mutate_words(bytes: &mut [u8; 4096], random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(22) as usize * 8;
        let old = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let new = match random.below(4) {
            0 => old.wrapping_add(random.below(3)),
            1 => old.wrapping_sub(random.below(3)),
            2 => old ^ 1 << random.below(64),
            _ => random.word(),
        };
        bytes[at..at + 8].copy_from_slice(&new.to_le_bytes());
    }
}

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): the same each time.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.word() % end
    }

    fn byte(&mut self) -> u8 {
        self.word() as u8
    }
}
