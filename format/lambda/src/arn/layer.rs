//! How callers name layers: `deps`, `arn:aws:lambda:REGION:ACCOUNT:layer:deps`, or the latter with
//! a version.

use super::{IdError, Parts, is_account, is_region, is_word};
use crate::limits::LAYER_NAME_MAX_CHARS;

/// A layer as a caller named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayerId<'a> {
    /// Region, if an ARN was given.
    pub region: Option<&'a str>,
    /// Account, if an ARN was given.
    pub account: Option<&'a str>,
    /// Name of 1 to 140 characters of `[a-zA-Z0-9-_]`.
    pub name: &'a str,
    /// Version, if the ARN is of one.
    pub version: Option<u64>,
}

impl<'a> LayerId<'a> {
    /// Reads a layer name, layer ARN or layer version ARN.
    ///
    /// # Errors
    /// [`IdError::MalformedLayer`] if it is none.
    pub fn parse(text: &'a str) -> Result<Self, IdError> {
        let malformed = || IdError::MalformedLayer {
            value: text.chars().take(1024).collect(),
        };
        let mut parts = Parts { rest: Some(text) };
        let (mut region, mut account) = (None, None);
        if text.starts_with("arn:") {
            parts.next();
            parts
                .next_if(|p| p.starts_with("aws"))
                .ok_or_else(malformed)?;
            parts.next_if(|p| p == "lambda").ok_or_else(malformed)?;
            region = Some(parts.next_if(is_region).ok_or_else(malformed)?);
            account = Some(parts.next_if(is_account).ok_or_else(malformed)?);
            parts.next_if(|p| p == "layer").ok_or_else(malformed)?;
        }
        let name = parts
            .next()
            .filter(|n| is_word(n) && n.len() <= LAYER_NAME_MAX_CHARS);
        let name = name.ok_or_else(malformed)?;
        let version = match parts.next() {
            None => None,
            Some(digits) if region.is_some() && !digits.starts_with(['0', '+']) => {
                Some(digits.parse().map_err(|_| malformed())?)
            }
            Some(_) => return Err(malformed()),
        };
        if parts.rest.is_some() {
            return Err(malformed());
        }
        Ok(Self {
            region,
            account,
            name,
            version,
        })
    }
}
