//! Any bytes as what the processes of the clone engine tell each other.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| offshoot_fuzz::engine::messages(input));
