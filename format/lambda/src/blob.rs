//! Binary members, base64 on the wire, and the redaction of secret ones.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Binary data that travels as padded base64 in JSON. Cloning is cheap; `Debug` says only the
/// length, because blobs hold customers' code.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Bytes);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Bytes> for Blob {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Base64)
    }
}

struct Base64;

impl Visitor<'_> for Base64 {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a base64 string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Blob, E> {
        // The decoder's own message would quote a byte of the data.
        STANDARD
            .decode(text)
            .map(Blob::from)
            .map_err(|_| E::custom("invalid base64"))
    }
}

/// Stands in `Debug` output where a secret would.
#[derive(Clone, Copy)]
pub struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blob_is_base64_in_json() {
        let blob = Blob::from(b"PK\x03\x04".to_vec());
        let json = serde_json::to_string(&blob).unwrap();
        assert_eq!(json, "\"UEsDBA==\"");
        assert_eq!(serde_json::from_str::<Blob>(&json).unwrap(), blob);
    }

    #[test]
    fn bad_base64_is_an_error_that_quotes_nothing() {
        let error = serde_json::from_str::<Blob>("\"s3cret!\"")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("invalid base64"), "{error}");
    }

    #[test]
    fn debug_of_a_blob_shows_no_content() {
        assert_eq!(
            format!("{:?}", Blob::from(b"abc".to_vec())),
            "Blob(3 bytes)"
        );
    }
}
