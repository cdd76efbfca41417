//! The seam to the benchmarks.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::report::Failure;

/// Runs the benchmarks with their own arguments.
pub fn run(args: &[OsString]) -> Result<ExitCode, Failure> {
    Ok(offshoot_bench::main_from(args.iter().cloned()))
}
