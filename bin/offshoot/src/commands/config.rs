//! `offshoot config`: check it, or show what holds and why.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::{CommonArgs, Context};
use crate::config::Place;
use crate::report::Failure;

/// What to do with the configuration.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say whether the daemon would start with it
    Check(CommonArgs),
    /// Show every setting, its value, and where the value comes from
    Show(CommonArgs),
}

/// Runs the command.
pub fn run(args: &ConfigArgs, context: &Context) -> Result<(), Failure> {
    let console = &context.console;
    match &args.what {
        What::Check(common) => {
            let settings = common.settings(Vec::new())?;
            settings.check()?;
            match settings.file() {
                Some(file) => console.note(&format!("{} is valid", file.display())),
                None => console.note("valid: no file, only defaults and the environment"),
            }
            Ok(())
        }
        What::Show(common) => {
            let settings = common.settings(Vec::new())?;
            if console.wants_json() {
                let rows: Vec<_> = settings
                    .rows()
                    .map(|(key, value, place)| {
                        json!({ "key": key, "value": value, "origin": kind(place), "place": place.to_string() })
                    })
                    .collect();
                return Ok(console.json(&rows)?);
            }
            let rows = settings.rows().map(|(key, value, place)| {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                vec![key, value, place.to_string()]
            });
            Ok(console.table(&["key", "value", "origin"], rows.collect())?)
        }
    }
}

fn kind(place: &Place) -> &'static str {
    match place {
        Place::Default => "default",
        Place::File(_) => "file",
        Place::Environment(_) => "env",
        Place::Flag(_) => "flag",
    }
}
