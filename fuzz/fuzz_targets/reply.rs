//! Any bytes as what a template says.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| offshoot_fuzz::plan::reply(input));
