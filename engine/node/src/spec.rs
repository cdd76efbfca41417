//! What an instance is made from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use offshoot_sandbox::NetworkPolicy;

/// A language runtime that the node can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// CPython 3.11 with our bootstrap.
    Python311,
    /// Node 20 with our bootstrap.
    Nodejs20,
    /// The package's own `bootstrap`, which speaks the Runtime API.
    ProvidedAl2023,
}

impl Runtime {
    /// Lambda's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python311 => "python3.11",
            Self::Nodejs20 => "nodejs20.x",
            Self::ProvidedAl2023 => "provided.al2023",
        }
    }

    /// The runtime that Lambda calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Python311, Self::Nodejs20, Self::ProvidedAl2023]
            .into_iter()
            .find(|runtime| runtime.name() == name)
    }
}

/// How a function's own log lines are formatted by its runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Lambda's plain text.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Everything that decides how an instance of one function version runs.
#[derive(Debug, Clone)]
pub struct InstanceSpec {
    /// The function's name.
    pub function: Arc<str>,
    /// `$LATEST` or a version number.
    pub version: Arc<str>,
    /// Which language runtime.
    pub runtime: Runtime,
    /// The handler, as the runtime reads it.
    pub handler: String,
    /// The function's own environment variables.
    pub env: BTreeMap<String, String>,
    /// Memory limit in MiB; also decides the CPU share.
    pub memory_mb: u32,
    /// Size of `/tmp` in MiB.
    pub ephemeral_mb: u32,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// How many events an instance handles at once, at least 1; more than 1 only with [`Runtime::Nodejs20`].
    pub concurrency: u32,
    /// The unpacked package, bound at `/var/task`.
    pub task_dir: PathBuf,
    /// Unpacked layers, lowest first, merged at `/opt`.
    pub layer_dirs: Vec<PathBuf>,
    /// What the sandbox may reach of the network.
    pub network: NetworkPolicy,
    /// The region that the function is told.
    pub region: Arc<str>,
    /// The account that owns the function.
    pub account_id: Arc<str>,
    /// The ARN of its execution role.
    pub role: Arc<str>,
    /// How its runtime formats log lines.
    pub log_format: LogFormat,
    /// Whether it is a published version with SnapStart: its runtime is told that it will be frozen, and whoever wrote it
    /// has said that it may be.
    pub snap_start: bool,
}

/// A specification and an event for unit tests.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use crate::Event;

    pub(crate) fn spec() -> InstanceSpec {
        InstanceSpec {
            function: "f".into(),
            version: "1".into(),
            runtime: Runtime::Python311,
            handler: "app.handler".into(),
            env: BTreeMap::from([("A".to_owned(), "BC".to_owned())]),
            memory_mb: 128,
            ephemeral_mb: 512,
            timeout: Duration::from_secs(3),
            concurrency: 1,
            task_dir: "/packages/1".into(),
            layer_dirs: Vec::new(),
            network: NetworkPolicy::None,
            region: "us-east-1".into(),
            account_id: "000000000000".into(),
            role: "arn:aws:iam::000000000000:role/r".into(),
            log_format: LogFormat::Text,
            snap_start: false,
        }
    }

    pub(crate) fn event() -> Event {
        Event {
            request_id: "00000000-0000-4000-8000-000000000001".into(),
            payload: "{}".into(),
            invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".into(),
            trace_id: None,
            client_context: None,
            cognito_identity: None,
            tenant_id: None,
            wants_tail: false,
            queued: Duration::ZERO,
        }
    }
}
