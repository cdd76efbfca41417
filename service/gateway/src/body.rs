//! Response bodies: whole, or streamed through a channel.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// What the gateway answers with.
pub(crate) type Answer = Response<AnswerBody>;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// All of it, or nothing any more.
    Whole(Option<Bytes>),
    /// What comes through a channel, until it closes.
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Stream(parts) => parts.poll_recv(context),
        };
        data.map(|data| data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// An answer with a whole body.
pub(crate) fn whole(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let body: Bytes = body.into();
    let mut answer = Response::new(AnswerBody::Whole((!body.is_empty()).then_some(body)));
    *answer.status_mut() = status;
    answer
}

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = whole(status, body);
    set(&mut answer, "content-type", "application/json");
    answer
}

/// An answer whose body comes through `parts`.
pub(crate) fn streamed(parts: mpsc::Receiver<Bytes>) -> Answer {
    Response::new(AnswerBody::Stream(parts))
}

/// Sets a header; a value that HTTP cannot carry is left out. `name` is lower case.
pub(crate) fn set(answer: &mut Answer, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        answer
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}
