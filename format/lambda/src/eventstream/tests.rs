//! Facts about frames, through a decoder that is written from the specification.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Decoded = (BTreeMap<String, String>, Vec<u8>);

fn u32_at(frame: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(frame[at..at + 4].try_into().unwrap())
}

fn decode(frame: &[u8]) -> Decoded {
    let total = u32_at(frame, 0) as usize;
    let headers_len = u32_at(frame, 4) as usize;
    assert_eq!(total, frame.len());
    assert_eq!(u32_at(frame, 8), crc32fast::hash(&frame[..8]));
    assert_eq!(
        u32_at(frame, total - 4),
        crc32fast::hash(&frame[..total - 4])
    );
    let mut headers = BTreeMap::new();
    let mut rest = &frame[12..12 + headers_len];
    while let Some((&name_len, tail)) = rest.split_first() {
        let (name, tail) = tail.split_at(name_len as usize);
        assert_eq!(tail[0], 7);
        let value_len = usize::from(u16::from_be_bytes([tail[1], tail[2]]));
        let (value, tail) = tail[3..].split_at(value_len);
        headers.insert(
            String::from_utf8(name.to_vec()).unwrap(),
            String::from_utf8(value.to_vec()).unwrap(),
        );
        rest = tail;
    }
    (headers, frame[12 + headers_len..total - 4].to_vec())
}

#[test]
fn chunk_carries_its_payload_and_type() {
    let (headers, payload) = decode(&payload_chunk(b"hello").unwrap());
    assert_eq!(payload, b"hello");
    assert_eq!(headers[":event-type"], "PayloadChunk");
    assert_eq!(headers[":content-type"], "application/octet-stream");
    assert_eq!(headers[":message-type"], "event");
}

#[test]
fn chunk_is_byte_for_byte_what_botocore_decodes() {
    // Decoded by botocore's EventStreamBuffer to the payload `hello`.
    let golden = "0000006f0000005af5fe871f0b3a6576656e742d7479706507000c5061796c6f61644368756e6b\
                  0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d\
                  0d3a6d6573736167652d747970650700056576656e7468656c6c6f29e71260";
    let frame = payload_chunk(b"hello").unwrap();
    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, golden);
}

#[test]
fn completion_of_a_success_is_an_empty_object() {
    let frame = invoke_complete(&InvokeWithResponseStreamCompleteEvent::default()).unwrap();
    let (headers, payload) = decode(&frame);
    assert_eq!(headers[":event-type"], "InvokeComplete");
    assert_eq!(payload, b"{}");
}

#[test]
fn completion_of_a_failure_names_the_error() {
    let complete = InvokeWithResponseStreamCompleteEvent {
        error_code: Some("Unhandled".into()),
        error_details: Some("boom".into()),
        log_result: None,
    };
    let (_, payload) = decode(&invoke_complete(&complete).unwrap());
    assert_eq!(
        payload,
        br#"{"ErrorCode":"Unhandled","ErrorDetails":"boom"}"#
    );
}

#[test]
fn payload_above_the_limit_is_refused() {
    let payload = vec![0; PAYLOAD_MAX_BYTES + 1];
    assert!(payload_chunk(&payload[1..]).is_ok());
    let error = payload_chunk(&payload).unwrap_err();
    assert_eq!(
        error,
        FrameError::PayloadTooLarge {
            len_bytes: PAYLOAD_MAX_BYTES + 1
        }
    );
}

proptest! {
    #[test]
    fn any_payload_round_trips(payload in prop::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert_eq!(decode(&payload_chunk(&payload).unwrap()).1, payload);
    }
}
