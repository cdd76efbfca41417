//! No image with secrets in it: what would be stored is searched before it has a name.
//!
//! 1. [`Secrets`] says what is looked for: the values of variables that the process was not given ([`Withheld`]), and keys
//!    of well-known kinds ([`Shape`]); and what follows from it ([`Policy`]).
//! 2. `review` searches the pages and buffers of an image that is about to be sealed, mapping by mapping, in pieces of a
//!    megabyte: heap, stacks with the environment, everything else that is private, memfds, pipes, sockets. Pages that equal
//!    the file which is mapped there, and pages of a parent, which was searched itself, are left out.
//! 3. A [`Finding`] tells what was found, how often and where, never the bytes.
//!
//! A value is certain, so it refuses the image; a shape is a guess, so the policy decides. What is encrypted, compressed or
//! in another encoding (the numbers of a parsed key) is not found. Cost: docs/design/secrets.md.

mod place;
mod search;
mod shapes;
mod walk;

use std::fmt;

use offshoot_image::model::Manifest;
use offshoot_pool::NewImage;

use search::Searcher;
pub use shapes::Shape;

/// More findings than this are counted only.
const MOST_SHOWN: usize = 6;

/// What must not be in an image.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// What follows when something is found.
    pub policy: Policy,
    /// What the process was not given.
    pub withheld: Vec<Withheld>,
}

/// A variable of the environment that clones are given and their seed is not.
#[derive(Clone, PartialEq, Eq)]
pub struct Withheld {
    /// Its name.
    pub name: String,
    /// Its value. Those of fewer than eight bytes are not looked for.
    pub value: String,
}

impl fmt::Debug for Withheld {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Withheld")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What follows from a finding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// The value of a withheld variable refuses the image, the shape of a key is told.
    #[default]
    Warn,
    /// Both refuse the image.
    Refuse,
    /// Nothing is looked for.
    Ignore,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The value of this variable.
    Value(String),
    /// Something of this shape.
    Shape(Shape),
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(name) => write!(out, "the value of the variable {name}"),
            Self::Shape(shape) => shape.fmt(out),
        }
    }
}

/// Something that was found in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: What,
    /// How often.
    pub count: u64,
    /// Where: a mapping with its addresses, or a buffer.
    pub place: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} in {}", self.what, self.place)?;
        match self.count {
            1 => Ok(()),
            count => write!(out, " ({count} times)"),
        }
    }
}

/// Why an image was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the seed's memory holds secrets that its image would keep: {}", listed(&self.0))]
pub struct Found(pub Vec<Finding>);

/// Findings in one line.
pub fn listed(findings: &[Finding]) -> String {
    let shown = findings.iter().take(MOST_SHOWN).map(Finding::to_string);
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if let Some(more) = findings.len().checked_sub(MOST_SHOWN).filter(|n| *n > 0) {
        text.push_str(&format!(", and in {more} more places"));
    }
    text
}

impl Secrets {
    /// Searches an image that is about to be sealed. What is found and does not refuse it is returned.
    pub(crate) fn review(
        &self,
        manifest: &Manifest,
        image: &NewImage,
    ) -> Result<Vec<Finding>, Box<dyn std::error::Error + Send + Sync>> {
        if self.policy == Policy::Ignore {
            return Ok(Vec::new());
        }
        let begun = std::time::Instant::now();
        let searcher = Searcher::new(&self.withheld)?;
        let (findings, bytes) = walk::search(&searcher, manifest, image)?;
        let took_us = begun.elapsed().as_micros() as u64;
        tracing::debug!(image = %image.name(), bytes, took_us, findings = findings.len(), "searched for secrets");
        let refuses = |finding: &Finding| {
            self.policy == Policy::Refuse || matches!(finding.what, What::Value(_))
        };
        if findings.iter().any(refuses) {
            return Err(Found(findings).into());
        }
        Ok(findings)
    }
}

#[cfg(test)]
mod frozen;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_holds_no_value() {
        let secrets = Secrets {
            policy: Policy::Refuse,
            withheld: vec![Withheld {
                name: "API_KEY".to_owned(),
                value: "open sesame".to_owned(),
            }],
        };
        assert!(!format!("{secrets:?}").contains("sesame"));
        let finding = |place: u32, count| Finding {
            what: What::Value("API_KEY".to_owned()),
            count,
            place: format!("mapping {place}"),
        };
        let found = Found(vec![finding(1, 1), finding(2, 3)]);
        assert_eq!(
            found.to_string(),
            "the seed's memory holds secrets that its image would keep: the value of the variable API_KEY in mapping 1, \
             the value of the variable API_KEY in mapping 2 (3 times)"
        );
        let many: Vec<Finding> = (0..9).map(|place| finding(place, 1)).collect();
        assert!(listed(&many).ends_with("mapping 5, and in 3 more places"));
    }
}
