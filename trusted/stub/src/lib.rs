//! The stub, as the bytes of a program.
//!
//! What it does is told in `stub/main.rs` and in the README beside it. It is a program of its own, built by this
//! crate's build script: it has no libc, no heap and no relocations, and it lies where no program lies.

/// The stub: an ELF executable, to be put into a sealed memfd and executed.
pub static STUB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stub"));

/// Length of the stub's data and stack in memory, which begin at `offshoot_plan::STUB_DATA_BASE`: of its second segment
/// (`Elf64_Phdr` in `elf(5)`).
pub const fn data_bytes() -> u64 {
    /// Headers of segments follow the file's header.
    const SECOND_SEGMENT: usize = 64 + 56;
    const LENGTH_IN_MEMORY: usize = 40;
    let mut bytes = [0; 8];
    let mut at = 0;
    while at < 8 {
        bytes[at] = STUB[SECOND_SEGMENT + LENGTH_IN_MEMORY + at];
        at += 1;
    }
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_a_stack_and_little_more() {
        assert!(
            (16 << 10..32 << 10).contains(&data_bytes()),
            "{}",
            data_bytes()
        );
        // Program headers begin behind the file's header, and the second is writable.
        assert_eq!(STUB[32..40], 64_u64.to_le_bytes());
        assert_eq!(STUB[64 + 56 + 4], 6);
    }
}
