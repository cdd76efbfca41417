//! Looking for many texts at once in bytes that come piece by piece.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, BuildError, Input, MatchKind};

use super::shapes::{BEGINNINGS, LOOKED_AT_BYTES};
use super::{What, Withheld};

/// Shorter values are words that memory is full of.
pub(super) const SHORTEST_VALUE_BYTES: usize = 8;

/// All that is looked for. Without `Debug`, which would show the values.
pub(super) struct Searcher {
    shapes: AhoCorasick,
    /// The values as they are, and in UTF-16: two patterns for each.
    values: AhoCorasick,
    names: Vec<String>,
    /// How much of a piece must be looked at again with the next one.
    overlap_bytes: usize,
}

/// How often each was found.
pub(super) type Tally = BTreeMap<What, u64>;

impl Searcher {
    pub(super) fn new(withheld: &[Withheld]) -> Result<Self, BuildError> {
        let long = |one: &&Withheld| one.value.len() >= SHORTEST_VALUE_BYTES;
        let wanted: Vec<&Withheld> = withheld.iter().filter(long).collect();
        let patterns: Vec<Vec<u8>> = wanted
            .iter()
            .flat_map(|one| [one.value.as_bytes().to_vec(), utf16(&one.value)])
            .collect();
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostFirst);
        Ok(Self {
            shapes: builder.build(BEGINNINGS.map(|(text, _)| text))?,
            values: builder.build(patterns)?,
            names: wanted.iter().map(|one| one.name.clone()).collect(),
            overlap_bytes: longest.max(LOOKED_AT_BYTES),
        })
    }

    /// Counts what begins at `from` or behind, and before `to`.
    fn count(&self, bytes: &[u8], from: usize, to: usize, tally: &mut Tally) {
        let all = || Input::new(bytes).range(from..);
        for found in self.shapes.find_iter(all()) {
            if found.start() >= to {
                break;
            }
            let (_, shape) = BEGINNINGS[found.pattern().as_usize()];
            let before = found.start().checked_sub(1).map(|at| bytes[at]);
            if shape.fits(before, &bytes[found.end()..]) {
                *tally.entry(What::Shape(shape)).or_default() += 1;
            }
        }
        for found in self.values.find_iter(all()) {
            if found.start() >= to {
                break;
            }
            let name = self.names[found.pattern().as_usize() / 2].clone();
            *tally.entry(What::Value(name)).or_default() += 1;
        }
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Bytes that belong together, of which never more than a piece is held.
pub(super) struct Stretch<'a> {
    searcher: &'a Searcher,
    /// What was not looked at to its end, and before it one byte that was, if there is one.
    held: Vec<u8>,
    /// Where in `held` the first byte is that nothing was looked for at.
    from: usize,
}

impl<'a> Stretch<'a> {
    pub(super) const fn new(searcher: &'a Searcher) -> Self {
        Self {
            searcher,
            held: Vec::new(),
            from: 0,
        }
    }

    /// Room for so many bytes more, which the caller fills.
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let end = self.held.len();
        self.held.resize(end + bytes, 0);
        &mut self.held[end..]
    }

    /// Looks at what has come, but for the last bytes: what begins there may go on.
    pub(super) fn look(&mut self, tally: &mut Tally) {
        let to = self.held.len().saturating_sub(self.searcher.overlap_bytes);
        if to <= self.from {
            return;
        }
        self.searcher.count(&self.held, self.from, to, tally);
        self.held.drain(..to - 1);
        self.from = 1;
    }

    /// Looks at what is left.
    pub(super) fn end(&mut self, tally: &mut Tally) {
        let to = self.held.len();
        self.searcher.count(&self.held, self.from, to, tally);
        self.held.clear();
        self.from = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::Shape;
    use super::*;

    fn withheld(values: &[&str]) -> Vec<Withheld> {
        let one = |(nth, value): (usize, &&str)| Withheld {
            name: format!("V{nth}"),
            value: (*value).to_owned(),
        };
        values.iter().enumerate().map(one).collect()
    }

    /// What is found of it, when it comes in pieces of so many bytes.
    fn found(values: &[&str], bytes: &[u8], piece: usize) -> Vec<(What, u64)> {
        let searcher = Searcher::new(&withheld(values)).unwrap();
        let mut stretch = Stretch::new(&searcher);
        let mut tally = Tally::new();
        for part in bytes.chunks(piece.max(1)) {
            stretch.room(part.len()).copy_from_slice(part);
            stretch.look(&mut tally);
        }
        stretch.end(&mut tally);
        tally.into_iter().collect()
    }

    fn shapes(text: &str) -> Vec<Shape> {
        let of = |(what, _)| match what {
            What::Shape(shape) => shape,
            What::Value(name) => unreachable!("{name} is not looked for"),
        };
        let bytes = text.as_bytes();
        found(&[], bytes, 4096).into_iter().map(of).collect()
    }

    /// Made up here, so that this file holds no key itself.
    fn long(beginning: &str, of: &str, chars: usize) -> String {
        format!("{beginning}{}", of.repeat(chars.div_ceil(of.len())))
    }

    #[test]
    fn keys_of_each_kind_are_found() {
        let pem = long("-----BEGIN EC PRIVATE KEY-----\n", "MHcCAQEE", 64);
        let token = long("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.", "c2lnbmF0", 43);
        for (text, shape) in [
            (long("AKIA", "Q7", 16), Shape::AwsAccessKeyId),
            (long("id=ASIA", "Z2", 16), Shape::AwsAccessKeyId),
            (pem.clone(), Shape::PrivateKey),
            (pem.replace('\n', "\\n"), Shape::PrivateKey),
            (long("ghp_", "a1B2", 36), Shape::GitHubToken),
            (long("github_pat_", "a1B_", 82), Shape::GitHubToken),
            (long("xoxb-", "123-ab", 30), Shape::SlackToken),
            (long("sk_live_", "4eC3", 24), Shape::StripeKey),
            (long("AIza", "Sy-_D", 35), Shape::GoogleApiKey),
            (token, Shape::JsonWebToken),
        ] {
            assert_eq!(shapes(&format!("\"{text}\" ")), [shape], "{text}");
        }
    }

    #[test]
    fn what_only_resembles_a_key_is_none() {
        let header = "-----BEGIN RSA PRIVATE KEY-----";
        for text in [
            // As the documentation has it, too short, too long, in a longer word, in other letters.
            "AKIAIOSFODNN7EXAMPLE".to_owned(),
            long("AKIA", "Q7", 14),
            long("AKIA", "Q7", 18),
            long("xAKIA", "Q7", 16),
            long("AKIA", "q7", 16),
            // What programs compare a line with, and a form to be filled in.
            format!("{header}\0-----END RSA PRIVATE KEY-----"),
            format!("{header}\n...\n"),
            "ghp_token".to_owned(),
            long("xoxb-", "your-token-", 33),
            "sk_live_...".to_owned(),
            "eyJhbGciOiJIUzI1NiJ9".to_owned(),
        ] {
            assert_eq!(shapes(&format!("\"{text}\" ")), [], "{text}");
        }
    }

    #[test]
    fn values_are_found_in_both_encodings_and_short_ones_are_not_looked_for() {
        let values = ["correct horse", "1234567"];
        let mut bytes = b"..correct horse..1234567..correct horse..".to_vec();
        bytes.extend(utf16("correct horse"));
        assert_eq!(
            found(&values, &bytes, 4096),
            [(What::Value("V0".to_owned()), 3)]
        );
    }

    proptest! {
        #[test]
        fn each_is_counted_once_wherever_pieces_end(
            before in 0_usize..3000,
            between in 20_usize..2000,
            piece in 1_usize..1500,
        ) {
            let key = long("AKIA", "Q7", 16);
            let text = [
                ".".repeat(before), "open sesame".to_owned(), ".".repeat(between), key.clone(), ".".repeat(7),
                key, ".".repeat(between), "open sesame".to_owned(),
            ]
            .concat();
            let wanted = vec![
                (What::Value("V0".to_owned()), 2),
                (What::Shape(Shape::AwsAccessKeyId), 2),
            ];
            let mut tally = found(&["open sesame"], text.as_bytes(), piece);
            tally.sort_by_key(|(what, _)| matches!(what, What::Shape(_)));
            prop_assert_eq!(tally, wanted);
        }

        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>, piece in 1_usize..64) {
            found(&["open sesame"], &bytes, piece);
        }
    }
}
