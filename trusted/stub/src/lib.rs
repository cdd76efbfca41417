//! The stub, as the bytes of a program.
//!
//! What it does is told in `stub/main.rs` and in the README beside it. It is a program of its own, built by this
//! crate's build script: it has no libc, no heap and no relocations, and it lies where no program lies.

/// The stub: an ELF executable, to be put into a sealed memfd and executed.
pub static STUB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stub"));
