//! "Did you mean": the known word nearest to a mistyped one.

/// The word of `known` nearest to `typed`, if it is near enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = 1 + typed.chars().count() / 4;
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|word| {
            (
                strsim::damerau_levenshtein(&typed, &word.to_lowercase()),
                word,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_a_different_word_is_not() {
        assert_eq!(nearest("lisen", ["listen", "level"]), Some("listen"));
        assert_eq!(nearest("hlelo", ["hello"]), Some("hello"));
        assert_eq!(nearest("orders", ["hello"]), None);
    }
}
