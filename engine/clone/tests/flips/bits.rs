//! Which bits are flipped, and what a refusal says.

use offshoot_clone::ReadError;
use offshoot_image::{DigestsError, HeaderError, ManifestError};

use crate::image::Stored;

/// A number of the environment.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Random bits of an image, without end (splitmix64).
pub struct Bits<'a> {
    stored: &'a Stored,
    state: u64,
}

impl<'a> Bits<'a> {
    pub fn new(stored: &'a Stored, seed: u64) -> Self {
        Self {
            stored,
            state: seed,
        }
    }
}

impl Iterator for Bits<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(self.stored.bit((mixed ^ (mixed >> 31)) % self.stored.len()))
    }
}

/// What is wrong with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    NotAnImage,
    UnknownVersion,
    Header,
    Length,
    Metadata,
    Digests,
    /// The chunk that begins at this page of the file.
    Page(u64),
    Io,
    Other,
}

impl Wrong {
    /// For counting.
    pub fn without_page(self) -> Self {
        match self {
            Self::Page(_) => Self::Page(0),
            other => other,
        }
    }
}

/// What a refusal says.
pub fn wrong(error: &ReadError) -> Wrong {
    match error {
        ReadError::Header { source, .. } => match source {
            HeaderError::NotAnImage => Wrong::NotAnImage,
            HeaderError::UnknownVersion { .. } => Wrong::UnknownVersion,
            HeaderError::WrongDigest => Wrong::Header,
            HeaderError::WrongLength { .. } => Wrong::Length,
            HeaderError::Field { .. } => Wrong::Other,
        },
        ReadError::Manifest {
            source: ManifestError::WrongDigest,
            ..
        } => Wrong::Metadata,
        ReadError::Digests {
            source: DigestsError::WrongDigest,
            ..
        } => Wrong::Digests,
        ReadError::Page { file_page, .. } => Wrong::Page(*file_page),
        ReadError::Io { .. } => Wrong::Io,
        _ => Wrong::Other,
    }
}
