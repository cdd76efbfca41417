//! Writes down what one instance prints, with Lambda's own lines around each request.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use super::{LogBook, PendingLog};
use crate::{Event, InstanceSpec};

/// What `X-Amz-Log-Result` carries, in bytes (AWS Lambda API reference, Invoke, LogType).
const TAIL_BYTES: usize = 4096;
/// A longer line is cut in pieces, as CloudWatch does.
const MAX_LINE_BYTES: usize = 256 << 10;

/// The facts of a REPORT line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report<'a> {
    /// From delivery to answer.
    pub(crate) duration: Duration,
    /// Init of the instance, if it was made for this request.
    pub(crate) init: Option<Duration>,
    /// Memory limit, in MiB.
    pub(crate) memory_mb: u32,
    /// Most memory that the sandbox has ever used, in bytes.
    pub(crate) peak_memory_bytes: u64,
    /// `timeout`, or `error` with the error's type.
    pub(crate) status: Option<(&'static str, &'a str)>,
}

/// The writer of one instance's log stream.
#[derive(Debug)]
pub(crate) struct Scribe {
    book: Arc<LogBook>,
    function: Arc<str>,
    version: Arc<str>,
    stream: String,
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
            stream,
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

    /// A request begins. `first` keeps what init printed in the request's tail, as Lambda does.
    pub(crate) fn start(&mut self, event: &Event, first: bool) {
        self.keeps_tail = event.wants_tail;
        if !first || !self.keeps_tail {
            self.tail = Vec::new();
        }
        self.line(
            format!(
                "START RequestId: {} Version: {}",
                event.request_id, self.version
            )
            .as_bytes(),
        );
    }

    /// Takes what the instance printed and writes its whole lines down.
    pub(crate) fn printed(&mut self, printed: &mut Vec<u8>) {
        self.partial.append(printed);
        let partial = std::mem::take(&mut self.partial);
        let mut rest = partial.as_slice();
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.line(&rest[..end]);
            rest = &rest[end + 1..];
        }
        while rest.len() > MAX_LINE_BYTES {
            self.line(&rest[..MAX_LINE_BYTES]);
            rest = &rest[MAX_LINE_BYTES..];
        }
        self.partial = rest.to_vec();
        self.flush();
    }

    /// A request ends: the last unfinished line, END and REPORT. Gives the tail if the request wants it, and what
    /// is still to be written.
    pub(crate) fn end(
        &mut self,
        event: &Event,
        report: &Report<'_>,
    ) -> (Option<Vec<u8>>, PendingLog) {
        if !self.partial.is_empty() {
            let partial = std::mem::take(&mut self.partial);
            self.line(&partial);
        }
        self.line(format!("END RequestId: {}", event.request_id).as_bytes());
        self.line(report.to_line(&event.request_id).as_bytes());
        let lines = std::mem::take(&mut self.pending);
        let log = PendingLog::new(Arc::clone(&self.book), Arc::clone(&self.function), lines);
        (
            self.keeps_tail
                .then(|| last(std::mem::take(&mut self.tail))),
            log,
        )
    }

    /// A line of our own, outside a request.
    pub(crate) fn note(&mut self, text: &str) {
        self.line(text.as_bytes());
        self.flush();
    }

    fn line(&mut self, text: &[u8]) {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        for part in [
            now.as_bytes(),
            b"\t",
            self.stream.as_bytes(),
            b"\t",
            text,
            b"\n",
        ] {
            self.pending.extend_from_slice(part);
        }
        if self.keeps_tail {
            self.tail.extend_from_slice(text);
            self.tail.push(b'\n');
            if self.tail.len() > 16 * TAIL_BYTES {
                self.tail = last(std::mem::take(&mut self.tail));
            }
        }
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            self.book.append(&self.function, &self.pending);
            self.pending.clear();
        }
    }
}

/// The last [`TAIL_BYTES`] of `text`.
fn last(mut text: Vec<u8>) -> Vec<u8> {
    let excess = text.len().saturating_sub(TAIL_BYTES);
    text.drain(..excess);
    text
}

impl Report<'_> {
    fn to_line(self, request_id: &str) -> String {
        let billed = self.duration + self.init.unwrap_or_default();
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {} ms\t\
             Memory Size: {} MB\tMax Memory Used: {} MB\t",
            ms(self.duration),
            ms(billed).ceil().max(1.0),
            self.memory_mb,
            self.peak_memory_bytes
                .div_ceil(1 << 20)
                .min(u64::from(self.memory_mb)),
        );
        // Writing to a String cannot fail.
        if let Some(init) = self.init {
            let _ = write!(line, "Init Duration: {:.2} ms\t", ms(init));
        }
        match self.status {
            Some(("error", error_type)) => {
                let _ = write!(line, "Status: error\tError Type: {error_type}");
            }
            Some((status, _)) => {
                let _ = write!(line, "Status: {status}");
            }
            None => {}
        }
        line
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_line_has_lambdas_fields_in_lambdas_order() {
        let report = Report {
            duration: Duration::from_micros(1234),
            init: Some(Duration::from_micros(100_500)),
            memory_mb: 128,
            peak_memory_bytes: 30 << 20,
            status: None,
        };
        assert_eq!(
            report.to_line("r"),
            "REPORT RequestId: r\tDuration: 1.23 ms\tBilled Duration: 102 ms\tMemory Size: 128 MB\t\
             Max Memory Used: 30 MB\tInit Duration: 100.50 ms\t"
        );
    }
}
