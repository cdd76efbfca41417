//! The arguments of `offshoot serve`: the main settings as flags, all others by `--set`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{ConfigError, Layers, Settings};

/// What the daemon is told on the command line.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address of the Lambda API [default: 127.0.0.1:3001]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Directory of everything durable [default: /var/lib/offshoot]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<String>,
    /// Account of every ARN: twelve digits
    #[arg(long, value_name = "ID")]
    account_id: Option<String>,
    /// Let functions open connections to the outside
    #[arg(long)]
    egress: bool,
    /// Least severe level of the daemon's log: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Form of the daemon's log: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

/// What every command that reads the configuration understands.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Configuration file [env: OFFSHOOT_CONFIG] [default: /etc/offshoot/offshoot.toml if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any setting, such as limits.max_instances=64; see `offshoot config show`
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
}

impl ServeArgs {
    /// The configuration with these flags on top.
    pub fn settings(&self, region: Option<&str>) -> Result<Settings, ConfigError> {
        let flags = [
            ("--listen", "server.listen", self.listen.as_deref()),
            ("--state-dir", "server.state_dir", self.state_dir.as_deref()),
            ("--region", "lambda.region", region),
            (
                "--account-id",
                "lambda.account_id",
                self.account_id.as_deref(),
            ),
            ("--egress", "network.egress", self.egress.then_some("true")),
            ("--log-level", "log.level", self.log_level.as_deref()),
            ("--log-format", "log.format", self.log_format.as_deref()),
        ];
        let flags = flags.into_iter().filter_map(|(flag, key, value)| {
            Some((flag.to_owned(), key.to_owned(), value?.to_owned()))
        });
        self.common.settings(flags.collect())
    }
}

impl CommonArgs {
    /// The configuration with `--set` and then `flags` on top.
    pub fn settings(&self, flags: Vec<(String, String, String)>) -> Result<Settings, ConfigError> {
        let set = self
            .set
            .iter()
            .map(|(key, value)| (format!("--set {key}"), key.clone(), value.clone()));
        Settings::gather(&Layers {
            file: self.config.clone(),
            environment: std::env::vars_os().collect(),
            flags: set.chain(flags).collect(),
        })
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if key.contains('.') => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as SECTION.KEY=VALUE".to_owned()),
    }
}
