//! What tenants and clients send: frames, names, requests.

use bytes::Bytes;
use offshoot_channel::{HEADER_BYTES, Header, Kind, MAX_META_BYTES, StreamMeta};
use offshoot_lambda::arn::{FunctionId, LayerId, Qualifier};
use offshoot_lambda::generated::CreateFunctionRequest;
use offshoot_lambda::operation::{query_values, route};
use offshoot_lambda::request::{HttpParts, decode};

/// A frame: what is accepted keeps its limits and is written as it was read.
pub fn frame(input: &[u8]) {
    let Some((bytes, rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
        return;
    };
    if let Ok(header) = Header::decode(bytes) {
        assert_eq!(header.encode(), *bytes);
        assert!(header.meta_len <= MAX_META_BYTES);
        assert!(header.body_len <= header.kind.max_body_bytes());
        let _ = serde_json::from_slice::<StreamMeta>(rest);
    }
}

/// Lines: a path, a query, a body; the path also as every kind of name.
pub fn request(input: &[u8]) {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (path, raw_query, body) = (text(), text(), text());
    let _ = (FunctionId::parse(&path), LayerId::parse(&path));
    let _ = (
        Qualifier::parse_query(&path),
        query_values(&raw_query, "Qualifier"),
    );
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let Ok(route) = route(method, &path, &raw_query) else {
            continue;
        };
        let parts = HttpParts {
            route: &route,
            raw_query: &raw_query,
            header: |_: &str| None,
        };
        let _ = decode::<CreateFunctionRequest>(&parts, &Bytes::from(body.clone()));
    }
}

pub(crate) fn frame_samples() -> Vec<Vec<u8>> {
    let of = |kind: Kind, meta: &str| {
        let header = Header {
            kind,
            event: if kind.is_of_event() { 7 } else { 0 },
            meta_len: meta.len() as u32,
            body_len: 0,
        };
        [header.encode().as_slice(), meta.as_bytes()].concat()
    };
    vec![
        of(Kind::Ready, ""),
        of(Kind::Frozen, ""),
        of(
            Kind::StreamBegin,
            r#"{"contentType":"text/plain","errorType":null}"#,
        ),
    ]
}

pub(crate) fn request_samples() -> Vec<Vec<u8>> {
    let all = [
        "/2015-03-31/functions\n\n{\"FunctionName\":\"f\",\"Role\":\"arn:aws:iam::123456789012:role/r\",\
         \"Code\":{\"ZipFile\":\"UEs=\"},\"Timeout\":3,\"Environment\":{\"Variables\":{\"A\":\"b\"}}}",
        "/2015-03-31/functions/f%20/invocations\nQualifier=%24LATEST&x\n{}",
        "arn:aws:lambda:us-east-1:123456789012:function:name:7\n\n",
        "arn:aws:lambda:us-east-1:123456789012:layer:deps:1\n\n",
    ];
    all.map(|text| text.as_bytes().to_vec()).to_vec()
}
