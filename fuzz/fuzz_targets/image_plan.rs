//! Any metadata, compiled to a plan.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| offshoot_fuzz::image::plan(input));
