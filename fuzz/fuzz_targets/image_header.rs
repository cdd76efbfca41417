//! Any bytes as the header of an image, both as they are and with a genuine digest.

#![no_main]

use libfuzzer_sys::fuzz_target;
use offshoot_image::{HEADER_BYTES, Header, Key, sample, seal};

const KEY: Key = Key([11; 32]);

fuzz_target!(|input: &[u8]| {
    let Some((length, fields)) = input.split_first_chunk::<8>() else {
        return;
    };
    let file_bytes = u64::from_le_bytes(*length);
    let mut bytes = [0; HEADER_BYTES];
    let used = fields.len().min(HEADER_BYTES);
    bytes[..used].copy_from_slice(&fields[..used]);
    let _ = Header::open(&bytes, &KEY, file_bytes);

    let like = seal(&sample::manifest(0), &[], &KEY).expect("the sample is valid");
    let genuine = sample::forge_bytes(&like, &KEY, |header| {
        let used = used.min(HEADER_BYTES - 32);
        header[..used].copy_from_slice(&bytes[..used]);
    });
    if let Ok(header) = Header::open(&genuine, &KEY, file_bytes) {
        assert_eq!(header.digests.offset + header.digests.bytes, file_bytes);
    }
});
