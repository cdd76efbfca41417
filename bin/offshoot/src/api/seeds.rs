//! The seeds of function versions.

use http::Method;
use serde::{Deserialize, Serialize};

use super::client::{Call, Client};
use super::error::ApiError;

/// What is known of a version's seed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seed {
    /// The function; of a runtime's seed, the runtime.
    pub function: String,
    /// `$LATEST` or a number; of a runtime's seed, `runtime`.
    pub version: String,
    /// 1 for a runtime, 2 for a function's version.
    pub level: u8,
    /// `none`, `unknown`, `stored`, `resident` or `refused`.
    pub state: String,
    /// The image's name.
    pub image: Option<String>,
    /// The image of which it stores only the difference.
    pub parent: Option<String>,
    /// How much of the disk the image takes, in bytes, without its parent.
    pub stored_bytes: Option<u64>,
    /// Whether it is known which pages clones need.
    pub learnt: Option<bool>,
    /// Where the pages of its templates live: `local` or `mapped`.
    pub backing: Option<String>,
    /// The first template's process, on the daemon's machine.
    pub template_pid: Option<i32>,
    /// How many templates there are.
    pub templates: usize,
    /// What looks like a secret in the image, and where.
    pub secrets: Option<String>,
    /// Why there cannot be one.
    pub reason: Option<String>,
}

/// All of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seeds {
    /// By function and version.
    pub seeds: Vec<Seed>,
}

impl Client {
    /// The seeds of all versions that were invoked or published since the daemon began.
    pub async fn seeds(&self) -> Result<Seeds, ApiError> {
        let path = "/offshoot/v1/seeds".to_owned();
        self.fetch(Call::new("listing seeds", Method::GET, path))
            .await
    }
}
