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
}

impl Drop for PendingLog {
    fn drop(&mut self) {
        if let Some(mut pending) = self.0.take() {
            if let Some(end) = &pending.end {
                end.write(&mut pending.lines);
            }
            pending.book.append_soon(&pending.function, &pending.lines);
        }
    }
}
