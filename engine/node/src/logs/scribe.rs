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

/// So far into a line its request is looked for: behind the time, in text and in JSON.
const NAMING_BYTES: usize = 256;

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
    /// The requests that are in the instance, if it has several at once.
    several: Vec<OneOfSeveral>,
}

/// One of several requests at once.
#[derive(Debug)]
struct OneOfSeveral {
    request_id: Arc<str>,
    /// The last of what it logged, if it wants that.
    tail: Option<Vec<u8>>,
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
            several: Vec::new(),
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

    /// One of several requests begins: its START line. Lines are its own by its id in them.
    pub(crate) fn start_one(&mut self, event: &Event) {
        (self.keeps_tail, self.tail) = (false, Vec::new());
        self.several.push(OneOfSeveral {
            request_id: Arc::clone(&event.request_id),
            tail: event.wants_tail.then(Vec::new),
        });
        let text = format!(
            "START RequestId: {} Version: {}",
            event.request_id, self.version
        );
        self.line_at(&line::prefix(Utc::now(), &self.stream), text.as_bytes());
        self.flush_soon();
    }

    /// One of several requests ends. Gives its tail if it wants that, and its END and REPORT, still to be written.
    pub(crate) fn end_one(
        &mut self,
        event: &Event,
        report: Report,
    ) -> (Option<Vec<u8>>, PendingLog) {
        self.flush_soon();
        let end = RequestEnd {
            at: Utc::now(),
            stream: Arc::clone(&self.stream),
            request_id: Arc::clone(&event.request_id),
            report,
        };
        let tail = self.forget_one(event).map(|mut tail| {
            for text in end.texts() {
                tail.extend_from_slice(text.as_bytes());
                tail.push(b'\n');
            }
            last(tail)
        });
        let (book, function) = (Arc::clone(&self.book), Arc::clone(&self.function));
        (tail, PendingLog::new(book, function, Vec::new(), Some(end)))
    }

    /// One of several requests leaves without an end; gives its tail.
    pub(crate) fn forget_one(&mut self, event: &Event) -> Option<Vec<u8>> {
        let mut several = self.several.iter();
        let at = several.position(|one| one.request_id == event.request_id)?;
        self.several.swap_remove(at).tail
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
        if !self.several.is_empty() {
            self.tell_several(text);
        }
    }

    /// Adds a line to the tails of those requests that it names, or of all if it names none.
    fn tell_several(&mut self, text: &[u8]) {
        if self.several.iter().all(|one| one.tail.is_none()) {
            return;
        }
        let head = String::from_utf8_lossy(&text[..text.len().min(NAMING_BYTES)]);
        let names = |one: &OneOfSeveral| head.contains(&*one.request_id);
        let names_any = self.several.iter().any(names);
        for one in &mut self.several {
            let is_its = !names_any || names(one);
            if let Some(tail) = one.tail.as_mut().filter(|_| is_its) {
                tail.extend_from_slice(text);
                tail.push(b'\n');
                if tail.len() > 16 * TAIL_BYTES {
                    *tail = last(std::mem::take(tail));
                }
            }
        }
    }

    /// Hands whole lines to the book, which writes them within a few milliseconds and before what comes later.
    fn flush_soon(&mut self) {
        if !self.pending.is_empty() {
            self.book.append_soon(&self.function, &self.pending);
            self.pending.clear();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::logs::{LogLimits, Peak};
    use crate::spec::samples;

    fn event(id: &str, wants_tail: bool) -> Event {
        Event {
            request_id: id.into(),
            wants_tail,
            ..samples::event()
        }
    }

    fn report() -> Report {
        Report {
            duration: Duration::ZERO,
            start: None,
            memory_mb: 128,
            peak_memory: Peak::Bytes(0),
            status: None,
        }
    }

    #[test]
    fn requests_at_once_have_the_lines_that_name_them_and_those_that_name_none() {
        let dir = tempfile::tempdir().unwrap();
        let book = Arc::new(LogBook::open(dir.path(), LogLimits::default()).unwrap());
        let mut scribe = Scribe::new(Arc::clone(&book), &samples::spec(), "stream".into());
        let (one, two, three) = (
            event("id-1", true),
            event("id-2", true),
            event("id-3", false),
        );
        for event in [&one, &two, &three] {
            scribe.start_one(event);
        }
        scribe.printed(&mut b"t\tid-1\tof one\nof nobody\nt\tid-2\tof two\n".to_vec());
        let text = |tail: Option<Vec<u8>>| String::from_utf8(tail.unwrap()).unwrap();
        let (tail, log) = scribe.end_one(&one, report());
        log.write();
        let tail = text(tail);
        let lines: Vec<&str> = tail.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "START RequestId: id-1 Version: 1",
                "t\tid-1\tof one",
                "of nobody"
            ]
        );
        assert!(lines[3].starts_with("END RequestId: id-1") && lines[4].starts_with("REPORT "));
        assert_eq!(lines.len(), 5);
        assert_eq!(text(scribe.forget_one(&two)).lines().count(), 3);
        assert_eq!(scribe.end_one(&three, report()).0, None);
        let whole = String::from_utf8(book.tail("f", 1 << 16).unwrap()).unwrap();
        let begins = |id: &str| whole.matches(&format!("START RequestId: {id} ")).count();
        assert_eq!(["id-1", "id-2", "id-3"].map(begins), [1, 1, 1]);
        assert!(
            whole.find("START RequestId: id-1").unwrap()
                < whole.find("END RequestId: id-1").unwrap()
        );
    }
}
