//! Which symbolic links are acceptable.
//!
//! Real packages hold links: npm's `.bin/tsc -> ../typescript/bin/tsc`, shared libraries'
//! `libx.so -> libx.so.1`. A target is accepted when it is relative, climbs (`..`) only at its
//! start, and climbs no higher than the package's root. That is enough, also for chains: the
//! directories above a link are real ones, because nothing is ever made beneath a link, so leading
//! climbs stay inside; afterwards only names follow, each of which is inside or is a link for which
//! the same holds. Climbing *after* a name is refused even where it looks harmless, because the
//! name may be a link: with `d -> .`, the target `d/..` is outside.

use crate::refusal::EntryFault;

/// Longest target, in bytes, without the terminating NUL (`PATH_MAX`, limits.h(0p)).
pub(crate) const TARGET_BYTES: usize = 4_095;

/// Checks the `target` of a link whose directory lies `depth` levels below the package's root.
pub(crate) fn check(target: &[u8], depth: usize) -> Result<&str, EntryFault> {
    if target.is_empty() || target.len() > TARGET_BYTES || target.contains(&0) {
        return Err(EntryFault::LinkTarget);
    }
    let text = str::from_utf8(target).map_err(|_| EntryFault::LinkTarget)?;
    if text.starts_with('/') {
        return Err(EntryFault::LinkAbsolute);
    }
    let mut climbed = 0;
    let mut descended = false;
    for component in text.split('/') {
        match component {
            "" | "." => {}
            ".." if descended || climbed == depth => return Err(EntryFault::LinkEscapes),
            ".." => climbed += 1,
            _ => descended = true,
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_inside_the_package_are_accepted() {
        for (target, depth) in [
            ("a", 0),
            ("../typescript/bin/tsc", 2),
            ("..", 1),
            ("./a/./b", 0),
            ("../../x", 2),
        ] {
            assert_eq!(check(target.as_bytes(), depth), Ok(target));
        }
    }

    #[test]
    fn links_out_of_the_package_are_refused() {
        let escapes = Err(EntryFault::LinkEscapes);
        assert_eq!(check(b"..", 0), escapes);
        assert_eq!(check(b"../../x", 1), escapes);
        assert_eq!(check(b"d/..", 0), escapes);
        assert_eq!(check(b"./../x", 0), escapes);
        assert_eq!(check(b"../a/../..", 3), escapes);
        assert_eq!(check(b"/etc/passwd", 5), Err(EntryFault::LinkAbsolute));
        assert_eq!(check(b"//x", 5), Err(EntryFault::LinkAbsolute));
    }

    #[test]
    fn targets_that_are_no_text_are_refused() {
        for target in [&b""[..], b"a\0b", b"\xff", &[b'x'; 4_096]] {
            assert_eq!(check(target, 1), Err(EntryFault::LinkTarget));
        }
    }
}
