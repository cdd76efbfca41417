//! A function with everything that hangs on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use offshoot_state::Rev;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::version::{VersionConfig, VersionLabel};

/// The qualifier of unpublished code.
pub const LATEST: &str = "$LATEST";

/// A function. Immutable: a change makes another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Name.
    pub name: Arc<str>,
    /// Unqualified ARN.
    pub arn: Arc<str>,
    /// Unpublished code and configuration.
    pub latest: Arc<VersionConfig>,
    /// Published versions.
    pub versions: BTreeMap<u64, Arc<VersionConfig>>,
    /// The number of the next version; numbers are not used twice.
    pub next_version: u64,
    /// Aliases by name.
    pub aliases: BTreeMap<String, Arc<Alias>>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Concurrency set apart for the function.
    pub reserved_concurrency: Option<u32>,
    /// Function URLs, by `$LATEST` or alias.
    pub urls: BTreeMap<String, Arc<UrlConfig>>,
    /// Settings of asynchronous invocation, by `$LATEST`, version or alias.
    pub invoke_configs: BTreeMap<String, Arc<InvokeConfig>>,
    /// Resource policies, by `$LATEST` (the function itself), version or alias.
    pub policies: BTreeMap<String, Policy>,
    /// The document that this was read from or written to.
    pub(crate) rev: Option<Rev>,
}

impl Function {
    /// The version with `label`.
    pub fn version(&self, label: VersionLabel) -> Option<&Arc<VersionConfig>> {
        match label {
            VersionLabel::Latest => Some(&self.latest),
            VersionLabel::Number(number) => self.versions.get(&number),
        }
    }

    /// `$LATEST`, then published versions by number.
    pub fn all_versions(&self) -> impl Iterator<Item = &Arc<VersionConfig>> {
        std::iter::once(&self.latest).chain(self.versions.values())
    }

    /// Gives `$LATEST` a new `RevisionId`; instances stay.
    pub(crate) fn touch(&mut self) {
        Arc::make_mut(&mut self.latest).revision_id = Uuid::new_v4();
    }
}

/// A name for a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: Arc<str>,
    /// Text for people.
    pub description: String,
    /// The version that it means.
    pub version: VersionLabel,
    /// Another version and its share of invocations, 0 to 1.
    pub weighted: Option<(u64, f64)>,
    /// `RevisionId` of the API.
    pub revision_id: Uuid,
}

/// Who may call a function URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UrlAuth {
    /// Anybody.
    #[serde(rename = "NONE")]
    None,
    /// Signed requests.
    #[serde(rename = "AWS_IAM")]
    AwsIam,
}

/// How a function URL answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum UrlInvokeMode {
    /// When the response is whole.
    #[default]
    #[serde(rename = "BUFFERED")]
    Buffered,
    /// As it is made.
    #[serde(rename = "RESPONSE_STREAM")]
    ResponseStream,
}

/// A function URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UrlConfig {
    /// 32 lower-case letters and digits, the first label of its host name; unique.
    pub url_id: String,
    /// Who may call it.
    pub auth: UrlAuth,
    /// How it answers.
    pub invoke_mode: UrlInvokeMode,
    /// `Cors` as the user gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<serde_json::Value>,
    /// Creation, in milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Last change, in milliseconds since the Unix epoch.
    pub last_modified_ms: i64,
}

/// Settings of asynchronous invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvokeConfig {
    /// Retries after a failure, 0 to 2; `None` is the default of 2.
    pub max_retries: Option<u32>,
    /// Age at which an event is given up, in seconds, 60 to 21,600; `None` is the default of 21,600.
    pub max_age_s: Option<u32>,
    /// ARN that gets a record of each failure.
    pub on_failure: Option<String>,
    /// ARN that gets a record of each success.
    pub on_success: Option<String>,
    /// Last change, in milliseconds since the Unix epoch.
    pub last_modified_ms: i64,
}

/// A resource policy: stored and shown, not enforced.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Statements by their id, each the JSON object of the policy document.
    pub statements: BTreeMap<String, Statement>,
}

/// One statement of a policy: its JSON object.
pub type Statement = serde_json::Value;
