//! The queue of asynchronous events and its dead letters.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::ApiError;

/// How many events there are.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Depth {
    /// Waiting for their turn or their retry.
    pub waiting: u64,
    /// Being worked on.
    pub claimed: u64,
    /// Given up.
    pub dead: u64,
}

/// An event that was given up.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Names it for a redrive.
    pub id: i64,
    /// The id of its invocation.
    pub request_id: String,
    /// The function it was for.
    pub function: String,
    /// The version that was invoked.
    #[serde(default)]
    pub version: Value,
    /// The ARN that was invoked.
    #[serde(default)]
    pub invoked_arn: Option<String>,
    /// Length of the event.
    #[serde(default)]
    pub payload_bytes: u64,
    /// When it was accepted, in milliseconds since 1970.
    #[serde(default)]
    pub accepted_at_ms: i64,
    /// When it was given up, in milliseconds since 1970.
    #[serde(default)]
    pub buried_at_ms: i64,
    /// How often it was tried.
    #[serde(default)]
    pub attempt: u64,
    /// Why it was given up.
    #[serde(default)]
    pub why: Value,
    /// What the last attempt said.
    #[serde(default)]
    pub last_error: Value,
}

/// A page of dead letters.
#[derive(Debug, Deserialize)]
pub struct DeadPage {
    /// The letters, oldest first.
    #[serde(default)]
    pub letters: Vec<DeadLetter>,
    /// Where the next page begins.
    #[serde(default)]
    pub next: Option<i64>,
}

impl Client {
    /// How many events there are.
    pub async fn event_depth(&self) -> Result<Depth, ApiError> {
        self.fetch(Call::new(
            "reading the queue",
            Method::GET,
            "/offshoot/v1/events".to_owned(),
        ))
        .await
    }

    /// A page of dead letters.
    pub async fn dead_letters(
        &self,
        function: Option<&str>,
        limit: u32,
        page: Option<i64>,
    ) -> Result<DeadPage, ApiError> {
        let (limit, page) = (limit.to_string(), page.map(|page| page.to_string()));
        let call = Call::new(
            "reading dead letters",
            Method::GET,
            "/offshoot/v1/events/dead".to_owned(),
        )
        .query("function", function)
        .query("limit", Some(&limit))
        .query("page", page.as_deref());
        self.fetch(call).await
    }

    /// Puts dead letters back into the queue: those with `ids`, or else a function's, or else all.
    pub async fn redrive(&self, ids: &[i64], function: Option<&str>) -> Result<u64, ApiError> {
        #[derive(Deserialize)]
        struct Done {
            redriven: u64,
        }
        let selection = match (ids, function) {
            ([], None) => json!({ "all": true }),
            ([], Some(function)) => json!({ "function": function }),
            (ids, _) => json!({ "ids": ids }),
        };
        let call = Call::new(
            "the redrive",
            Method::POST,
            "/offshoot/v1/events/redrive".to_owned(),
        );
        Ok(self.fetch::<Done>(call.json(&selection)?).await?.redriven)
    }

    /// Drops dead letters: a function's, or all.
    pub async fn purge(&self, function: Option<&str>) -> Result<u64, ApiError> {
        #[derive(Deserialize)]
        struct Done {
            purged: u64,
        }
        let selection = match function {
            Some(function) => json!({ "function": function }),
            None => json!({}),
        };
        let call = Call::new(
            "the purge",
            Method::POST,
            "/offshoot/v1/events/purge".to_owned(),
        );
        Ok(self.fetch::<Done>(call.json(&selection)?).await?.purged)
    }
}
