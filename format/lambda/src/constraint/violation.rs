//! One broken constraint, and the message for all of a request's.

use std::fmt;

/// The number of characters of a caller's value that an error message repeats.
const SHOWN_CHARS: usize = 4096;

/// A member that does not meet a constraint.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The offending value as AWS shows it.
    pub value: Shown,
    /// Member path in lower camel case, as in `vpcConfig.subnetIds`.
    pub path: String,
    /// What the value fails.
    pub constraint: Constraint,
}

/// A value in an error message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The member is missing.
    Null,
    /// The value is secret.
    Redacted,
    /// The value, cut to a bounded length.
    Text(String),
}

/// A constraint in AWS's words.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// A required member is missing.
    NotNull,
    /// Least length of a string, or count of a list.
    MinLength(usize),
    /// Greatest length of a string, or count of a list.
    MaxLength(usize),
    /// Least value.
    MinValue(Number),
    /// Greatest value.
    MaxValue(Number),
    /// Pattern, as the model writes it.
    Pattern(&'static str),
    /// Allowed values.
    EnumSet(&'static [&'static str]),
    /// Some element of a list fails one of these.
    Elements(Vec<Constraint>),
    /// Some key of a map fails one of these.
    MapKeys(Vec<Constraint>),
    /// Some value of a map fails one of these.
    MapValues(Vec<Constraint>),
}

/// A bound, whole or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole bound.
    Int(i64),
    /// A bound of a floating-point member.
    Float(f64),
}

impl Shown {
    /// Shows `value`, cut to a bounded length.
    pub fn text(value: &str) -> Self {
        Self::Text(value.chars().take(SHOWN_CHARS).collect())
    }

    /// Shows the items as AWS shows a list: `[a, b]`.
    pub fn list<'a>(items: impl Iterator<Item = &'a str>) -> Self {
        Self::bracketed('[', items, ']')
    }

    /// Shows entries (`key=value`) as AWS shows a map: `{a=1, b=2}`.
    pub fn map(entries: impl Iterator<Item = String>) -> Self {
        Self::bracketed('{', entries, '}')
    }

    fn bracketed<T: AsRef<str>>(open: char, items: impl Iterator<Item = T>, close: char) -> Self {
        let mut text = String::from(open);
        for item in items {
            if text.len() > 1 {
                text.push_str(", ");
            }
            text.extend(item.as_ref().chars().take(SHOWN_CHARS));
            if text.len() > SHOWN_CHARS {
                break;
            }
        }
        text.push(close);
        Self::Text(text)
    }
}

/// AWS's message for `violations`, which must not be empty to make sense.
pub fn message<'v>(violations: impl IntoIterator<Item = &'v Violation>) -> String {
    let texts: Vec<String> = violations.into_iter().map(Violation::to_string).collect();
    let plural = if texts.len() == 1 { "" } else { "s" };
    format!(
        "{} validation error{plural} detected: {}",
        texts.len(),
        texts.join("; ")
    )
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Shown::Null => f.write_str("Value null")?,
            Shown::Redacted => f.write_str("Value")?,
            Shown::Text(text) => write!(f, "Value '{text}'")?,
        }
        write!(
            f,
            " at '{}' failed to satisfy constraint: {}",
            self.path, self.constraint
        )
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNull => f.write_str("Member must not be null"),
            Self::MinLength(n) => write!(f, "Member must have length greater than or equal to {n}"),
            Self::MaxLength(n) => write!(f, "Member must have length less than or equal to {n}"),
            Self::MinValue(n) => write!(f, "Member must have value greater than or equal to {n}"),
            Self::MaxValue(n) => write!(f, "Member must have value less than or equal to {n}"),
            Self::Pattern(source) => {
                write!(
                    f,
                    "Member must satisfy regular expression pattern: {source}"
                )
            }
            Self::EnumSet(values) => {
                write!(
                    f,
                    "Member must satisfy enum value set: [{}]",
                    values.join(", ")
                )
            }
            Self::Elements(all) => write!(f, "Member must satisfy constraint: {}", Every(all)),
            Self::MapKeys(all) => write!(f, "Map keys must satisfy constraint: {}", Every(all)),
            Self::MapValues(all) => write!(f, "Map value must satisfy constraint: {}", Every(all)),
        }
    }
}

struct Every<'c>(&'c [Constraint]);

impl fmt::Display for Every<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, constraint) in self.0.iter().enumerate() {
            write!(f, "{}{constraint}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => write!(f, "{n}"),
            Self::Float(n) => write!(f, "{n:?}"),
        }
    }
}
