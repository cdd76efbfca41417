//! `offshoot seed`: which function versions start as clones, and why others do not.

use clap::{Args, Subcommand};

use crate::api::Seed;
use crate::cli::Context;
use crate::console::bytes_for_people;
use crate::report::Failure;

/// What to do with seeds.
#[derive(Debug, Args)]
pub struct SeedArgs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the seeds of all versions that were invoked or published (this is what `offshoot seed` alone does)
    #[command(visible_alias = "ls")]
    List,
}

/// Runs the command.
pub async fn run(args: &SeedArgs, context: &Context) -> Result<(), Failure> {
    let What::List = args.what.as_ref().unwrap_or(&What::List);
    let found = context.client()?.seeds().await?;
    if context.console.wants_json() {
        return Ok(context.console.json(&found)?);
    }
    let header = [
        "function", "version", "level", "seed", "size", "beside", "learnt", "pages", "remark",
    ];
    let rows = found.seeds.iter().map(row).collect();
    Ok(context.console.table(&header, rows)?)
}

fn row(seed: &Seed) -> Vec<String> {
    let learnt = seed
        .learnt
        .map_or("", |learnt| if learnt { "yes" } else { "no" });
    vec![
        seed.function.clone(),
        seed.version.clone(),
        seed.level.to_string(),
        seed.state.clone(),
        seed.stored_bytes.map_or_else(String::new, bytes_for_people),
        if seed.parent.is_some() {
            "its runtime's"
        } else {
            ""
        }
        .to_owned(),
        learnt.to_owned(),
        seed.backing.clone().unwrap_or_default(),
        seed.reason
            .as_ref()
            .or(seed.secrets.as_ref())
            .cloned()
            .unwrap_or_default(),
    ]
}
