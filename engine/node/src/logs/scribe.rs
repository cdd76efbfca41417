//! Writes down what one instance prints, with Lambda's own lines around each request.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::report::RequestEnd;
use super::{LogBook, PendingLog, Report, line};
use crate::{Event, InstanceSpec};

/// What `X-Amz-Log-Result` carries, in bytes (AWS Lambda API reference, Invoke, LogType).
const TAIL_BYTES: usize = 4096;
/// A longer line is cut in pieces, as CloudWatch does.
const MAX_LINE_BYTES: usize = 256 << 10;

/// The writer of one instance's log stream.
#[derive(Debug)]
pub(crate) struct Scribe {
    book: Arc<LogBook>,
    function: Arc<str>,
    version: Arc<str>,
    stream: Arc<str>,
    /// The request that has begun, until its START line is written.
    begun: Option<(DateTime<Utc>, Arc<str>)>,
    /// Printed, but not yet a whole line.
    partial: Vec<u8>,
    /// Whole lines not yet written to the book.
    pending: Vec<u8>,
    /// The last of what the current request logged, and of init before the first.
    tail: Vec<u8>,
    keeps_tail: bool,
}

impl Scribe {
    pub(crate) fn new(book: Arc<LogBook>, spec: &InstanceSpec, stream: String) -> Self {
        Self {
            book,
            function: Arc::clone(&spec.function),
            version: Arc::clone(&spec.version),
            stream: stream.into(),
            begun: None,
            partial: Vec::new(),
            pending: Vec::new(),
            tail: Vec::new(),
            keeps_tail: true,
        }
    }

    /// The name of the log stream.
    pub(crate) fn stream(&self) -> &str {
        &self.stream
    }

    /// A request begins. `first` keeps what init printed in the request's tail, as Lambda does. Its START line is
    /// written by [`Scribe::write_start`], or before anything else is.
    pub(crate) fn start(&mut self, event: &Event, first: bool) {
        self.keeps_tail = event.wants_tail;
        if !first || !self.keeps_tail {
            self.tail = Vec::new();
        }
        self.begun = Some((Utc::now(), Arc::clone(&event.request_id)));
    }

    /// Writes the START line: best done while the instance works and nobody waits for us.
    pub(crate) fn write_start(&mut self) {
        if let Some((at, request_id)) = self.begun.take() {
            let text = format!("START RequestId: {request_id} Version: {}", self.version);
            self.line_at(&line::prefix(at, &self.stream), text.as_bytes());
        }
    }

    /// Takes what the instance printed and writes its whole lines down, all with the time at which they came here. Gives how
    /// long the instance should not be listened to.
    pub(crate) fn printed(&mut self, printed: &mut Vec<u8>) -> Duration {
        self.partial.append(printed);
        let partial = std::mem::take(&mut self.partial);
        let prefix = line::prefix(Utc::now(), &self.stream);
        let mut rest = partial.as_slice();
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.line(&prefix, &rest[..end]);
            rest = &rest[end + 1..];
        }
        while rest.len() > MAX_LINE_BYTES {
            self.line(&prefix, &rest[..MAX_LINE_BYTES]);
            rest = &rest[MAX_LINE_BYTES..];
        }
        self.partial = rest.to_vec();
        self.flush()
    }

    /// A request ends: the last unfinished line, END and REPORT. Gives the tail if the request wants it, and what
    /// is still to be written.
    pub(crate) fn end(&mut self, event: &Event, report: Report) -> (Option<Vec<u8>>, PendingLog) {
        self.write_start();
        if !self.partial.is_empty() {
            let partial = std::mem::take(&mut self.partial);
            self.line(&line::prefix(Utc::now(), &self.stream), &partial);
        }
        let end = RequestEnd {
            at: Utc::now(),
            stream: Arc::clone(&self.stream),
            request_id: Arc::clone(&event.request_id),
            report,
        };
        let (tail, end) = if self.keeps_tail {
            let prefix = line::prefix(end.at, &self.stream);
            for text in end.texts() {
                self.line_at(&prefix, text.as_bytes());
            }
            (Some(last(std::mem::take(&mut self.tail))), None)
        } else {
            (None, Some(end))
        };
        let lines = std::mem::take(&mut self.pending);
        let (book, function) = (Arc::clone(&self.book), Arc::clone(&self.function));
        (tail, PendingLog::new(book, function, lines, end))
    }

    /// A line of our own, outside a request.
    pub(crate) fn note(&mut self, text: &str) {
        self.line(&line::prefix(Utc::now(), &self.stream), text.as_bytes());
        self.flush();
    }

    fn line(&mut self, prefix: &str, text: &[u8]) {
        self.write_start();
        self.line_at(prefix, text);
    }

    fn line_at(&mut self, prefix: &str, text: &[u8]) {
        line::write(&mut self.pending, prefix, text);
        if self.keeps_tail {
            self.tail.extend_from_slice(text);
            self.tail.push(b'\n');
            if self.tail.len() > 16 * TAIL_BYTES {
                self.tail = last(std::mem::take(&mut self.tail));
            }
        }
    }

    /// Gives how long the instance should not be listened to.
    fn flush(&mut self) -> Duration {
        if self.pending.is_empty() {
            return Duration::ZERO;
        }
        let wait = self.book.append(&self.function, &self.pending);
        self.pending.clear();
        wait
    }
}

/// The last [`TAIL_BYTES`] of `text`.
fn last(mut text: Vec<u8>) -> Vec<u8> {
    let excess = text.len().saturating_sub(TAIL_BYTES);
    text.drain(..excess);
    text
}
