//! The metadata of the frames that have some: JSON objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an `INVOKE` frame tells the runtime beside the event.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvokeMeta<'a> {
    /// The request's id, a UUID.
    pub request_id: &'a str,
    /// When the handler must have answered, in milliseconds since the epoch.
    pub deadline_ms: u64,
    /// The ARN by which the caller named the function.
    pub arn: &'a str,
    /// X-Ray trace header, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a str>,
    /// The caller's client context, JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_context: Option<&'a str>,
    /// The caller's Cognito identity, JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cognito_identity: Option<&'a str>,
    /// The caller's tenant id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<&'a str>,
    /// Whether the caller reads the response as a stream.
    pub streaming: bool,
}

/// What a `RESUME` frame tells a clone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ResumeMeta<'a> {
    /// Environment variables to set, or to unset (`None`), before anything else is done.
    pub env: BTreeMap<&'a str, Option<&'a str>>,
}

/// What `STREAM_BEGIN`, `STREAM_ERROR` and `INIT_ERROR` say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StreamMeta {
    /// The response's content type.
    pub content_type: Option<String>,
    /// The error's type.
    pub error_type: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn resume_says_what_to_set_and_what_to_unset() {
        let env = BTreeMap::from([("NEW", Some("value")), ("OLD", None)]);
        let text = serde_json::to_string(&ResumeMeta { env }).unwrap();
        assert_eq!(text, r#"{"env":{"NEW":"value","OLD":null}}"#);
    }
}
