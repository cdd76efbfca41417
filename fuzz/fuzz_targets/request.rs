//! Any bytes as a request to the Lambda API.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| offshoot_fuzz::service::request(input));
