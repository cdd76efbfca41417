//! Any bytes as the digest list of an image.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| offshoot_fuzz::image::digests(input));
