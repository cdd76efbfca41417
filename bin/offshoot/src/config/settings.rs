//! The layers laid over each other, and what comes out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use offshoot_node::{RoleSource, SecretPolicy};
use offshoot_sandbox::NetworkPolicy;

use super::error::{ConfigError, Place};
use super::schema::{self, KEYS, Key};
use super::value::Value;
use super::{
    AccessKey, AddressPool, Auth, Config, Credentials, Events, FILE_VARIABLE, Lambda, Limits, Log,
    LogFormat, LogLevel, Logs, Machine, Network, SYSTEM_FILE, Seeds, Server, file, policies, roles,
};
use crate::nearest::nearest;

/// What the configuration is made from.
#[derive(Debug, Default)]
pub struct Layers {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Values from flags: the flag as the user wrote it, `section.key`, and the value's text.
    pub flags: Vec<(String, String, String)>,
}

/// Every key with its value and where that comes from.
#[derive(Debug)]
pub struct Settings {
    values: Vec<(Value, Place)>,
    file: Option<PathBuf>,
}

impl Settings {
    /// Lays default, file, environment and flags over each other, the later ones on top.
    pub fn gather(layers: &Layers) -> Result<Self, ConfigError> {
        let values = KEYS
            .iter()
            .map(|key| (key.default_value(), Place::Default))
            .collect();
        let mut settings = Self {
            values,
            file: file_of(layers),
        };
        if let Some(path) = &settings.file {
            let text = file::read(path)?;
            for (index, value, place) in file::parse(path, &text)? {
                settings.values[index] = (value, place);
            }
        }
        settings.take_environment(&layers.environment)?;
        for (flag, path, text) in &layers.flags {
            let place = Place::Flag(flag.clone());
            let index = by_path(path, &place)?;
            settings.set(index, text, place)?;
        }
        Ok(settings)
    }

    /// The configuration, if the values agree with each other.
    pub fn check(&self) -> Result<Config, ConfigError> {
        let config = self.config();
        super::rules::check(&config, |section, name| self.get(section, name).1.clone())?;
        Ok(config)
    }

    /// The file that was read.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Every key with its value, secrets hidden, and where it comes from.
    pub fn rows(&self) -> impl Iterator<Item = (String, serde_json::Value, &Place)> {
        KEYS.iter()
            .zip(&self.values)
            .map(|(key, (value, place))| (key.path(), shown(value), place))
    }

    fn take_environment(&mut self, variables: &[(OsString, OsString)]) -> Result<(), ConfigError> {
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| concerns(name)) else {
                continue;
            };
            let place = Place::Environment(name.to_owned());
            let Some(index) = KEYS.iter().position(|key| key.variable() == name) else {
                let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
                let suggestion = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                return Err(ConfigError::Unknown {
                    place,
                    what: "setting",
                    name: name.to_owned(),
                    suggestion,
                });
            };
            let Some(text) = value.to_str() else {
                return Err(ConfigError::Value {
                    place,
                    key: KEYS[index].path(),
                    problem: "is not UTF-8".to_owned(),
                    suggestion: None,
                });
            };
            self.set(index, text, place)?;
        }
        Ok(())
    }

    fn set(&mut self, index: usize, text: &str, place: Place) -> Result<(), ConfigError> {
        let key = &KEYS[index];
        match key.kind.read_text(text) {
            Ok(Value::Path(path)) => {
                let absolute = std::path::absolute(&path).unwrap_or(path);
                self.values[index] = (Value::Path(absolute), place);
                Ok(())
            }
            Ok(value) => {
                self.values[index] = (value, place);
                Ok(())
            }
            Err(fault) => Err(ConfigError::Value {
                place,
                key: key.path(),
                problem: fault.problem,
                suggestion: fault.suggestion,
            }),
        }
    }

    fn get(&self, section: &str, name: &str) -> &(Value, Place) {
        match schema::find(section, name) {
            Some(index) => &self.values[index],
            None => unreachable!("the schema has no {section}.{name}"),
        }
    }

    fn config(&self) -> Config {
        let text = |section, name| match &self.get(section, name).0 {
            Value::Text(text) => text.clone(),
            other => unreachable!("{section}.{name} is {other:?}"),
        };
        let integer = |section, name| match self.get(section, name).0 {
            Value::Integer(number) => number,
            ref other => unreachable!("{section}.{name} is {other:?}"),
        };
        let count = |section, name| u32::try_from(integer(section, name)).unwrap_or(u32::MAX);
        let megabytes = |section, name| integer(section, name) << 20;
        let seconds = |section, name| Duration::from_secs(integer(section, name));
        Config {
            server: Server {
                listen: match self.get("server", "listen").0 {
                    Value::Address(address) => address,
                    ref other => unreachable!("server.listen is {other:?}"),
                },
                state_dir: match &self.get("server", "state_dir").0 {
                    Value::Path(path) => path.clone(),
                    other => unreachable!("server.state_dir is {other:?}"),
                },
                drain_timeout: seconds("server", "drain_timeout_s"),
                allowed_hosts: self.names("server", "allowed_hosts"),
            },
            lambda: Lambda {
                region: text("lambda", "region"),
                account_id: text("lambda", "account_id"),
            },
            auth: Auth {
                access_keys: self.access_keys(),
            },
            limits: Limits {
                account_concurrency: count("limits", "account_concurrency"),
                max_instances: count("limits", "max_instances"),
                keep_alive: seconds("limits", "keep_alive_s"),
                // More of them than instances would never run.
                cold_starts: count("limits", "cold_starts").min(count("limits", "max_instances")),
                ghosts: count("limits", "ghosts"),
                memory_bytes: Some(megabytes("limits", "memory_mb")).filter(|bytes| *bytes > 0),
            },
            seeds: Seeds {
                after_events: count("seeds", "after_events"),
                idle_after: count("seeds", "idle_after"),
                parked: count("seeds", "parked"),
                mapped: self.get("seeds", "mapped").0 == Value::Boolean(true),
                recall: self.get("seeds", "recall").0 == Value::Boolean(true),
                resident: count("seeds", "resident"),
                rotate_clones: integer("seeds", "rotate_clones"),
                rotate_after: seconds("seeds", "rotate_s"),
                disk_mb: count("seeds", "disk_mb"),
                runtime_seeds: self.get("seeds", "runtime_seeds").0 == Value::Boolean(true),
                secret_names: self.names("seeds", "secret_names"),
                secrets: match text("seeds", "secrets").as_str() {
                    "refuse" => SecretPolicy::Refuse,
                    "ignore" => SecretPolicy::Ignore,
                    _ => SecretPolicy::Warn,
                },
            },
            credentials: Credentials {
                roles: self.roles(),
            },
            events: Events {
                parallel: count("events", "parallel"),
                retry_backoff: self.retry_backoff(),
            },
            network: Network {
                egress: self.get("network", "egress").0 == Value::Boolean(true),
                functions: self.policies(),
                name_servers: self.name_servers(),
                address_pool: self.address_pool(),
            },
            machine: Machine {
                stay_awake: self.get("machine", "stay_awake").0 == Value::Boolean(true),
            },
            logs: Logs {
                segment_bytes: integer("logs", "segment_bytes"),
            },
            log: Log {
                level: level(&text("log", "level")),
                format: if text("log", "format") == "json" {
                    LogFormat::Json
                } else {
                    LogFormat::Text
                },
            },
        }
    }

    fn access_keys(&self) -> Vec<AccessKey> {
        match &self.get("auth", "access_keys").0 {
            Value::Keys(keys) => keys.clone(),
            other => unreachable!("auth.access_keys is {other:?}"),
        }
    }

    fn names(&self, section: &str, name: &str) -> Vec<String> {
        match &self.get(section, name).0 {
            Value::Names(names) => names.clone(),
            other => unreachable!("{section}.{name} is {other:?}"),
        }
    }

    fn roles(&self) -> BTreeMap<String, RoleSource> {
        match &self.get("credentials", "roles").0 {
            Value::Roles(roles) => roles.clone(),
            other => unreachable!("credentials.roles is {other:?}"),
        }
    }

    fn retry_backoff(&self) -> Vec<Duration> {
        match &self.get("events", "retry_backoff_s").0 {
            Value::Integers(pauses) => pauses
                .iter()
                .map(|&pause| Duration::from_secs(pause))
                .collect(),
            other => unreachable!("events.retry_backoff_s is {other:?}"),
        }
    }

    fn policies(&self) -> BTreeMap<String, NetworkPolicy> {
        match &self.get("network", "functions").0 {
            Value::Policies(policies) => policies.clone(),
            other => unreachable!("network.functions is {other:?}"),
        }
    }

    fn name_servers(&self) -> Vec<IpAddr> {
        match &self.get("network", "name_servers").0 {
            Value::Servers(servers) => servers.clone(),
            other => unreachable!("network.name_servers is {other:?}"),
        }
    }

    fn address_pool(&self) -> AddressPool {
        match self.get("network", "address_pool").0 {
            Value::Pool(pool) => pool,
            ref other => unreachable!("network.address_pool is {other:?}"),
        }
    }
}

/// The file that is read: the flag's, the environment's, or the system's if there is one.
fn file_of(layers: &Layers) -> Option<PathBuf> {
    let named = || {
        let variable = layers
            .environment
            .iter()
            .find(|(name, _)| name == FILE_VARIABLE);
        variable
            .map(|(_, path)| PathBuf::from(path))
            .filter(|path| !path.as_os_str().is_empty())
    };
    let system = || Some(PathBuf::from(SYSTEM_FILE)).filter(|path| path.exists());
    layers.file.clone().or_else(named).or_else(system)
}

/// Whether a variable is meant for the configuration.
fn concerns(name: &str) -> bool {
    let sections = schema::sections();
    sections.iter().any(|section| {
        let rest = name
            .strip_prefix("OFFSHOOT_")
            .and_then(|rest| rest.strip_prefix(&section.to_uppercase()));
        rest.is_some_and(|rest| rest.starts_with('_'))
    })
}

fn by_path(path: &str, place: &Place) -> Result<usize, ConfigError> {
    let found = path
        .split_once('.')
        .and_then(|(section, name)| schema::find(section, name));
    found.ok_or_else(|| {
        let known: Vec<String> = KEYS.iter().map(Key::path).collect();
        let suggestion = nearest(path, known.iter().map(String::as_str)).map(str::to_owned);
        ConfigError::Unknown {
            place: place.clone(),
            what: "key",
            name: path.to_owned(),
            suggestion,
        }
    })
}

fn level(word: &str) -> LogLevel {
    match word {
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        _ => LogLevel::Info,
    }
}

fn shown(value: &Value) -> serde_json::Value {
    match value {
        Value::Boolean(yes) => (*yes).into(),
        Value::Integer(number) => (*number).into(),
        Value::Integers(numbers) => numbers.clone().into(),
        Value::Text(text) => text.clone().into(),
        Value::Address(address) => address.to_string().into(),
        Value::Path(path) => path.display().to_string().into(),
        Value::Pool(pool) => pool.to_string().into(),
        Value::Policies(policies) => policies::shown(policies),
        Value::Servers(servers) => servers.iter().map(ToString::to_string).collect(),
        Value::Names(names) => names.clone().into(),
        Value::Roles(roles) => roles::shown(roles),
        Value::Keys(keys) => keys
            .iter()
            .map(|key| serde_json::json!({ "id": key.id, "secret": "<redacted>" }))
            .collect(),
    }
}
