//! `offshoot`: self-hosted AWS Lambda functions on ordinary Linux. The daemon and its client.

mod api;
mod bench;
mod cli;
mod clones;
mod commands;
mod config;
mod console;
mod deploy;
mod doctor;
mod hidden;
mod nearest;
mod report;
mod serve;
mod template;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    hidden::run(&args).unwrap_or_else(|| cli::run(args))
}
