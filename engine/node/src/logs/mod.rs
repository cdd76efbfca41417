mod book;
mod function_log;
mod line;
mod pace;
mod pending;
mod report;
mod scribe;

pub use book::{LogBook, LogError, LogLimits};
pub use pending::PendingLog;
pub(crate) use report::{Peak, Report, Start};
pub(crate) use scribe::Scribe;
