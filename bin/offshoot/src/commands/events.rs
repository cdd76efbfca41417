//! `offshoot events`: the queue of asynchronous invocations and its dead letters, and the porter's actions.

use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::delete::confirm;
use crate::api::{Client, DeadLetter, Decided};
use crate::cli::Context;
use crate::report::{Failure, Kind};

const PAGE_LETTERS: u32 = 100;

/// What to do with events.
#[derive(Debug, Args)]
pub struct EventsArgs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How many events wait, run, and were given up (this is what `offshoot events` alone does)
    Depth,
    /// List the events that were given up
    List {
        /// Only of this function
        #[arg(long)]
        function: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// List what the porter has done of late, and why
    Actions {
        /// Only those with greater numbers
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Try given-up events again
    Redrive {
        /// Ids, as `offshoot events list` shows them
        ids: Vec<i64>,
        /// All of this function
        #[arg(long, conflicts_with = "ids")]
        function: Option<String>,
        /// All
        #[arg(long, conflicts_with_all = ["ids", "function"])]
        all: bool,
    },
    /// Drop given-up events for good
    Purge {
        /// Only of this function
        #[arg(long)]
        function: Option<String>,
        /// All
        #[arg(long, conflicts_with = "function")]
        all: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Runs the command.
pub async fn run(args: &EventsArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match args.what.as_ref().unwrap_or(&What::Depth) {
        What::Depth => depth(&client, context).await,
        What::List { function, limit } => list(&client, context, function.as_deref(), *limit).await,
        What::Actions { after } => actions(&client, context, *after).await,
        What::Redrive { ids, function, all } => {
            if ids.is_empty() && function.is_none() && !all {
                return Err(nothing_named("redrive"));
            }
            let redriven = client.redrive(ids, function.as_deref()).await?;
            report(context, "redriven", redriven)
        }
        What::Purge { function, all, yes } => {
            if function.is_none() && !all {
                return Err(nothing_named("purge"));
            }
            let whose = function
                .as_ref()
                .map_or_else(|| "all functions".to_owned(), Clone::clone);
            if !yes {
                confirm(&format!("drop the given-up events of {whose} for good?"))?;
            }
            let purged = client.purge(function.as_deref()).await?;
            report(context, "purged", purged)
        }
    }
}

async fn depth(client: &Client, context: &Context) -> Result<(), Failure> {
    let depth = client.event_depth().await?;
    if context.console.wants_json() {
        return Ok(context.console.json(&depth)?);
    }
    let row = [depth.waiting, depth.claimed, depth.dead].map(|count| count.to_string());
    Ok(context
        .console
        .table(&["waiting", "running", "dead"], vec![row.to_vec()])?)
}

async fn actions(client: &Client, context: &Context, after: u64) -> Result<(), Failure> {
    let found = client.decisions(after).await?;
    if context.console.wants_json() {
        return Ok(context.console.json(&found)?);
    }
    let header = ["number", "at", "function", "action", "why"];
    let rows = found.events.iter().map(decided_row).collect();
    Ok(context.console.table(&header, rows)?)
}

/// An action of the porter as a row.
pub(super) fn decided_row(decided: &Decided) -> Vec<String> {
    let at = DateTime::from_timestamp_millis(decided.at_ms);
    let at = at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    vec![
        decided.number.to_string(),
        at.unwrap_or_default(),
        decided.function.clone(),
        decided.action.clone(),
        decided.why.clone(),
    ]
}

async fn list(
    client: &Client,
    context: &Context,
    function: Option<&str>,
    limit: usize,
) -> Result<(), Failure> {
    let mut letters: Vec<DeadLetter> = Vec::new();
    let mut next = None;
    while letters.len() < limit {
        let wanted = u32::try_from(limit - letters.len())
            .unwrap_or(u32::MAX)
            .min(PAGE_LETTERS);
        let page = client.dead_letters(function, wanted, next).await?;
        let came = page.letters.len();
        letters.extend(page.letters);
        next = page.next;
        if next.is_none() || came == 0 {
            break;
        }
    }
    letters.truncate(limit);
    if context.console.wants_json() {
        return Ok(context.console.json(&letters)?);
    }
    let rows = letters.iter().map(|letter| {
        vec![
            letter.id.to_string(),
            letter.function.clone(),
            time(letter.buried_at_ms),
            letter.attempt.to_string(),
            text(&letter.why),
            text(&letter.last_error),
        ]
    });
    let header = [
        "id",
        "function",
        "given up",
        "attempts",
        "why",
        "last error",
    ];
    Ok(context.console.table(&header, rows.collect())?)
}

fn report(context: &Context, what: &str, count: u64) -> Result<(), Failure> {
    if context.console.wants_json() {
        return Ok(context.console.json(&json!({ what: count }))?);
    }
    Ok(context.console.line(&format!("{what} {count} events"))?)
}

fn nothing_named(command: &str) -> Failure {
    Failure::new(Kind::Usage, format!("{command} which events?")).hint(match command {
        "redrive" => "give ids, --function NAME, or --all",
        _ => "give --function NAME, or --all",
    })
}

fn time(at_ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(at_ms);
    time.map_or_else(
        || at_ms.to_string(),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
