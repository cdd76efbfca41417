//! Which entry names are acceptable.
//!
//! Names are bytes chosen by a stranger. Only UTF-8 is accepted, with or without the flag that
//! announces it, and the text is used as it is: no code page, no Unicode normalisation, no case
//! folding. So `é` composed and decomposed, or `a` and `A`, are two files, as they are on the
//! case-sensitive file systems that sandboxes see. Control characters are legal in Linux names
//! (macOS has an `Icon\r`) and are kept; they are escaped wherever a name is shown.

use crate::limits::Limits;
use crate::refusal::EntryFault;

/// Longest component on Linux file systems (`NAME_MAX`, limits.h(0p)).
const COMPONENT_BYTES: usize = 255;

/// A validated name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    /// Relative, without `.`, `..`, empty components or a trailing slash. Empty for the root.
    pub(crate) path: &'a str,
    /// The name ended with a slash.
    pub(crate) is_directory: bool,
}

/// Validates `raw`. One leading `./`, which bsdtar writes, is dropped.
pub(crate) fn check<'a>(raw: &'a [u8], limits: &Limits) -> Result<Name<'a>, EntryFault> {
    if raw.is_empty() {
        return Err(EntryFault::EmptyName);
    }
    if raw.len() > limits.name_bytes as usize {
        return Err(EntryFault::NameTooLong {
            limit_bytes: limits.name_bytes,
        });
    }
    let text = str::from_utf8(raw).map_err(|_| EntryFault::NotUtf8)?;
    check_characters(text)?;
    let text = text.strip_prefix("./").unwrap_or(text);
    if text.is_empty() {
        return Ok(Name {
            path: "",
            is_directory: true,
        });
    }
    let (path, is_directory) = match text.strip_suffix('/') {
        Some(path) => (path, true),
        None => (text, false),
    };
    check_components(path, limits)?;
    Ok(Name { path, is_directory })
}

fn check_characters(text: &str) -> Result<(), EntryFault> {
    let bytes = text.as_bytes();
    if bytes.contains(&0) {
        Err(EntryFault::NulByte)
    } else if bytes[0] == b'/' {
        Err(EntryFault::Absolute)
    } else if bytes[0].is_ascii_alphabetic() && bytes.get(1) == Some(&b':') {
        Err(EntryFault::DriveLetter)
    } else if bytes.contains(&b'\\') {
        Err(EntryFault::Backslash)
    } else {
        Ok(())
    }
}

fn check_components(path: &str, limits: &Limits) -> Result<(), EntryFault> {
    for (index, component) in path.split('/').enumerate() {
        match component {
            "" | "." => return Err(EntryFault::IdleComponent),
            ".." => return Err(EntryFault::ParentComponent),
            _ if component.len() > COMPONENT_BYTES => return Err(EntryFault::ComponentTooLong),
            _ if index >= limits.depth as usize => {
                return Err(EntryFault::TooDeep {
                    limit: limits.depth,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ordinary_names_pass_unchanged() {
        let limits = Limits::default();
        for name in [
            "a", "a/b.py", "é", "e\u{301}", "..a", "a..", "...", ".a", "Icon\r", "a:b/c:",
        ] {
            // "a:b" looks like a drive.
            let expected = if name.starts_with("a:") {
                Err(EntryFault::DriveLetter)
            } else {
                Ok(Name {
                    path: name,
                    is_directory: false,
                })
            };
            assert_eq!(check(name.as_bytes(), &limits), expected);
        }
    }

    #[test]
    fn a_leading_dot_slash_and_a_trailing_slash_are_dropped() {
        let limits = Limits::default();
        let named = |path, is_directory| Ok(Name { path, is_directory });
        assert_eq!(check(b"./a", &limits), named("a", false));
        assert_eq!(check(b"./", &limits), named("", true));
        assert_eq!(check(b"a/b/", &limits), named("a/b", true));
        assert_eq!(check(b"././a", &limits), Err(EntryFault::IdleComponent));
        assert_eq!(check(b".//a", &limits), Err(EntryFault::IdleComponent));
        assert_eq!(check(b".//", &limits), Err(EntryFault::IdleComponent));
        assert_eq!(check(b"./../a", &limits), Err(EntryFault::ParentComponent));
    }

    #[test]
    fn limits_are_inclusive() {
        let limits = Limits {
            depth: 3,
            name_bytes: 300,
            ..Limits::default()
        };
        assert!(check(b"a/b/c", &limits).is_ok());
        assert_eq!(
            check(b"a/b/c/d", &limits),
            Err(EntryFault::TooDeep { limit: 3 })
        );
        assert!(check(&[b'x'; 255], &limits).is_ok());
        assert_eq!(
            check(&[b'x'; 256], &limits),
            Err(EntryFault::ComponentTooLong)
        );
        let long = format!("{}/{}", "x".repeat(200), "y".repeat(99));
        assert!(check(long.as_bytes(), &limits).is_ok());
        let longer = format!("{long}z");
        let too_long = Err(EntryFault::NameTooLong { limit_bytes: 300 });
        assert_eq!(check(longer.as_bytes(), &limits), too_long);
    }
}
