//! What the porter has decided, and why.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Call, Client};
use super::error::ApiError;

/// An action of the porter.
#[derive(Debug, Serialize, Deserialize)]
pub struct Decided {
    /// Counts the actions since the daemon began.
    pub number: u64,
    /// When it was decided, in milliseconds since 1970.
    pub at_ms: i64,
    /// The function, and after a colon the version if that is not `$LATEST`; empty for what concerns the whole node.
    pub function: String,
    /// What is done.
    pub action: String,
    /// Why, with the figures.
    pub why: String,
}

/// Some of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct DecidedPage {
    /// Oldest first.
    pub events: Vec<Decided>,
}

/// A function's ladder and the figures that it is decided by. Spans are in microseconds.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "figures named by what they are")]
pub struct Explained {
    pub next_rung: String,
    pub is_inside: bool,
    pub target_p50_us: u64,
    pub target_p99_us: u64,
    pub invocations: u64,
    pub expected_per_second: f64,
    pub gaps: Gaps,
    pub window_us: u64,
    pub cap_us: Option<u64>,
    pub idle: u32,
    pub idle_bytes: u64,
    pub busy: u32,
    pub peak: u32,
    pub parked: u32,
    pub seed: Value,
    pub seed_clones: u64,
    pub template: Value,
    pub runtime_seed: Option<Value>,
    pub rungs: Vec<RungFigures>,
    pub pressure: String,
    pub used_bytes: u64,
    pub limit_bytes: u64,
    pub actions: Vec<Decided>,
}

/// Gaps between calls.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "figures named by what they are")]
pub struct Gaps {
    pub samples: u32,
    pub p50_us: Option<u64>,
    pub p99_us: Option<u64>,
}

/// Start latency of one rung.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "figures named by what they are")]
pub struct RungFigures {
    pub rung: String,
    pub samples: u32,
    pub p50_us: u64,
    pub p99_us: u64,
    pub is_inside: bool,
}

impl Client {
    /// The latest actions with numbers greater than `after`.
    pub async fn decisions(&self, after: u64) -> Result<DecidedPage, ApiError> {
        let path = "/offshoot/v1/events".to_owned();
        let call = Call::new("reading actions", Method::GET, path);
        self.fetch(call.query("after", Some(&after.to_string())))
            .await
    }

    /// What is decided about a function, as the daemon says it.
    pub async fn explain(&self, function: &str) -> Result<Value, ApiError> {
        let path = "/offshoot/v1/explain".to_owned();
        let call = Call::new("explaining", Method::GET, path);
        self.fetch(call.query("function", Some(function))).await
    }
}
