//! Every key there is: section, name, type with bounds, default, and a line about it.

use super::value::Value;

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// The TOML table that it stands in.
    pub section: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What it can hold.
    pub kind: Kind,
    /// Its value when nobody gives one, as it would stand in the environment.
    pub default: &'static str,
}

impl Key {
    /// `section.name`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The environment variable that overrides it.
    pub fn variable(&self) -> String {
        format!("OFFSHOOT_{}_{}", self.section, self.name).to_uppercase()
    }

    /// Its value when nobody gives one.
    pub fn default_value(&self) -> Value {
        if self.path() == "limits.cold_starts" {
            return Value::Integer(default_cold_starts());
        }
        match self.kind.read_text(self.default) {
            Ok(value) => value,
            Err(fault) => unreachable!("the default of {} {}", self.path(), fault.problem),
        }
    }
}

/// What a key can hold.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number within bounds, of a unit.
    Integer {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
        /// `seconds`, `bytes`, or nothing.
        unit: Unit,
    },
    /// Up to two pauses in whole seconds: AWS Lambda retries an event at most twice.
    Backoff,
    /// One of some words.
    Word(&'static [&'static str]),
    /// An IP address with a port.
    Address,
    /// A directory.
    Path,
    /// An IPv4 network.
    Pool,
    /// The name of a region.
    Region,
    /// Twelve digits.
    Account,
    /// Pairs of id and secret.
    AccessKeys,
    /// Network policies by the function's name.
    Policies,
    /// IP addresses of name servers.
    Servers,
    /// Patterns of variables' names.
    Names,
    /// Names of hosts.
    Hosts,
    /// Sources of credentials by the role's ARN.
    Roles,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    None,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

const COUNT: Kind = Kind::Integer {
    min: 1,
    max: 1_000_000,
    unit: Unit::None,
};

/// Every key, in the order of the documentation.
pub static KEYS: [Key; 36] = [
    key("server", "listen", Kind::Address, "127.0.0.1:3001"),
    key("server", "state_dir", Kind::Path, "/var/lib/offshoot"),
    key("server", "drain_timeout_s", seconds(0, 3_600), "30"),
    key("server", "allowed_hosts", Kind::Hosts, ""),
    key("lambda", "region", Kind::Region, "us-east-1"),
    key("lambda", "account_id", Kind::Account, "000000000000"),
    key("auth", "access_keys", Kind::AccessKeys, ""),
    key("limits", "account_concurrency", COUNT, "1000"),
    key("limits", "max_instances", COUNT, "1000"),
    key("limits", "keep_alive_s", seconds(0, 604_800), "600"),
    // Four per processor: default_value works it out.
    key("limits", "cold_starts", COUNT, "8"),
    key("limits", "ghosts", GHOSTS, "8"),
    key("limits", "memory_mb", MEGABYTES, "0"),
    key("seeds", "after_events", AFTER, "16"),
    key("seeds", "idle_after", AFTER, "1"),
    key("seeds", "parked", PARKED, "1"),
    key("seeds", "mapped", Kind::Boolean, "true"),
    key("seeds", "recall", Kind::Boolean, "true"),
    key("seeds", "resident", COUNT, "256"),
    key("seeds", "rotate_clones", ROTATE, "10000"),
    key("seeds", "rotate_s", seconds(1, 31_536_000), "86400"),
    key("seeds", "disk_mb", COUNT, "4096"),
    key("seeds", "runtime_seeds", Kind::Boolean, "true"),
    key("seeds", "secret_names", Kind::Names, SECRET_NAMES),
    key(
        "seeds",
        "secrets",
        Kind::Word(&["warn", "refuse", "ignore"]),
        "warn",
    ),
    key("credentials", "roles", Kind::Roles, ""),
    key("events", "parallel", COUNT, "100"),
    key("events", "retry_backoff_s", Kind::Backoff, "60,120"),
    key("network", "egress", Kind::Boolean, "false"),
    key("network", "functions", Kind::Policies, ""),
    key("network", "name_servers", Kind::Servers, ""),
    key("network", "address_pool", Kind::Pool, "10.200.0.0/16"),
    key("machine", "stay_awake", Kind::Boolean, "true"),
    key("logs", "segment_bytes", SEGMENT, "4194304"),
    key(
        "log",
        "level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
        "info",
    ),
    key("log", "format", Kind::Word(&["text", "json"]), "text"),
];

/// Up to a petabyte.
const MEGABYTES: Kind = Kind::Integer {
    min: 0,
    max: 1 << 30,
    unit: Unit::None,
};

/// How many clones may share their addresses.
const ROTATE: Kind = Kind::Integer {
    min: 1,
    max: 1 << 40,
    unit: Unit::None,
};

/// Names and ARNs of secrets are none themselves, and are mostly read at init.
const SECRET_NAMES: &str = "*SECRET*,*PASSWORD*,*PASSWD*,*TOKEN*,*API_KEY*,*APIKEY*,*PRIVATE_KEY*,*CREDENTIAL*,\
    AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY,AWS_SESSION_TOKEN,!*_ARN,!*_NAME";

/// Half a megabyte each.
const GHOSTS: Kind = Kind::Integer {
    min: 0,
    max: 10_000,
    unit: Unit::None,
};

/// With none, no seeds are made.
const AFTER: Kind = Kind::Integer {
    min: 0,
    max: 1_000_000,
    unit: Unit::None,
};

/// Each has memory of its own.
const PARKED: Kind = Kind::Integer {
    min: 0,
    max: 1_000,
    unit: Unit::None,
};

/// Two of them are kept for each function.
const SEGMENT: Kind = Kind::Integer {
    min: 4_096,
    max: 1 << 30,
    unit: Unit::Bytes,
};

const fn key(section: &'static str, name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        section,
        name,
        kind,
        default,
    }
}

const fn seconds(min: u64, max: u64) -> Kind {
    Kind::Integer {
        min,
        max,
        unit: Unit::Seconds,
    }
}

/// The key `section.name`.
pub fn find(section: &str, name: &str) -> Option<usize> {
    KEYS.iter()
        .position(|key| key.section == section && key.name == name)
}

/// The sections, each once.
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = KEYS.iter().map(|key| key.section).collect();
    sections.dedup();
    sections
}

fn default_cold_starts() -> u64 {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    4 * cpus as u64
}
