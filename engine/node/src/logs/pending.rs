//! What is written after the answer has gone out.

use std::sync::Arc;

use super::LogBook;
use super::report::RequestEnd;

/// Log lines that are not written yet; dropping them hands them to the log book, which has them from then on for
/// whoever reads it. So an answer need not wait for the file system.
#[derive(Debug, Default)]
pub struct PendingLog(Option<Pending>);

#[derive(Debug)]
struct Pending {
    book: Arc<LogBook>,
    function: Arc<str>,
    lines: Vec<u8>,
    end: Option<RequestEnd>,
}

impl PendingLog {
    /// `lines`, and the lines of the request's end if they are not among them.
    pub(super) fn new(
        book: Arc<LogBook>,
        function: Arc<str>,
        lines: Vec<u8>,
        end: Option<RequestEnd>,
    ) -> Self {
        Self(Some(Pending {
            book,
            function,
            lines,
            end,
        }))
    }

    /// Writes the lines down now, for who says next that the request is done: a daemon that is killed in between has
    /// then neither forgotten the event nor its log.
    pub fn write(mut self) {
        if let Some(pending) = self.0.take() {
            let (book, function, lines) = pending.finish();
            book.append(&function, &lines);
        }
    }
}

impl Pending {
    /// Where the lines belong, and all of them.
    fn finish(mut self) -> (Arc<LogBook>, Arc<str>, Vec<u8>) {
        if let Some(end) = &self.end {
            end.write(&mut self.lines);
        }
        (self.book, self.function, self.lines)
    }
}

impl Drop for PendingLog {
    fn drop(&mut self) {
        if let Some(pending) = self.0.take() {
            let (book, function, lines) = pending.finish();
            book.append_soon(&function, &lines);
        }
    }
}
