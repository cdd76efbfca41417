//! Names of images.

use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes.
const MAX_BYTES: usize = 64;

/// The name of an image in its pool: 1 to 64 letters, digits, dots, underscores and hyphens, not beginning with a dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageName(String);

/// A text is no name for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing, or too much.
    #[error("a name of an image has 1 to {MAX_BYTES} characters, not {bytes}")]
    Length {
        /// Its length in bytes.
        bytes: usize,
    },
    /// A character that is not allowed.
    #[error("{found:?} cannot be in the name of an image; letters, digits, '.', '_' and '-' can")]
    Character {
        /// The character.
        found: char,
    },
    /// Such files are hidden.
    #[error("the name of an image cannot begin with a dot")]
    Hidden,
}

impl ImageName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// If it is no name for an image.
    pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
        let name = name.into();
        if name.is_empty() || name.len() > MAX_BYTES {
            return Err(BadName::Length { bytes: name.len() });
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(found) = name.chars().find(|c| !allowed(c)) {
            return Err(BadName::Character { found });
        }
        if name.starts_with('.') {
            return Err(BadName::Hidden);
        }
        Ok(Self(name))
    }

    /// As a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ImageName {
    type Err = BadName;

    fn from_str(name: &str) -> Result<Self, BadName> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_taken() {
        for name in ["a", "python3.11-json_2", "A.", &"x".repeat(64)] {
            assert!(ImageName::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_are_no_file_names_are_refused() {
        assert_eq!(ImageName::new(""), Err(BadName::Length { bytes: 0 }));
        assert_eq!(
            ImageName::new("x".repeat(65)),
            Err(BadName::Length { bytes: 65 })
        );
        assert_eq!(ImageName::new("."), Err(BadName::Hidden));
        assert_eq!(ImageName::new("..",), Err(BadName::Hidden));
        assert_eq!(ImageName::new(".new-1"), Err(BadName::Hidden));
        for name in ["a/b", "a b", "a\0", "ä", "a\n"] {
            assert!(
                matches!(ImageName::new(name), Err(BadName::Character { .. })),
                "{name:?}"
            );
        }
    }
}
