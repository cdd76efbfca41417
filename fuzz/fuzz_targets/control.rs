//! Planted bugs, which must be found; writes the samples of all targets, too.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: offshoot_fuzz::write_samples_if_asked(),
    |input: &[u8]| offshoot_fuzz::control::control(input)
);
