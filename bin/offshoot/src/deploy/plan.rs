//! What is to be deployed: from flags, a `workload.json`, a template, and the files themselves.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use offshoot_lambda::generated::{
    CreateFunctionUrlConfigRequest, PutFunctionEventInvokeConfigRequest,
};

/// What a function shall be. What is `None` is left as it is, or to the daemon's default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spec {
    /// Its name.
    pub name: Option<String>,
    /// AWS's identifier of the runtime.
    pub runtime: Option<String>,
    /// The handler.
    pub handler: Option<String>,
    /// Memory in MB.
    pub memory_mb: Option<i64>,
    /// Timeout in seconds.
    pub timeout_s: Option<i64>,
    /// Description.
    pub description: Option<String>,
    /// All of its environment variables.
    pub environment: Option<BTreeMap<String, String>>,
    /// ARNs of its layers.
    pub layers: Option<Vec<String>>,
    /// ARN of its role.
    pub role: Option<String>,
    /// Size of `/tmp` in MB.
    pub ephemeral_mb: Option<i64>,
    /// Events at once in one instance.
    pub concurrency: Option<i64>,
    /// Whether to publish a version.
    pub publish: bool,
    /// The alias that is to point at the published version.
    pub alias: Option<String>,
    /// Its URL.
    pub url: Option<CreateFunctionUrlConfigRequest>,
    /// How its asynchronous events are treated.
    pub event_invoke: Option<PutFunctionEventInvokeConfigRequest>,
}

impl Spec {
    /// This specification with what `over` says laid over it. Environment variables merge, so that a
    /// template's and a flag's can be used together.
    pub fn overlaid(self, over: Self) -> Self {
        let environment = match (self.environment, over.environment) {
            (Some(mut base), Some(over)) => {
                base.extend(over);
                Some(base)
            }
            (base, over) => over.or(base),
        };
        Self {
            name: over.name.or(self.name),
            runtime: over.runtime.or(self.runtime),
            handler: over.handler.or(self.handler),
            memory_mb: over.memory_mb.or(self.memory_mb),
            timeout_s: over.timeout_s.or(self.timeout_s),
            description: over.description.or(self.description),
            environment,
            layers: over.layers.or(self.layers),
            role: over.role.or(self.role),
            ephemeral_mb: over.ephemeral_mb.or(self.ephemeral_mb),
            concurrency: over.concurrency.or(self.concurrency),
            publish: over.publish || self.publish,
            alias: over.alias.or(self.alias),
            url: over.url.or(self.url),
            event_invoke: over.event_invoke.or(self.event_invoke),
        }
    }
}

/// Where code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder, to be zipped.
    Dir(PathBuf),
    /// A zip, taken as it is.
    Zip(PathBuf),
}

/// One function to deploy.
#[derive(Debug)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Its code.
    pub source: Source,
    /// What it shall be.
    pub spec: Spec,
}

/// Why it is not clear what to deploy.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is nothing at the path.
    #[error("there is no {}", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is neither a folder nor a zip nor a template.
    #[error("{} is neither a folder nor a .zip nor a SAM template (.yaml, .yml, .json)", path.display())]
    NotDeployable {
        /// The path.
        path: PathBuf,
    },
    /// The file beside the code is not what it should be.
    #[error("{} cannot be understood", path.display())]
    Workload {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The path ends in no name.
    #[error("{} gives no name for the function", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// A name for several functions.
    #[error("{flag} is for one function, but the template has {count}")]
    Several {
        /// The flag.
        flag: &'static str,
        /// How many.
        count: usize,
    },
    /// Nothing tells what runs the code.
    #[error("cannot tell the {what} of {name} from its files")]
    Unclear {
        /// `runtime` or `handler`.
        what: &'static str,
        /// The function.
        name: String,
    },
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unclear { .. } => Some(
                "say it: --runtime python3.11 --handler app.handler (file app.py, function handler)".to_owned(),
            ),
            Self::NoName { .. } => Some("give it one with --name".to_owned()),
            Self::Missing { .. } => Some("name a folder, a .zip or a template.yaml".to_owned()),
            Self::Several { .. } => Some("deploy one function's folder instead of the template".to_owned()),
            Self::Workload { .. } => Some(
                "it may have name, runtime, handler, memory_mb and timeout_s; the flags do the same".to_owned(),
            ),
            Self::Read { .. } | Self::NotDeployable { .. } => None,
        }
    }
}

/// The name of a function whose code is at `path`: the last part of the path.
pub fn name_of(path: &Path) -> Result<String, PlanError> {
    let none = || PlanError::NoName {
        path: path.to_owned(),
    };
    let whole = std::fs::canonicalize(path).map_err(|_| none())?;
    let stem = if whole.is_dir() {
        whole.file_name()
    } else {
        whole.file_stem()
    };
    let name = stem.and_then(|stem| stem.to_str()).ok_or_else(none)?;
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    if name.chars().any(|c| c.is_ascii_alphanumeric()) {
        Ok(name)
    } else {
        Err(none())
    }
}
