//! What follows from an owner's name: names on the host, and a range of uids.

/// How many uids an owner's range has.
const RANGE_LEN: u32 = 65_536;
/// How many ranges there are.
const RANGES: u32 = 4096;
/// The first uid of the first range.
const FIRST_UID: u32 = 1_000_000;

/// 1 to 32 of `a-z 0-9 -`.
pub(crate) fn is_valid(owner: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&owner.len()) && owner.bytes().all(good)
}

/// Five characters that stand for the owner in names of interfaces, which may have 15.
pub(crate) fn tag(owner: &str) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = hash(owner);
    (0..5)
        .map(|digit| char::from(DIGITS[(hash >> (5 * digit)) as usize & 31]))
        .collect()
}

/// The first uid of the owner's range. Launchers of different owners on one machine should not
/// share uids: the kernel counts processes, inotify watches and pending signals by uid, across all
/// namespaces, so one's sandbox could use up the other's.
pub(crate) fn uid_base(owner: &str) -> u32 {
    FIRST_UID + hash(owner) % RANGES * RANGE_LEN
}

/// FNV-1a of 32 bits (RFC 9923).
fn hash(owner: &str) -> u32 {
    owner.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_get_different_tags_and_uids() {
        assert_ne!(tag("a"), tag("b"));
        assert_eq!(tag("a").len(), 5);
        assert!(uid_base("a").abs_diff(uid_base("b")) >= RANGE_LEN);
    }

    #[test]
    fn every_uid_range_fits_below_the_reserved_uids() {
        let last = FIRST_UID.checked_add(RANGES * RANGE_LEN);
        assert!(last.is_some_and(|last| last < u32::MAX / 2));
    }

    #[test]
    fn owner_that_could_be_a_path_is_refused() {
        for owner in ["", "..", "a/b", "A", &"x".repeat(33)] {
            assert!(!is_valid(owner), "{owner:?}");
        }
        assert!(is_valid("01ce90c1") && is_valid("a-b"));
    }
}
