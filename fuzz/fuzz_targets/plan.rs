//! Any bytes as a plan.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| offshoot_fuzz::plan::plan(input));
