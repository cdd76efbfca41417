//! The routes of the Runtime API.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use offshoot_channel::{MAX_CHUNK_BYTES, MAX_RESPONSE_BYTES, MAX_STREAM_BYTES};

use super::answers::{self, Answer};
use super::state::{Restore, Shared};
use crate::message::Message;

const RUNTIME: &str = "/2018-06-01/runtime/";
const EXTENSION: &str = "/2020-01-01/extension/";
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
/// As much of a response that is too long is read and thrown away, as on the channel.
const MAX_SKIPPED_BYTES: u64 = 64 << 20;

/// Answers one request of a runtime or an extension, whose end of the connection is `peer`.
pub(super) async fn answer(
    shared: Arc<Shared>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    Ok(if let Some(call) = path.strip_prefix(RUNTIME) {
        runtime(&shared, peer, call, request).await
    } else if let Some(call) = path.strip_prefix(EXTENSION) {
        shared.extensions.answer(call, request).await
    } else {
        // To the end: a connection with an unread body is closed after the answer, and clients that send head and body
        // apart find it broken at their next call.
        skip(request.into_body(), 0).await;
        other(&path)
    })
}

async fn runtime(
    shared: &Shared,
    peer: SocketAddr,
    call: &str,
    request: Request<Incoming>,
) -> Answer {
    match (request.method(), call) {
        (&Method::GET, "invocation/next") => match shared.begin_next() {
            Ok(()) => answers::invocation(shared.next().await),
            Err(refusal) => answers::refused(refusal),
        },
        (&Method::GET, "restore/next") => match shared.begin_restore(peer) {
            Ok(Restore::Now) => answers::restored(),
            Ok(Restore::Never) => std::future::pending().await,
            Err(refusal) => answers::refused(refusal),
        },
        (&Method::POST, "init/error" | "restore/error") => init_error(shared, request).await,
        (&Method::POST, call) => match call
            .strip_prefix("invocation/")
            .and_then(|c| c.split_once('/'))
        {
            Some((id, "response")) => response(shared, id, request).await,
            Some((id, "error")) => error(shared, id, request).await,
            _ => not_found(),
        },
        _ => not_found(),
    }
}

fn other(path: &str) -> Answer {
    match path {
        "/ping" | "/2018-06-01/ping" => answers::json(StatusCode::OK, Bytes::from_static(b"pong")),
        "/2022-07-01/telemetry" => answers::error(
            StatusCode::ACCEPTED,
            "Telemetry.NotSupported",
            "Telemetry API is not supported",
        ),
        "/2020-08-15/logs" => answers::error(
            StatusCode::ACCEPTED,
            "Logs.NotSupported",
            "Logs API is not supported",
        ),
        _ => not_found(),
    }
}

pub(super) fn not_found() -> Answer {
    answers::error(
        StatusCode::NOT_FOUND,
        "InvalidRoute",
        "No such call in the Runtime API",
    )
}

async fn init_error(shared: &Shared, request: Request<Incoming>) -> Answer {
    if let Err(refusal) = shared.fail_init() {
        return answers::refused(refusal);
    }
    let error_type = header(request.headers(), ERROR_TYPE);
    match whole(request.into_body()).await {
        Ok(body) => {
            shared.tell(Message::InitError { error_type, body }).await;
            answers::accepted()
        }
        Err(cut) => cut.answer(),
    }
}

async fn error(shared: &Shared, id: &str, request: Request<Incoming>) -> Answer {
    if let Err(refusal) = shared.begin_answer(id) {
        return answers::refused(refusal);
    }
    let error_type = header(request.headers(), ERROR_TYPE);
    let read = whole(request.into_body()).await;
    finish(shared, id, read, |body| Message::Error { error_type, body }).await
}

async fn response(shared: &Shared, id: &str, request: Request<Incoming>) -> Answer {
    let mode = header(request.headers(), "lambda-runtime-function-response-mode");
    if !matches!(mode.as_deref(), None | Some("streaming")) {
        return answers::error(
            StatusCode::BAD_REQUEST,
            "InvalidFunctionResponseMode",
            "Invalid function response mode: only \"streaming\" is known",
        );
    }
    if let Err(refusal) = shared.begin_answer(id) {
        return answers::refused(refusal);
    }
    if mode.is_some() {
        return stream(shared, id, request).await;
    }
    let read = whole(request.into_body()).await;
    finish(shared, id, read, Message::Response).await
}

/// Tells the node of an answer that was read whole, or that it could not be.
async fn finish(
    shared: &Shared,
    id: &str,
    read: Result<Bytes, Cut>,
    message: impl FnOnce(Bytes) -> Message,
) -> Answer {
    let (message, answer) = match read {
        Ok(body) => (message(body), answers::accepted()),
        Err(cut) => (cut.message(), cut.answer()),
    };
    // First the state, then the message: the node may offer the next event as soon as it has the message.
    shared.end_answer(id);
    shared.tell(message).await;
    answer
}

/// A streamed response: passed on part by part; its trailers may say that it broke off.
async fn stream(shared: &Shared, id: &str, request: Request<Incoming>) -> Answer {
    let content_type = header(request.headers(), "content-type");
    shared.tell(Message::StreamBegin { content_type }).await;
    let mut body = request.into_body();
    let mut error_type = None;
    let mut error_body = Bytes::new();
    let mut sent_bytes = 0;
    let mut answer = answers::accepted();
    while let Some(frame) = body.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(mut data)) => {
                sent_bytes += data.len() as u64;
                if sent_bytes > MAX_STREAM_BYTES {
                    error_type = Some("Function.ResponseSizeTooLarge".to_owned());
                    answer = Cut::TooLong(sent_bytes).answer();
                    break;
                }
                while !data.is_empty() {
                    let part = data.split_to(data.len().min(MAX_CHUNK_BYTES as usize));
                    shared.tell(Message::StreamChunk(part)).await;
                }
            }
            Ok(Err(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    error_type = header(trailers, ERROR_TYPE);
                    error_body = header(trailers, ERROR_BODY)
                        .map(Bytes::from)
                        .unwrap_or_default();
                }
            }
            Err(_) => {
                error_type = Some("Runtime.TruncatedResponse".to_owned());
                answer = Cut::Truncated.answer();
                break;
            }
        }
    }
    shared.end_answer(id);
    shared
        .tell(match error_type {
            Some(_) => Message::StreamError {
                error_type,
                body: decoded(error_body),
            },
            None => Message::StreamEnd,
        })
        .await;
    answer
}

/// Trailers cannot carry line ends, so clients send the error object in base64; some send it plain.
fn decoded(body: Bytes) -> Bytes {
    use base64::Engine;
    match base64::engine::general_purpose::STANDARD.decode(&body) {
        Ok(plain) if !plain.is_empty() => plain.into(),
        _ => body,
    }
}

/// Why a body was not read to its end.
enum Cut {
    TooLong(u64),
    Truncated,
}

impl Cut {
    fn message(&self) -> Message {
        match self {
            Self::TooLong(len_bytes) => Message::TooLarge(*len_bytes),
            Self::Truncated => Message::Error {
                error_type: Some("Runtime.TruncatedResponse".to_owned()),
                body: Bytes::from_static(
                    br#"{"errorType":"Runtime.TruncatedResponse","errorMessage":"The runtime broke its response off"}"#,
                ),
            },
        }
    }

    fn answer(&self) -> Answer {
        match self {
            Self::TooLong(_) => answers::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                &format!("Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."),
            ),
            Self::Truncated => answers::error(
                StatusCode::BAD_REQUEST,
                "TruncatedHTTPRequest",
                "HTTP request terminated before its body was complete",
            ),
        }
    }
}

/// Reads a body of at most [`MAX_RESPONSE_BYTES`].
async fn whole(mut body: Incoming) -> Result<Bytes, Cut> {
    use hyper::body::Body;
    let announced = body.size_hint().lower();
    if announced > MAX_RESPONSE_BYTES {
        return Err(Cut::TooLong(skip(body, 0).await.max(announced)));
    }
    let mut all = bytes::BytesMut::with_capacity(announced as usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Cut::Truncated)?;
        if let Ok(data) = frame.into_data() {
            if (all.len() + data.len()) as u64 > MAX_RESPONSE_BYTES {
                let read_bytes = (all.len() + data.len()) as u64;
                return Err(Cut::TooLong(skip(body, read_bytes).await));
            }
            if all.is_empty() && data.len() as u64 == announced {
                return Ok(data);
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(all.freeze())
}

/// Reads on to the end of a body that is too long: a client that can still send gets to read why it was refused, and
/// lives. Gives up after [`MAX_SKIPPED_BYTES`]. How many bytes there were.
pub(super) async fn skip(mut body: Incoming, mut read_bytes: u64) -> u64 {
    while read_bytes <= MAX_SKIPPED_BYTES {
        match body.frame().await {
            Some(Ok(frame)) => read_bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) | None => break,
        }
    }
    read_bytes
}

pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
