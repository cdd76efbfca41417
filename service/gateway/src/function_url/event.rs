//! From an HTTP request to an event of payload format 2.0.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::Utc;
use http::HeaderMap;
use http::request::Parts;
use offshoot_lambda::arn::Home;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// The event, as JSON.
pub(super) fn payload(
    home: &Home,
    url_id: &str,
    parts: &Parts,
    body: &Bytes,
    peer: Option<SocketAddr>,
    request_id: &str,
) -> Bytes {
    let raw_query = parts.uri.query().unwrap_or_default();
    let domain = format!("{url_id}.lambda-url.{}.localhost", home.region);
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
    let now = Utc::now();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": raw_query,
        "headers": headers(&parts.headers),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": url_id,
            "domainName": domain,
            "domainPrefix": url_id,
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", parts.version),
                "sourceIp": peer.map(|peer| peer.ip().to_string()),
                "userAgent": text(&parts.headers, "user-agent"),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": now.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.timestamp_millis(),
        },
        "isBase64Encoded": false,
    });
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !raw_query.is_empty() {
        event["queryStringParameters"] = json!(query(raw_query));
    }
    if !body.is_empty() {
        let (body, encoded) = encoded(&parts.headers, body);
        event["body"] = Value::String(body);
        event["isBase64Encoded"] = json!(encoded);
    }
    event.to_string().into()
}

/// Header names in lower case, values of a repeated header joined by commas; cookies apart.
fn headers(map: &HeaderMap) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in map.iter().filter(|(name, _)| name.as_str() != "cookie") {
        let value = String::from_utf8_lossy(value.as_bytes());
        all.entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    all
}

fn cookies(map: &HeaderMap) -> Vec<String> {
    let values = map
        .get_all("cookie")
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split("; "))
        .map(str::to_owned)
        .collect()
}

/// Values of a repeated parameter are joined by commas.
fn query(raw: &str) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value);
        all.entry(decoded(name))
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert(value);
    }
    all
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

/// Text as it is, anything else in base64.
fn encoded(headers: &HeaderMap, body: &Bytes) -> (String, bool) {
    let content_type = text(headers, "content-type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let textual = content_type.starts_with("text/")
        || ["json", "xml", "javascript", "x-www-form-urlencoded"]
            .iter()
            .any(|kind| content_type.contains(kind));
    match std::str::from_utf8(body) {
        Ok(plain) if textual => (plain.to_owned(), false),
        _ => (STANDARD.encode(body), true),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event(request: http::Request<()>, body: &'static [u8]) -> Value {
        let home = Home {
            partition: "aws".into(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        };
        let parts = request.into_parts().0;
        let payload = payload(&home, "id", &parts, &Bytes::from_static(body), None, "r");
        serde_json::from_slice(&payload).unwrap()
    }

    #[test]
    fn repeated_parameters_are_joined_and_cookies_stand_apart() {
        let request = http::Request::get("/a%20b?x=1&x=2&y=%C3%A4+b").header("cookie", "c=1; d=2");
        let event = event(request.body(()).unwrap(), b"");
        assert_eq!(
            event["queryStringParameters"],
            json!({ "x": "1,2", "y": "ä b" })
        );
        assert_eq!(event["cookies"], json!(["c=1", "d=2"]));
        assert_eq!(event["rawPath"], "/a b");
        assert!(event.get("body").is_none());
    }

    #[test]
    fn only_text_travels_as_it_is() {
        let json_body = http::Request::post("/").header("content-type", "application/json");
        assert_eq!(event(json_body.body(()).unwrap(), b"{}")["body"], "{}");
        let binary = event(http::Request::post("/").body(()).unwrap(), b"\xff");
        assert_eq!(
            (&binary["body"], &binary["isBase64Encoded"]),
            (&json!("/w=="), &json!(true))
        );
    }
}
