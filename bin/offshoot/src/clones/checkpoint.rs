//! `offshoot checkpoint`.

use clap::Args;
use offshoot_checkpoint::{CheckpointError, Options, checkpoint};

use super::place::{self, PlaceArgs};
use crate::cli::Context;
use crate::console::bytes_for_people;
use crate::report::{Failure, Kind};

/// Which process, and what to make of it.
#[derive(Debug, Args)]
pub struct CheckpointArgs {
    /// The process
    pid: u32,
    /// The image's name
    #[arg(long, value_name = "NAME")]
    image: String,
    /// Let the process go on afterwards; else it is killed once the image is whole
    #[arg(long)]
    leave_running: bool,
    /// A descriptor that comes from outside: each clone will be given a file for it. May be said more than once
    #[arg(long, value_name = "N")]
    external: Vec<u32>,
    /// Store only the pages that differ from this image's
    #[arg(long, value_name = "NAME")]
    parent: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Runs the command.
pub fn run(args: &CheckpointArgs, context: &Context) -> Result<(), Failure> {
    let pool = args.place.open()?;
    let parent = args.parent.as_deref().map(place::name).transpose()?;
    let options = Options {
        name: place::name(&args.image)?,
        external: args.external.iter().copied().collect(),
        leave_running: args.leave_running,
        parent,
        for_mapping: true,
    };
    let step = context
        .console
        .step(&format!("freezing process {}", args.pid));
    let report = checkpoint(args.pid, &options, &pool).map_err(|error| failure(&error))?;
    drop(step);
    let console = &context.console;
    if console.wants_json() {
        return Ok(console.json(&report)?);
    }
    Ok(console.line(&format!(
        "{}: {} threads, {} mappings, {} pages ({}); frozen for {} µs",
        args.image,
        report.threads,
        report.mappings,
        report.pages,
        bytes_for_people(report.bytes),
        report.freeze_us
    ))?)
}

fn failure(error: &CheckpointError) -> Failure {
    Failure::from_error(Kind::Failed, error)
}
