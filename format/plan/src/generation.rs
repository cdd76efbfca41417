//! The generation page (`docs/format/generation.md`).

/// What is at the beginning of the generation page of every template and clone.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// `OFFSHGEN`.
    pub magic: [u8; 8],
    /// 1.
    pub version: u32,
    /// Zero.
    pub reserved: u32,
    /// How many clones the template had made when it made this one, this one included; other templates count anew.
    pub count: u64,
    /// Random bytes from the kernel: no two clones have the same.
    pub id: [u8; 16],
}

impl Generation {
    /// The page before the first clone.
    pub const fn of_template() -> Self {
        Self {
            magic: *b"OFFSHGEN",
            version: 1,
            reserved: 0,
            count: 0,
            id: [0; 16],
        }
    }
}
