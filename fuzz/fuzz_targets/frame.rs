//! Any bytes as a frame of a bootstrap.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| offshoot_fuzz::service::frame(input));
