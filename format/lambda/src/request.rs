//! From the parts of an HTTP request to a typed and valid input.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::blob::Blob;
use crate::constraint::Validate;
use crate::error::{ApiError, ErrorKind};
use crate::operation::{Body, Operation, Route, query_values};

/// Where members outside the body come from.
pub trait Parts {
    /// The path member `name`, percent-decoded.
    fn path(&self, name: &str) -> Option<String>;
    /// Every value of the query parameter `name`, decoded, in order.
    fn query(&self, name: &str) -> Vec<String>;
    /// The header `name` (lower case), if it is there and is text.
    fn header(&self, name: &str) -> Option<String>;
}

/// [`Parts`] of a routed request. `header` looks a lower-case name up in whatever the HTTP
/// library keeps.
pub struct HttpParts<'a, H> {
    /// The route, for path members.
    pub route: &'a Route,
    /// The query string as sent.
    pub raw_query: &'a str,
    /// Header look-up.
    pub header: H,
}

impl<H: Fn(&str) -> Option<String>> Parts for HttpParts<'_, H> {
    fn path(&self, name: &str) -> Option<String> {
        self.route.member(name).map(str::to_owned)
    }

    fn query(&self, name: &str) -> Vec<String> {
        query_values(self.raw_query, name)
    }

    fn header(&self, name: &str) -> Option<String> {
        (self.header)(name)
    }
}

/// The input of an operation.
pub trait ApiInput: Default + DeserializeOwned + Validate {
    /// The operation that this is the input of.
    const OPERATION: &'static Operation;

    /// Sets the members that are not in the body.
    ///
    /// # Errors
    /// [`BindError`] if a parameter is not of its member's type.
    fn bind(&mut self, parts: &dyn Parts) -> Result<(), BindError>;

    /// Sets the member that is the whole body, for operations that have one.
    fn set_payload(&mut self, _payload: Blob) {}
}

/// A parameter that is not of its member's type.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter {name} is not a whole number")]
pub struct BindError {
    /// Name of the parameter.
    pub name: &'static str,
}

/// Decodes, binds and validates the input of an operation. For a payload operation the body is
/// kept as it is, without a copy.
///
/// # Errors
/// `InvalidRequestContentException` if the body is not JSON, `SerializationException` if a
/// member is of the wrong type, else as [`ApiError::from_violations`] says.
pub fn decode<I: ApiInput>(parts: &dyn Parts, body: &bytes::Bytes) -> Result<I, ApiError> {
    let input = decode_unchecked::<I>(parts, body)?;
    match ApiError::from_violations(&input.validate()) {
        Some(error) => Err(error),
        None => Ok(input),
    }
}

/// As [`decode`], without the constraints. The invoke path checks what it needs by hand.
///
/// # Errors
/// As [`decode`], for the body and the types of members.
pub fn decode_unchecked<I: ApiInput>(
    parts: &dyn Parts,
    body: &bytes::Bytes,
) -> Result<I, ApiError> {
    let mut input = match I::OPERATION.body {
        Body::Json => parse_json(body)?,
        Body::None | Body::Payload => I::default(),
    };
    input.bind(parts)?;
    if I::OPERATION.body == Body::Payload {
        input.set_payload(Blob(body.clone()));
    }
    Ok(input)
}

/// Reads a JSON body. SDKs send nothing where every member is optional, so that an empty body
/// is an empty object.
///
/// # Errors
/// As [`decode`], for the body.
pub fn parse_json<T: Default + DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Ok(T::default()),
        // serde would take a list for the members of a structure, in order.
        Some(b'[') => {
            let message = "Start of list found where not expected";
            return Err(ApiError::new(ErrorKind::Serialization, message));
        }
        Some(_) => {}
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => ApiError::new(ErrorKind::Serialization, error.to_string()),
        _ => ApiError::new(
            ErrorKind::InvalidRequestContent,
            format!("Could not parse request body into json: {error}"),
        ),
    })
}

/// A whole number from a query parameter.
///
/// # Errors
/// [`BindError`] if it is something else.
pub fn parse_query(name: &'static str, value: Option<String>) -> Result<Option<i64>, BindError> {
    value
        .map(|v| v.parse().map_err(|_| BindError { name }))
        .transpose()
}

impl From<BindError> for ApiError {
    fn from(error: BindError) -> Self {
        let message = format!(
            "STRING_VALUE can not be converted to an Integer ({})",
            error.name
        );
        Self::new(ErrorKind::Serialization, message)
    }
}

#[cfg(test)]
mod tests;
