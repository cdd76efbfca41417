//! Any bytes as metadata, with a genuine digest: what is accepted keeps every rule and can be used.

#![no_main]

use libfuzzer_sys::fuzz_target;
use offshoot_image::{Key, Summary, chunk_count, chunks, sample, seal};

const KEY: Key = Key([11; 32]);

fuzz_target!(|metadata: &[u8]| {
    let digests = [[0; 32]];
    let like = seal(&sample::manifest(4), &digests, &KEY).expect("the sample is valid");
    let forged = sample::forge(metadata.to_vec(), &like, &KEY);
    if let Ok(manifest) = forged.fields.open_manifest(&forged.metadata, &KEY) {
        assert_eq!(manifest.validate(), Ok(()));
        assert_eq!(chunks(&manifest).count() as u64, chunk_count(&manifest));
        let _ = Summary::of(&manifest);
        let _ = manifest.validate_ancestors(&[]);
    }
});
