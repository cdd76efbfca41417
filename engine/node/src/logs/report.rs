//! The lines that end a request: END and REPORT.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use offshoot_sandbox::PeakMemory;

use super::line;

/// The facts of a REPORT line.
#[derive(Debug)]
pub(crate) struct Report {
    /// From delivery to answer.
    pub(crate) duration: Duration,
    /// How the instance began, if it was made for this request.
    pub(crate) start: Option<Start>,
    /// Memory limit, in MiB.
    pub(crate) memory_mb: u32,
    /// Most memory that the sandbox has ever used.
    pub(crate) peak_memory: Peak,
    /// `timeout`, or `error` with the error's type.
    pub(crate) status: Option<(&'static str, String)>,
}

/// How an instance began.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// By its init.
    Init(Duration),
    /// As a clone of a snapshot.
    Restore(Duration),
}

/// Most memory that a sandbox has ever used.
#[derive(Debug)]
pub(crate) enum Peak {
    /// In bytes.
    Bytes(u64),
    /// Of a sandbox that lives on: read when the line is written, not while a caller waits.
    OfLiving(PeakMemory),
}

/// A request that has ended, not yet written down.
#[derive(Debug)]
pub(super) struct RequestEnd {
    pub(super) at: DateTime<Utc>,
    pub(super) stream: Arc<str>,
    pub(super) request_id: Arc<str>,
    pub(super) report: Report,
}

impl RequestEnd {
    /// The texts of the two lines.
    pub(super) fn texts(&self) -> [String; 2] {
        [
            format!("END RequestId: {}", self.request_id),
            self.report.to_line(&self.request_id),
        ]
    }

    /// Appends the two lines.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        let prefix = line::prefix(self.at, &self.stream);
        for text in self.texts() {
            line::write(into, &prefix, text.as_bytes());
        }
    }
}

impl Peak {
    fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => *bytes,
            Self::OfLiving(peak) => peak.bytes().unwrap_or(0),
        }
    }
}

impl Report {
    fn to_line(&self, request_id: &str) -> String {
        let billed = match self.start {
            Some(Start::Init(init)) => self.duration + init,
            _ => self.duration,
        };
        let peak_mb = self.peak_memory.bytes().div_ceil(1 << 20);
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {} ms\t\
             Memory Size: {} MB\tMax Memory Used: {} MB\t",
            ms(self.duration),
            ms(billed).ceil().max(1.0),
            self.memory_mb,
            peak_mb.min(u64::from(self.memory_mb)),
        );
        // Writing to a String cannot fail.
        match self.start {
            Some(Start::Init(init)) => {
                let _ = write!(line, "Init Duration: {:.2} ms\t", ms(init));
            }
            Some(Start::Restore(took)) => {
                let _ = write!(
                    line,
                    "Restore Duration: {:.2} ms\tBilled Restore Duration: {} ms\t",
                    ms(took),
                    ms(took).ceil()
                );
            }
            None => {}
        }
        match &self.status {
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
            start: Some(Start::Init(Duration::from_micros(100_500))),
            memory_mb: 128,
            peak_memory: Peak::Bytes(30 << 20),
            status: None,
        };
        assert_eq!(
            report.to_line("r"),
            "REPORT RequestId: r\tDuration: 1.23 ms\tBilled Duration: 102 ms\tMemory Size: 128 MB\t\
             Max Memory Used: 30 MB\tInit Duration: 100.50 ms\t"
        );
    }
}
