//! The model's constraints, and the words in which AWS reports that one is not met.
//!
//! Generated structures implement [`Validate`] by calling a [`Checker`] once per member with the
//! member's rule. The checker keeps the path to where it stands and collects [`Violation`]s.
//!
//! AWS answers with one message for all of them:
//! `2 validation errors detected: Value 'x' at 'a.b' failed to satisfy constraint: Member must
//! have length less than or equal to 64; Value null at 'c' failed to satisfy constraint: Member
//! must not be null`.

mod checker;
mod violation;

use std::sync::LazyLock;

use regex::Regex;

pub use checker::{Checker, Validate};
pub use violation::{Constraint, Shown, Violation, message};

/// A pattern that a whole string must match.
#[derive(Debug)]
pub struct Pattern {
    source: &'static str,
    regex: LazyLock<Regex>,
}

impl Pattern {
    /// `source` is what messages show, `regex` what is run.
    pub const fn new(source: &'static str, regex: LazyLock<Regex>) -> Self {
        Self { source, regex }
    }

    /// The pattern as AWS's model and messages write it.
    pub const fn source(&self) -> &'static str {
        self.source
    }
}

/// Compiles `pattern` so that it must match from the first to the last character.
///
/// # Panics
/// If the pattern is malformed. Patterns are generated, and a test compiles each.
pub fn compile(pattern: &str) -> Regex {
    match Regex::new(&format!(r"\A(?:{pattern})\z")) {
        Ok(regex) => regex,
        Err(error) => panic!("the generated pattern {pattern:?} does not compile: {error}"),
    }
}

/// What a string must satisfy. Lengths are in characters.
#[derive(Debug)]
pub struct TextRule {
    /// Least length.
    pub min_len: Option<usize>,
    /// Greatest length.
    pub max_len: Option<usize>,
    /// Pattern of the whole string.
    pub pattern: Option<Pattern>,
    /// Allowed values; empty if any value is.
    pub values: &'static [&'static str],
    /// Never show the value.
    pub sensitive: bool,
}

/// Bounds of an integer, inclusive.
#[derive(Debug)]
pub struct IntRule {
    /// Least value.
    pub min: Option<i64>,
    /// Greatest value.
    pub max: Option<i64>,
}

/// Bounds of a number, inclusive.
#[derive(Debug)]
pub struct FloatRule {
    /// Least value.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
}

/// What a list must satisfy.
#[derive(Debug)]
pub struct ListRule {
    /// Least number of elements.
    pub min: Option<usize>,
    /// Greatest number of elements.
    pub max: Option<usize>,
    /// Rule of each element, if elements are constrained strings.
    pub element: Option<&'static TextRule>,
}

/// What a map must satisfy.
#[derive(Debug)]
pub struct MapRule {
    /// Rule of each key.
    pub key: Option<&'static TextRule>,
    /// Rule of each value, if values are constrained strings.
    pub value: Option<&'static TextRule>,
    /// Never show the map.
    pub sensitive: bool,
}

impl TextRule {
    /// Whether `value` meets every constraint.
    pub fn accepts(&self, value: &str) -> bool {
        self.failures(value).next().is_none()
    }

    /// Every constraint that `value` does not meet.
    pub(crate) fn failures<'r>(&'r self, value: &'r str) -> impl Iterator<Item = Constraint> + 'r {
        self.constraints()
            .filter(move |constraint| !self.meets(constraint, value))
    }

    /// Every constraint of this rule, in the order in which AWS lists them.
    fn constraints(&self) -> impl Iterator<Item = Constraint> {
        let max = self.max_len.map(Constraint::MaxLength);
        let min = self.min_len.map(Constraint::MinLength);
        let pattern = self.pattern.as_ref().map(|p| Constraint::Pattern(p.source));
        let values = (!self.values.is_empty()).then_some(Constraint::EnumSet(self.values));
        [max, min, pattern, values].into_iter().flatten()
    }

    fn meets(&self, constraint: &Constraint, value: &str) -> bool {
        match constraint {
            Constraint::MinLength(min) => value.chars().count() >= *min,
            Constraint::MaxLength(max) => value.chars().count() <= *max,
            Constraint::Pattern(_) => self
                .pattern
                .as_ref()
                .is_none_or(|p| p.regex.is_match(value)),
            Constraint::EnumSet(values) => values.contains(&value),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests;
