//! How callers name functions and layers, without regular expressions: this is on the path of
//! every invocation.
//!
//! A function identifier is a name, a partial ARN or a full one, each with an optional qualifier:
//! `f`, `f:live`, `123456789012:function:f`, `arn:aws:lambda:eu-west-1:123456789012:function:f:7`.
//! ("Invoke" in the AWS Lambda API reference.) Stricter than the model's pattern in one point: a
//! name has no dots, so that it is always a safe file name.

mod error;
mod layer;

use std::fmt;

pub use error::IdError;
pub use layer::LayerId;

use crate::limits::{FUNCTION_ID_MAX_CHARS, FUNCTION_NAME_MAX_CHARS, QUALIFIER_MAX_CHARS};

/// A function as a caller named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionId<'a> {
    /// Partition of a full ARN, as in `aws`.
    pub partition: Option<&'a str>,
    /// Region, if named.
    pub region: Option<&'a str>,
    /// Account of 12 digits, if named.
    pub account: Option<&'a str>,
    /// Name of 1 to 64 characters of `[a-zA-Z0-9-_]`.
    pub name: &'a str,
    /// Version or alias, if named.
    pub qualifier: Option<Qualifier<'a>>,
}

/// Which version of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qualifier<'a> {
    /// `$LATEST`, the unpublished code.
    Latest,
    /// A published version, from 1.
    Version(u64),
    /// An alias: `[a-zA-Z0-9-_]`, not only digits.
    Alias(&'a str),
}

/// The partition, region and account that this installation answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Partition, as in `aws`.
    pub partition: String,
    /// Region, as in `us-east-1`.
    pub region: String,
    /// Account of 12 digits.
    pub account: String,
}

impl<'a> FunctionId<'a> {
    /// Reads an identifier.
    ///
    /// # Errors
    /// [`IdError`] if it is none.
    pub fn parse(text: &'a str) -> Result<Self, IdError> {
        // Everything allowed is ASCII, so that bytes count characters.
        if text.len() > FUNCTION_ID_MAX_CHARS {
            return Err(IdError::malformed(text));
        }
        let mut parts = Parts { rest: Some(text) };
        let partition = if text.starts_with("arn:") {
            parts.next();
            let partition = parts.next().filter(|p| p.starts_with("aws"));
            let service = parts.next();
            if partition.is_none() || service != Some("lambda") {
                return Err(IdError::malformed(text));
            }
            partition
        } else {
            None
        };
        // The name is the last part that must be there: take a prefix only if more follows.
        let region = parts.next_if(is_region);
        let account = parts.next_if(is_account);
        let keyword = parts.next_if(|part| part == "function");
        if partition.is_some() && (region.is_none() || account.is_none() || keyword.is_none()) {
            return Err(IdError::malformed(text));
        }
        let name = parts.next().filter(|name| is_word(name));
        let name = name.ok_or_else(|| IdError::malformed(text))?;
        let qualifier = parts
            .next()
            .map(|q| Qualifier::parse(q, text))
            .transpose()?;
        if parts.rest.is_some() {
            return Err(IdError::malformed(text));
        }
        if name.len() > FUNCTION_NAME_MAX_CHARS {
            return Err(IdError::NameTooLong {
                name: name.to_owned(),
            });
        }
        Ok(Self {
            partition,
            region,
            account,
            name,
            qualifier,
        })
    }

    /// Adds the qualifier of the query string, which must not contradict the identifier's own.
    ///
    /// # Errors
    /// [`IdError::QualifierMismatch`] if it does, or as [`Self::parse`] if it is malformed.
    pub fn with_qualifier(self, query: Option<&'a str>) -> Result<Self, IdError> {
        let Some(query) = query else { return Ok(self) };
        if query.len() > QUALIFIER_MAX_CHARS {
            return Err(IdError::Qualifier {
                value: query.to_owned(),
            });
        }
        let query = Qualifier::parse_query(query)?;
        match self.qualifier {
            Some(own) if own != query => Err(IdError::QualifierMismatch),
            _ => Ok(Self {
                qualifier: Some(query),
                ..self
            }),
        }
    }

    /// Checks that the function is of this region and account.
    ///
    /// # Errors
    /// [`IdError::OtherRegion`] or [`IdError::OtherAccount`].
    pub fn check_home(&self, home: &Home) -> Result<(), IdError> {
        if let Some(region) = self.region.filter(|region| *region != home.region) {
            return Err(IdError::OtherRegion {
                region: region.to_owned(),
                home: home.region.clone(),
            });
        }
        let foreign = self.account.filter(|account| *account != home.account);
        if foreign.is_some() || self.partition.is_some_and(|p| p != home.partition) {
            let partition = self.partition.unwrap_or(&home.partition);
            let (region, account) = (&home.region, foreign.unwrap_or(&home.account));
            let arn = format!(
                "arn:{partition}:lambda:{region}:{account}:function:{}",
                self.name
            );
            return Err(IdError::OtherAccount { arn });
        }
        Ok(())
    }
}

impl<'a> Qualifier<'a> {
    /// Reads the qualifier of a query string or a stored record.
    ///
    /// # Errors
    /// [`IdError::Qualifier`] if it is none; [`IdError::NoSuchVersion`] if it is a number that
    /// no version can have.
    pub fn parse_query(text: &'a str) -> Result<Self, IdError> {
        if text == "$LATEST" {
            return Ok(Self::Latest);
        }
        if !is_word(text) || text.len() > QUALIFIER_MAX_CHARS {
            return Err(IdError::Qualifier {
                value: text.to_owned(),
            });
        }
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self::Alias(text));
        }
        // Versions start at 1 and are written without leading zeros.
        match text.parse() {
            Ok(version) if !text.starts_with('0') => Ok(Self::Version(version)),
            _ => Err(IdError::NoSuchVersion {
                version: text.to_owned(),
            }),
        }
    }

    /// As [`Self::parse_query`], blaming the whole identifier.
    fn parse(text: &'a str, whole: &str) -> Result<Self, IdError> {
        Self::parse_query(text).map_err(|error| match error {
            IdError::Qualifier { .. } => IdError::malformed(whole),
            other => other,
        })
    }
}

impl fmt::Display for Qualifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Version(version) => write!(f, "{version}"),
            Self::Alias(alias) => f.write_str(alias),
        }
    }
}

impl Home {
    /// ARN of a function, unqualified.
    pub fn function_arn(&self, name: &str) -> String {
        format!("{}:function:{name}", self.prefix())
    }

    /// ARN of a version or alias of a function.
    pub fn qualified_arn(&self, name: &str, qualifier: Qualifier<'_>) -> String {
        format!("{}:function:{name}:{qualifier}", self.prefix())
    }

    /// ARN of a layer.
    pub fn layer_arn(&self, name: &str) -> String {
        format!("{}:layer:{name}", self.prefix())
    }

    /// ARN of a version of a layer.
    pub fn layer_version_arn(&self, name: &str, version: u64) -> String {
        format!("{}:layer:{name}:{version}", self.prefix())
    }

    fn prefix(&self) -> String {
        format!(
            "arn:{}:lambda:{}:{}",
            self.partition, self.region, self.account
        )
    }
}

/// Colon-separated parts, of which a prefix part is taken only if it is not the last.
struct Parts<'a> {
    rest: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let (part, rest) = match rest.split_once(':') {
            Some((part, rest)) => (part, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(part)
    }

    fn next_if(&mut self, accepts: impl Fn(&str) -> bool) -> Option<&'a str> {
        let (part, rest) = self.rest?.split_once(':')?;
        accepts(part).then(|| {
            self.rest = Some(rest);
            part
        })
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`: words of lower-case letters, at least two, and
/// one digit.
fn is_region(text: &str) -> bool {
    let Some((words, digit)) = text.rsplit_once('-') else {
        return false;
    };
    let is_digit = digit.len() == 1 && digit.bytes().all(|b| b.is_ascii_digit());
    let is_letters = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    is_digit && words.contains('-') && words.split('-').all(is_letters)
}

#[cfg(test)]
mod tests;
