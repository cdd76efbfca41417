//! One version of a function.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use offshoot_package::Digest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::settings::Settings;

/// `$LATEST` or a published version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionLabel {
    /// The unpublished code.
    Latest,
    /// A published version, from 1.
    Number(u64),
}

impl fmt::Display for VersionLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl FromStr for VersionLabel {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "$LATEST" {
            Ok(Self::Latest)
        } else {
            text.parse().map(Self::Number)
        }
    }
}

/// Names what an instance is made from. It changes with every change of code or configuration and is
/// never used again, so it can key pools and stored images; comparing and hashing it is comparing and
/// hashing 16 bytes.
#[derive(Debug, Clone)]
pub struct VersionKey {
    /// Function name.
    pub function: Arc<str>,
    /// `$LATEST` or the version number.
    pub version: Arc<str>,
    /// Random; the same after a restart of the daemon.
    pub revision: Uuid,
}

impl PartialEq for VersionKey {
    fn eq(&self, other: &Self) -> bool {
        self.revision == other.revision
    }
}

impl Eq for VersionKey {}

impl Hash for VersionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.revision.hash(state);
    }
}

/// An unpacked zip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRef {
    /// SHA-256 of the zip.
    pub digest: Digest,
    /// Size of the zip.
    pub size_bytes: u64,
    /// Size of its content.
    pub unzipped_bytes: u64,
}

/// A layer version that a function version uses. It keeps working when the layer version is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRef {
    /// ARN of the layer version.
    pub arn: String,
    /// Its content.
    pub code: CodeRef,
}

/// Everything that is needed to run one version and to describe it. Its package type is `Zip`.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionConfig {
    /// Identity for pools and images.
    pub key: VersionKey,
    /// Which version.
    pub label: VersionLabel,
    /// ARN with the version; for `$LATEST` that is `..:$LATEST`.
    pub qualified_arn: Arc<str>,
    /// `RevisionId` of the API. It changes more often than the key: publishing, tags and permissions
    /// change it, and no instance has to go for that.
    pub revision_id: Uuid,
    /// What the user set.
    pub settings: Settings,
    /// Layers, lowest first.
    pub layers: Vec<LayerRef>,
    /// The code.
    pub code: CodeRef,
    /// Last change, in milliseconds since the Unix epoch.
    pub last_modified_ms: i64,
    /// Description of `$LATEST` when this was published: publishing can set another, which is no change.
    pub(crate) source_description: String,
}

impl VersionConfig {
    /// Whether publishing `latest` now would give this version again.
    pub(crate) fn is_publication_of(&self, latest: &VersionConfig) -> bool {
        let mut mine = self.settings.clone();
        mine.description.clone_from(&self.source_description);
        mine == latest.settings && self.layers == latest.layers && self.code == latest.code
    }
}
