//! The machine's sandboxes.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::ApiError;

/// A sandbox.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sandbox {
    /// Its name.
    pub id: String,
    /// `ghost`, `taken`, `occupied` or `dirty`.
    pub state: String,
    /// The instance that it is, or was last.
    pub instance: Option<String>,
    /// Whose functions have run in it.
    pub account: Option<String>,
    /// How many instances it has been.
    pub uses: u32,
    /// The uid of its programs.
    pub uid: u32,
    /// Whether it has a link to the outside.
    pub egress: bool,
    /// Its init, on the daemon's machine.
    pub pid: i32,
    /// The rest, which depends on what was asked.
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

/// All of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sandboxes {
    /// In the order in which they were first made.
    pub sandboxes: Vec<Sandbox>,
    /// What the pool has done.
    #[serde(default)]
    pub pool: Value,
}

impl Client {
    /// All sandboxes.
    pub async fn sandboxes(&self) -> Result<Sandboxes, ApiError> {
        let path = "/offshoot/v1/sandboxes".to_owned();
        self.fetch(Call::new("listing sandboxes", Method::GET, path))
            .await
    }

    /// One of them.
    pub async fn sandbox(&self, id: &str) -> Result<Sandbox, ApiError> {
        let path = format!("/offshoot/v1/sandboxes/{id}");
        self.fetch(Call::new("looking at a sandbox", Method::GET, path))
            .await
    }

    /// Has the ghosts made anew; how many there were.
    pub async fn drain_sandboxes(&self) -> Result<u64, ApiError> {
        #[derive(Deserialize)]
        struct Done {
            drained: u64,
        }
        let path = "/offshoot/v1/sandboxes/drain".to_owned();
        let call = Call::new("draining the pool", Method::POST, path).json(&json!({}))?;
        Ok(self.fetch::<Done>(call).await?.drained)
    }
}
