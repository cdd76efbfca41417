//! Measures offshoot from outside, beside what one would use without it.
//!
//! A scenario starts a daemon of its own, drives it through its HTTP interface, measures a baseline in the
//! same run where there is one, and records one line of JSON a figure. The exceptions are `clone` and `sandbox`, which have
//! no daemon: they drive the clone engine and the pool of sandboxes themselves, through nurseries that are the measured program.
//! `docs/benchmarks.md` says what each scenario measures and what it does not.
//!
//! Whoever calls must give the path of a release build, keep the machine quiet, and be root.

mod args;
mod baseline;
mod bench;
mod interrupt;
mod machine;
mod record;
mod render;
mod scenario;
mod summary;
mod table;
mod target;
mod workload;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

pub use args::{BenchArgs, ReplayArgs, Suite};
pub use record::{Measurement, Recorder};
pub use render::render;
pub use summary::{Samples, Summary};

const EXAMPLES: &str = "\
Examples:
  offshoot bench base --quick --json figures.json       does everything work?
  offshoot bench hot --workloads echo,html              one scenario, some workloads
  offshoot bench sandbox --quick                        does the pool work?
  offshoot bench sandbox --workloads take,scratch       some steps, beside runc create
  offshoot bench sandbox --workloads soak --soak        an hour of 24 takers, and what is left after it
  offshoot bench noise --workloads fork,log             does a neighbour notice a fork bomb or a flood of output?
  offshoot bench ladder                                 what each rung of the ladder brings
  offshoot bench density --budget 512                   clones that are alive in 512 MiB
  offshoot bench trace --trace load.csv --html r.html   a recorded load, with less and less memory
  offshoot bench render --json figures.json             the tables of docs/benchmarks.md";

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// All figures, in the order of their measurement.
    pub measurements: Vec<Measurement>,
    /// The scenarios that failed, with the reason.
    pub failures: Vec<(String, String)>,
}

/// The command by itself, for a caller that does not parse `BenchArgs`. `args` are those after the name of
/// the command. Prints the table to standard output and everything else to standard error.
pub fn main_from(args: impl Iterator<Item = OsString>) -> ExitCode {
    #[derive(Parser)]
    #[command(
        no_binary_name = true,
        name = "offshoot bench",
        about = "Measures offshoot beside baselines",
        after_help = EXAMPLES
    )]
    struct Command {
        #[command(flatten)]
        args: BenchArgs,
    }
    match Command::try_parse_from(args) {
        Ok(command) => report(&command.args),
        Err(error) => error.exit(),
    }
}

/// Runs what the arguments ask for and tells the user. The exit code is 1 if a scenario failed.
pub fn report(args: &BenchArgs) -> ExitCode {
    let report = match run(args) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("bench: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    if !report.measurements.is_empty() {
        println!("{}", table::table(&report.measurements));
    }
    for (scenario, reason) in &report.failures {
        eprintln!("bench: {scenario} failed: {reason}");
    }
    if report.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs what the arguments ask for. Blocks for as long as it takes; scenarios use a thread of their own, so
/// that the caller may be inside of an asynchronous runtime.
pub fn run(args: &BenchArgs) -> anyhow::Result<Report> {
    if args.suite == Suite::Render {
        let json = args.json.as_deref().context("render needs --json FILE")?;
        render::render(json, &args.doc)?;
        return Ok(Report::default());
    }
    bench::measure(args)
}
