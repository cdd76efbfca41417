//! Chores of this repository, run as `cargo xtask <chore>`.
//!
//! - `codegen [--check] [--model PATH]` writes `format/lambda/src/generated/` from the service
//!   model that botocore ships; `--check` only says whether the checked-in files are current.
//! - `tidy` checks the rules of the tree that neither rustc nor clippy can see.

mod codegen;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask codegen [--check] [--model PATH] | cargo xtask tidy";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = String>) -> anyhow::Result<()> {
    match args.next().as_deref() {
        Some("codegen") => codegen::run(&root(), &codegen_options(args)?),
        Some("tidy") => match args.next() {
            None => tidy::run(&root()),
            Some(extra) => anyhow::bail!("unexpected argument `{extra}`\n{USAGE}"),
        },
        Some(other) => anyhow::bail!("unknown chore `{other}`\n{USAGE}"),
        None => anyhow::bail!("{USAGE}"),
    }
}

fn codegen_options(mut args: impl Iterator<Item = String>) -> anyhow::Result<codegen::Options> {
    let mut options = codegen::Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--check" => options.check = true,
            "--model" => match args.next() {
                Some(path) => options.model = Some(PathBuf::from(path)),
                None => anyhow::bail!("--model needs a path\n{USAGE}"),
            },
            other => anyhow::bail!("unexpected argument `{other}`\n{USAGE}"),
        }
    }
    Ok(options)
}

/// The checkout that this binary was built from.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
