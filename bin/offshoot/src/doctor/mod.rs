//! `offshoot doctor`: what this machine has, what it lacks, and what that costs.

mod checks;
mod clones;
mod disk;

use clap::Args;
use serde::Serialize;

pub use clones::can_map;

use crate::cli::{CommonArgs, Context};
use crate::report::{Failure, Kind};

/// What the check is about.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    config: CommonArgs,
}

/// Something that was looked at.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// What.
    pub what: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What it is needed for.
    pub needed_for: String,
    /// What its lack costs.
    pub without_it: String,
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// There.
    Ok,
    /// Not there, or not good; functions run all the same.
    Warn,
    /// Not there, and functions do not run without it.
    Missing,
}

/// Runs the command.
pub async fn run(args: &DoctorArgs, context: &Context) -> Result<(), Failure> {
    let settings = args.config.settings(Vec::new())?;
    let config = settings.check()?;
    let mut rows = checks::sandbox();
    rows.extend(checks::runtimes());
    rows.extend(clones::rows());
    rows.push(disk::check(&config.server.state_dir));
    rows.push(checks::daemon(&context.client()?).await);
    let console = &context.console;
    if console.wants_json() {
        console.json(&rows)?;
    } else {
        let cells = rows.iter().map(|row| {
            let verdict = match row.verdict {
                Verdict::Ok => "ok",
                Verdict::Warn => "warn",
                Verdict::Missing => "MISSING",
            };
            let lack = if row.verdict == Verdict::Ok {
                String::new()
            } else {
                row.without_it.clone()
            };
            vec![
                row.what.clone(),
                verdict.to_owned(),
                row.found.clone(),
                row.needed_for.clone(),
                lack,
            ]
        });
        console.table(
            &["what", "", "found", "needed for", "without it"],
            cells.collect(),
        )?;
    }
    let missing: Vec<&str> = rows
        .iter()
        .filter(|row| row.verdict == Verdict::Missing)
        .map(|row| row.what.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Environment,
        format!("this machine lacks {}", missing.join(", ")),
    ))
}
