//! What functions print: bounded log files, followers, and Lambda's own lines.

mod book;
mod scribe;

pub use book::{LogBook, LogError, LogLimits, PendingLog};
pub(crate) use scribe::{Report, Scribe};
