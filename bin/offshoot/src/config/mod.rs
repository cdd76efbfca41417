//! The daemon's configuration: `offshoot.toml`, environment and flags become one [`Config`].
//!
//! 1. [`schema`] lists every key: its type, bounds and default.
//! 2. [`Settings::gather`] lays the layers over each other: default, file, environment, flag. Each
//!    value remembers its [`Place`], for errors and for `offshoot config show`.
//! 3. [`Settings::check`] applies the rules that concern several keys and gives the [`Config`].
//!
//! Secrets show in no `Debug` and no listing.

mod error;
mod file;
mod hosts;
mod policies;
mod read;
mod roles;
mod rules;
mod schema;
mod settings;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use offshoot_node::{RoleSource, SecretPolicy};
use offshoot_sandbox::NetworkPolicy;

pub use error::{ConfigError, Place};
pub use settings::{Layers, Settings};

/// Where the configuration is looked for when neither a flag nor the environment names a file.
pub const SYSTEM_FILE: &str = "/etc/offshoot/offshoot.toml";
/// The environment variable that names the configuration file.
pub const FILE_VARIABLE: &str = "OFFSHOOT_CONFIG";

/// Everything that the daemon is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`.
    pub server: Server,
    /// `[lambda]`.
    pub lambda: Lambda,
    /// `[auth]`.
    pub auth: Auth,
    /// `[limits]`.
    pub limits: Limits,
    /// `[seeds]`
    pub seeds: Seeds,
    /// `[credentials]`.
    pub credentials: Credentials,
    /// `[events]`.
    pub events: Events,
    /// `[network]`.
    pub network: Network,
    /// `[machine]`: what the machine is asked for.
    pub machine: Machine,
    /// `[logs]`: what functions print.
    pub logs: Logs,
    /// `[log]`: what the daemon itself says.
    pub log: Log,
}

/// The process and its door.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address of the Lambda API; loopback unless there are access keys.
    pub listen: SocketAddr,
    /// The absolute path of the directory that holds everything durable.
    pub state_dir: PathBuf,
    /// How long a stopping daemon waits for running invocations.
    pub drain_timeout: Duration,
    /// Names of hosts under which requests may come besides this machine's own, without access keys.
    pub allowed_hosts: Vec<String>,
}

/// What the Lambda API says about itself.
#[derive(Debug, Clone)]
pub struct Lambda {
    /// The region of every ARN, and of signatures.
    pub region: String,
    /// The account of every ARN: twelve digits.
    pub account_id: String,
}

/// Who may call.
#[derive(Debug, Clone)]
pub struct Auth {
    /// The pairs that may sign requests; without any, requests need no signature.
    pub access_keys: Vec<AccessKey>,
}

/// A pair that may sign requests.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The public half.
    pub id: String,
    /// The secret half: 40 characters.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Bounds of the machine's use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Invocations of the account that may run at the same time.
    pub account_concurrency: u32,
    /// Instances that may live at the same time, idle ones included.
    pub max_instances: u32,
    /// How long an idle instance is kept.
    pub keep_alive: Duration,
    /// Inits that may run at the same time.
    pub cold_starts: u32,
    /// Empty sandboxes that are kept ready.
    pub ghosts: u32,
    /// What sandboxes and templates may use of the memory, in bytes; without it, what the machine can spare.
    pub memory_bytes: Option<u64>,
}

/// Seeds, of which instances are cloned.
#[derive(Debug, Clone)]
pub struct Seeds {
    /// Events of a function version that are handled before its seed is made; with 0, none is made.
    pub after_events: u32,
    /// So many are enough while processors and memory are free; with 0, the seed is made when the version is deployed.
    pub idle_after: u32,
    /// Clones of a version with a seed that are kept ready while it is used, at least.
    pub parked: u32,
    /// Whether templates may have their pages in the pool when memory is short.
    pub mapped: bool,
    /// Whether templates that were at hand when the daemon ended are made again when it starts.
    pub recall: bool,
    /// Templates that are kept at hand; beyond, the one that was used least lately ends.
    pub resident: u32,
    /// A seed is made anew after so many clones.
    pub rotate_clones: u64,
    /// A seed of which there were clones is made anew after so long.
    pub rotate_after: Duration,
    /// How much of the disk their images may take, in MiB; beyond, those that were used least lately are removed.
    pub disk_mb: u32,
    /// Whether language runtimes have seeds of their own, in whose clones functions without a seed initialise.
    pub runtime_seeds: bool,
    /// Which variables are kept from seeds: patterns of their names.
    pub secret_names: Vec<String>,
    /// What follows when a seed's memory holds what looks like a key.
    pub secrets: SecretPolicy,
}

/// Credentials for functions.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Where they are, by the ARN of the role.
    pub roles: BTreeMap<String, RoleSource>,
}

/// Asynchronous invocations.
#[derive(Debug, Clone)]
pub struct Events {
    /// Events that are worked on at the same time.
    pub parallel: u32,
    /// The pause before each retry, first retry first.
    pub retry_backoff: Vec<Duration>,
}

/// What functions may reach.
#[derive(Debug, Clone)]
pub struct Network {
    /// Whether functions without a policy of their own may open connections to the outside.
    pub egress: bool,
    /// What others may reach, by their name.
    pub functions: BTreeMap<String, NetworkPolicy>,
    /// Who resolves names for functions; if empty, the machine's own name servers.
    pub name_servers: Vec<IpAddr>,
    /// Where the addresses of sandboxes come from.
    pub address_pool: AddressPool,
}

/// An IPv4 network, such as `10.200.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressPool {
    /// The first address; its host bits are zero.
    pub address: Ipv4Addr,
    /// Bits of the network part.
    pub prefix_len: u8,
}

impl fmt::Display for AddressPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

/// What the machine is asked for.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Whether idle CPUs are kept from sleeping while invocations flow.
    pub stay_awake: bool,
}

/// The logs of functions.
#[derive(Debug, Clone)]
pub struct Logs {
    /// Size at which a log segment is closed; a function keeps two.
    pub segment_bytes: u64,
}

/// The daemon's own log.
#[derive(Debug, Clone)]
pub struct Log {
    /// The least severe level that is written.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// Severity of the daemon's own messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what went wrong.
    Error,
    /// And what may go wrong.
    Warn,
    /// And what happens.
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

impl LogLevel {
    /// The level's word, as `tracing` filters have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The form of the daemon's own messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests;
