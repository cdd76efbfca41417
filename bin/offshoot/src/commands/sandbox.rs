//! `offshoot sandbox`: the machine's sandboxes, those that wait and those in use.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::api::{Client, Sandbox};
use crate::cli::Context;
use crate::report::{Failure, Kind};

/// What to do with sandboxes.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List all sandboxes (this is what `offshoot sandbox` alone does)
    #[command(visible_alias = "ls")]
    List,
    /// Show one sandbox
    Inspect {
        /// Its id, as `offshoot sandbox list` shows it
        id: String,
    },
    /// Have the sandboxes that wait made anew; those in use are left alone
    Drain,
}

/// Runs the command.
pub async fn run(args: &SandboxArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match args.what.as_ref().unwrap_or(&What::List) {
        What::List => list(&client, context).await,
        What::Inspect { id } => inspect(&client, context, id).await,
        What::Drain => {
            let drained = client.drain_sandboxes().await?;
            if context.console.wants_json() {
                return Ok(context.console.json(&json!({ "drained": drained }))?);
            }
            Ok(context
                .console
                .line(&format!("drained {drained} sandboxes"))?)
        }
    }
}

async fn list(client: &Client, context: &Context) -> Result<(), Failure> {
    let found = client.sandboxes().await?;
    if context.console.wants_json() {
        return Ok(context.console.json(&found)?);
    }
    let header = [
        "id", "state", "instance", "account", "uses", "uid", "egress", "pid",
    ];
    let rows = found.sandboxes.iter().map(row);
    Ok(context.console.table(&header, rows.collect())?)
}

fn row(sandbox: &Sandbox) -> Vec<String> {
    vec![
        sandbox.id.clone(),
        sandbox.state.clone(),
        sandbox.instance.clone().unwrap_or_default(),
        sandbox.account.clone().unwrap_or_default(),
        sandbox.uses.to_string(),
        sandbox.uid.to_string(),
        if sandbox.egress { "yes" } else { "no" }.to_owned(),
        sandbox.pid.to_string(),
    ]
}

async fn inspect(client: &Client, context: &Context, id: &str) -> Result<(), Failure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if id.is_empty() || !id.bytes().all(plain) {
        return Err(
            Failure::new(Kind::Usage, format!("{id:?} is not a sandbox's id"))
                .hint("`offshoot sandbox list` shows them"),
        );
    }
    let found = client.sandbox(id).await.map_err(|error| {
        let missing = error.is_not_found();
        let failure = Failure::from(error);
        match missing {
            true => failure.hint("`offshoot sandbox list` shows those that exist"),
            false => failure,
        }
    })?;
    if context.console.wants_json() {
        return Ok(context.console.json(&found)?);
    }
    let more = found.more.iter();
    let more = more.map(|(name, value)| vec![name.clone(), value.to_string()]);
    let names = [
        "id", "state", "instance", "account", "uses", "uid", "egress", "pid",
    ];
    let facts = names.into_iter().map(str::to_owned).zip(row(&found));
    let rows = facts.map(|(name, value)| vec![name, value]).chain(more);
    Ok(context.console.table(&["", ""], rows.collect())?)
}
