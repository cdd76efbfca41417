//! What a user can set about how a function runs.
//!
//! These types are stored as they are inside the saved documents: a field may be added with
//! `#[serde(default)]`, none renamed.

use std::collections::BTreeMap;
use std::fmt;

use offshoot_lambda::limits::{EPHEMERAL_STORAGE_MIN_MB, MEMORY_DEFAULT_MB, TIMEOUT_DEFAULT_S};
use serde::{Deserialize, Serialize};

/// The language runtimes that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Runtime {
    /// CPython 3.11.
    #[serde(rename = "python3.11")]
    Python311,
    /// Node.js 20.
    #[serde(rename = "nodejs20.x")]
    Nodejs20,
    /// The package brings its own `bootstrap`.
    #[serde(rename = "provided.al2023")]
    ProvidedAl2023,
}

impl Runtime {
    /// All of them.
    pub const ALL: [Runtime; 3] = [Self::Python311, Self::Nodejs20, Self::ProvidedAl2023];

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
        Self::ALL.into_iter().find(|runtime| runtime.name() == name)
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Instruction sets, as Lambda names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Architecture {
    /// 64-bit x86.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// Lambda's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// Format of the log lines of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LogFormat {
    /// Plain text.
    #[default]
    Text,
    /// One JSON object per line.
    #[serde(rename = "JSON")]
    Json,
}

/// Where and how a function logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggingConfig {
    /// Format of the lines.
    pub format: LogFormat,
    /// Least level of the function's own lines; only with JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_level: Option<String>,
    /// Least level of the platform's lines; only with JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_level: Option<String>,
    /// Log group; `/aws/lambda/NAME` unless set.
    pub group: String,
}

/// Changes of a [`LoggingConfig`]; `None` keeps what is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoggingPatch {
    /// Format of the lines. JSON sets both levels to `INFO` if they are not given, text removes them.
    pub format: Option<LogFormat>,
    /// Least level of the function's own lines.
    pub application_level: Option<String>,
    /// Least level of the platform's lines.
    pub system_level: Option<String>,
    /// Log group.
    pub group: Option<String>,
}

impl LoggingConfig {
    /// What a new function gets.
    pub fn of_function(name: &str) -> Self {
        LoggingConfig {
            format: LogFormat::Text,
            application_level: None,
            system_level: None,
            group: format!("/aws/lambda/{name}"),
        }
    }

    /// Applies `patch`.
    pub fn apply(&mut self, patch: LoggingPatch) {
        self.format = patch.format.unwrap_or(self.format);
        self.group = patch
            .group
            .unwrap_or_else(|| std::mem::take(&mut self.group));
        match self.format {
            LogFormat::Text => (self.application_level, self.system_level) = (None, None),
            LogFormat::Json => {
                let info = || Some("INFO".to_owned());
                let set = |new: Option<String>, old: &mut Option<String>| {
                    *old = new.or_else(|| old.take()).or_else(info);
                };
                set(patch.application_level, &mut self.application_level);
                set(patch.system_level, &mut self.system_level);
            }
        }
    }
}

/// X-Ray mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TracingMode {
    /// Follow the caller's decision.
    #[default]
    PassThrough,
    /// Always trace.
    Active,
}

/// Which versions start from a snapshot made at publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SnapStart {
    /// None.
    #[default]
    None,
    /// Published ones.
    PublishedVersions,
}

/// Everything that a user sets about one version, except code, layers and function-wide settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Language runtime.
    pub runtime: Runtime,
    /// Handler, as the runtime reads it.
    pub handler: String,
    /// ARN of the execution role; stored, not used.
    pub role: String,
    /// Text for people.
    pub description: String,
    /// Longest invocation, in seconds: 1 to 900.
    pub timeout_s: u32,
    /// Memory, in MiB: 128 to 10,240.
    pub memory_mb: u32,
    /// Size of `/tmp`, in MiB: 512 to 10,240.
    pub ephemeral_mb: u32,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Instruction set.
    pub architecture: Architecture,
    /// Logs.
    pub logging: LoggingConfig,
    /// X-Ray mode.
    pub tracing: TracingMode,
    /// Snapshots at publish.
    pub snap_start: SnapStart,
    /// `VpcConfig` as the user gave it; stored, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<serde_json::Value>,
    /// `DeadLetterConfig.TargetArn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_arn: Option<String>,
    /// Events at once in one instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
}

/// `CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// ARN of the capacity provider; stored, not used.
    pub provider_arn: String,
    /// The most events in one instance at once: 1 to 64.
    pub concurrency: u32,
}

impl Settings {
    /// The most events in one instance at once.
    pub fn concurrency(&self) -> u32 {
        self.capacity
            .as_ref()
            .map_or(1, |capacity| capacity.concurrency)
    }

    /// Lambda's defaults ("CreateFunction" in the API reference) for a function `name`.
    pub fn new(name: &str, runtime: Runtime, handler: &str, role: &str) -> Self {
        Settings {
            runtime,
            handler: handler.into(),
            role: role.into(),
            description: String::new(),
            timeout_s: TIMEOUT_DEFAULT_S as u32,
            memory_mb: MEMORY_DEFAULT_MB as u32,
            ephemeral_mb: EPHEMERAL_STORAGE_MIN_MB as u32,
            env: BTreeMap::new(),
            architecture: Architecture::default(),
            logging: LoggingConfig::of_function(name),
            tracing: TracingMode::default(),
            snap_start: SnapStart::default(),
            vpc_config: None,
            dead_letter_arn: None,
            capacity: None,
        }
    }
}

/// Changes of [`Settings`], and of the layers; `None` keeps what is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SettingsPatch {
    /// Language runtime.
    pub runtime: Option<Runtime>,
    /// Handler.
    pub handler: Option<String>,
    /// Execution role.
    pub role: Option<String>,
    /// Text for people.
    pub description: Option<String>,
    /// Longest invocation, in seconds.
    pub timeout_s: Option<u32>,
    /// Memory, in MiB.
    pub memory_mb: Option<u32>,
    /// Size of `/tmp`, in MiB.
    pub ephemeral_mb: Option<u32>,
    /// All environment variables: what is not here is removed.
    pub env: Option<BTreeMap<String, String>>,
    /// All layers, as version ARNs: what is not here is removed.
    pub layers: Option<Vec<String>>,
    /// Logs.
    pub logging: Option<LoggingPatch>,
    /// X-Ray mode.
    pub tracing: Option<TracingMode>,
    /// Snapshots at publish.
    pub snap_start: Option<SnapStart>,
    /// `VpcConfig`.
    pub vpc_config: Option<serde_json::Value>,
    /// `DeadLetterConfig.TargetArn`; empty removes it.
    pub dead_letter_arn: Option<String>,
    /// Events at once in one instance.
    pub capacity: Option<Capacity>,
}

impl Settings {
    /// Applies all of `patch` but its layers.
    pub(crate) fn apply(&mut self, patch: SettingsPatch) {
        fn set<T>(old: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *old = new;
            }
        }
        set(&mut self.runtime, patch.runtime);
        set(&mut self.handler, patch.handler);
        set(&mut self.role, patch.role);
        set(&mut self.description, patch.description);
        set(&mut self.timeout_s, patch.timeout_s);
        set(&mut self.memory_mb, patch.memory_mb);
        set(&mut self.ephemeral_mb, patch.ephemeral_mb);
        set(&mut self.env, patch.env);
        set(&mut self.tracing, patch.tracing);
        set(&mut self.snap_start, patch.snap_start);
        set(&mut self.vpc_config, patch.vpc_config.map(Some));
        set(&mut self.capacity, patch.capacity.map(Some));
        set(
            &mut self.dead_letter_arn,
            patch
                .dead_letter_arn
                .map(|arn| Some(arn).filter(|arn| !arn.is_empty())),
        );
        if let Some(logging) = patch.logging {
            self.logging.apply(logging);
        }
    }
}
