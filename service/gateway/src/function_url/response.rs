//! From a function's answer to an HTTP response.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode};
use offshoot_node::StreamPart;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::body::{Answer, json, set, streamed, whole};
use crate::streaming::{BACKLOG, Running};

/// The content type of a stream that begins with a prelude: JSON, then eight zero bytes.
const WITH_PRELUDE: &str = "application/vnd.awslambda.http-integration-response";
const PRELUDE_END: [u8; 8] = [0; 8];
/// A longer prelude is none.
const MAX_PRELUDE_BYTES: usize = 64 << 10;

/// The head of a response, as functions write it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Head {
    status_code: Option<u16>,
    headers: BTreeMap<String, Value>,
    cookies: Vec<String>,
    body: Option<String>,
    is_base64_encoded: bool,
}

/// A whole answer: an object with `statusCode` describes the response, anything else is its body.
pub(super) fn from_function(body: Bytes) -> Answer {
    let described = serde_json::from_slice::<Head>(&body).ok();
    match described {
        Some(head) if head.status_code.is_some() => from_head(head),
        _ => json(StatusCode::OK, body),
    }
}

fn from_head(mut head: Head) -> Answer {
    let text = head.body.take().unwrap_or_default();
    let body = if head.is_base64_encoded {
        match STANDARD.decode(&text) {
            Ok(bytes) => Bytes::from(bytes),
            Err(_) => {
                return json(
                    StatusCode::BAD_GATEWAY,
                    r#"{"Message":"The function's body is not base64"}"#,
                );
            }
        }
    } else {
        text.into()
    };
    let mut answer = whole(StatusCode::OK, body);
    set(&mut answer, "content-type", "application/json");
    apply(&head, &mut answer);
    answer
}

/// Sets status, headers and cookies; what HTTP cannot carry is left out.
fn apply(head: &Head, answer: &mut Answer) {
    let status = head
        .status_code
        .and_then(|status| StatusCode::from_u16(status).ok());
    *answer.status_mut() = status.unwrap_or(StatusCode::OK);
    for (name, value) in &head.headers {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&text))
            && !is_hop_by_hop(&name)
        {
            answer.headers_mut().insert(name, value);
        }
    }
    for cookie in &head.cookies {
        if let Ok(cookie) = HeaderValue::from_str(cookie) {
            answer
                .headers_mut()
                .append(http::header::SET_COOKIE, cookie);
        }
    }
}

/// Headers about the connection are ours to set (RFC 9110, 7.6.1); a function's would break the framing.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "content-length" | "transfer-encoding" | "upgrade" | "te" | "trailer"
    )
}

/// A streamed answer: its prelude, if it has one, becomes the head.
pub(super) async fn from_stream(first: StreamPart, running: Running) -> Answer {
    let Running {
        mut parts,
        outcome: _outcome,
    } = running;
    let content_type = match &first {
        StreamPart::Head(content_type) => content_type.clone(),
        StreamPart::Chunk(_) => None,
    };
    let mut begun = BytesMut::new();
    if let StreamPart::Chunk(chunk) = first {
        begun.extend_from_slice(&chunk);
    }
    let head = if content_type.as_deref() == Some(WITH_PRELUDE) {
        prelude(&mut begun, &mut parts).await
    } else {
        None
    };
    let (sender, body) = mpsc::channel(BACKLOG);
    let mut answer = streamed(body);
    let plain = content_type.filter(|kind| kind != WITH_PRELUDE);
    set(
        &mut answer,
        "content-type",
        plain.as_deref().unwrap_or("application/octet-stream"),
    );
    if let Some(head) = head {
        apply(&head, &mut answer);
    }
    tokio::spawn(pump(begun.freeze(), parts, sender));
    answer
}

/// Reads chunks until the prelude is whole; leaves what follows it in `begun`.
async fn prelude(begun: &mut BytesMut, parts: &mut mpsc::Receiver<StreamPart>) -> Option<Head> {
    loop {
        if let Some(end) = begun
            .windows(PRELUDE_END.len())
            .position(|window| window == PRELUDE_END)
        {
            let text = begun.split_to(end + PRELUDE_END.len());
            return serde_json::from_slice(&text[..end]).ok();
        }
        if begun.len() > MAX_PRELUDE_BYTES {
            return None;
        }
        match parts.recv().await? {
            StreamPart::Chunk(chunk) => begun.extend_from_slice(&chunk),
            StreamPart::Head(_) => {}
        }
    }
}

async fn pump(begun: Bytes, mut parts: mpsc::Receiver<StreamPart>, body: mpsc::Sender<Bytes>) {
    if !begun.is_empty() {
        let _ = body.send(begun).await;
    }
    while let Some(part) = parts.recv().await {
        if let StreamPart::Chunk(chunk) = part {
            // A client that has gone does not stop the function.
            let _ = body.send(chunk).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_a_status_describes_the_response() {
        let answer = from_function(Bytes::from_static(
            br#"{"statusCode":201,"headers":{"X-A":"b","Content-Length":"9"},"cookies":["c=1"],"body":"hi"}"#,
        ));
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(
            answer.headers().get("x-a").map(HeaderValue::as_bytes),
            Some(&b"b"[..])
        );
        assert_eq!(
            answer
                .headers()
                .get("set-cookie")
                .map(HeaderValue::as_bytes),
            Some(&b"c=1"[..])
        );
        assert!(answer.headers().get("content-length").is_none());
    }

    #[test]
    fn anything_else_is_the_body() {
        assert_eq!(
            from_function(Bytes::from_static(b"[1,2]")).status(),
            StatusCode::OK
        );
    }
}
