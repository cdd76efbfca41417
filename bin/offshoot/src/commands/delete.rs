//! `offshoot delete`.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;

use super::about_function;
use crate::cli::Context;
use crate::report::{Failure, Kind};

/// What to delete.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// The function
    name: String,
    /// Only this version
    #[arg(long)]
    qualifier: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Runs the command.
pub async fn run(args: &DeleteArgs, context: &Context) -> Result<(), Failure> {
    let what = match &args.qualifier {
        Some(version) => format!("version {version} of {}", args.name),
        None => format!("{} with all its versions", args.name),
    };
    if !args.yes {
        confirm(&format!("delete {what}?"))?;
    }
    let client = context.client()?;
    match client
        .delete_function(&args.name, args.qualifier.as_deref())
        .await
    {
        Ok(()) => {
            context.console.note(&format!("deleted {what}"));
            Ok(())
        }
        Err(error) => Err(about_function(&client, &args.name, error).await),
    }
}

/// Asks; anything but yes ends the command.
pub fn confirm(question: &str) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(
            Failure::new(Kind::Usage, format!("nobody is there to ask: {question}"))
                .hint("add --yes to do it without asking"),
        );
    }
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{} [y/N] ", crate::console::visible(question));
    let _ = stderr.flush();
    let mut answer = String::new();
    // An answer that cannot be read is no yes.
    let _ = stdin.lock().read_line(&mut answer);
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::new(Kind::Failed, "not done")),
    }
}
