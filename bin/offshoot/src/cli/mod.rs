//! The command line: what can be said, and who does it.

mod context;
mod interrupt;
mod serve_args;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use context::Context;
pub use interrupt::runtime;
pub use serve_args::CommonArgs;
use serve_args::ServeArgs;

use crate::clones::{self, CheckpointArgs, CloneArgs, ImageArgs};
use crate::commands::{
    config::ConfigArgs, delete::DeleteArgs, events::EventsArgs, explain::ExplainArgs,
    invoke::InvokeArgs, logs::LogsArgs, sandbox::SandboxArgs, seed::SeedArgs,
};
use crate::console::Console;
use crate::deploy::DeployArgs;
use crate::report::{Failure, Kind};
use crate::{bench, commands, deploy, doctor};

const AFTER: &str = "\
First steps:
  offshoot doctor                       is this machine ready?
  offshoot serve                        start the daemon
  offshoot deploy ./hello               deploy a folder as a function
  offshoot invoke hello -d '{\"a\": 1}'   call it

Data goes to standard output (tables on a terminal, JSON when piped), everything else to standard
error. The AWS CLI and SDKs work too: export AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:3001

Exit codes:
  0  done
  1  it was tried and failed, or the function failed
  2  the command line or an input file is wrong
  3  the machine or the daemon is not ready
  4  what was named does not exist
  5  it exists already, or is being changed

Environment:
  OFFSHOOT_ENDPOINT, AWS_ENDPOINT_URL_LAMBDA    where the daemon is
  AWS_REGION, AWS_DEFAULT_REGION                region of requests
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY      sign requests with this pair
  OFFSHOOT_CONFIG                               the daemon's configuration file
  NO_COLOR                                      no colours";

/// Self-hosted AWS Lambda functions on ordinary Linux
#[derive(Debug, Parser)]
#[command(name = "offshoot", version, after_help = AFTER, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub struct Global {
    /// The daemon's address [env: OFFSHOOT_ENDPOINT] [default: http://127.0.0.1:3001]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub endpoint: Option<String>,
    /// Region of requests [env: AWS_REGION] [default: us-east-1]; with serve it sets lambda.region
    #[arg(long, global = true, help_heading = "Global options")]
    pub region: Option<String>,
    /// Write JSON, also on a terminal
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Say nothing but data and errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    #[command(
        after_help = "Examples:\n  offshoot serve\n  offshoot serve --listen 127.0.0.1:4000 --state-dir ./state\n  \
        offshoot serve --config offshoot.toml --set limits.max_instances=64\n\n\
        Flags override the environment (OFFSHOOT_SERVER_LISTEN, ...), which overrides the file."
    )]
    Serve(ServeArgs),
    /// Deploy a folder, a zip, or the functions of a SAM template
    #[command(after_help = "Examples:\n  offshoot deploy ./hello\n  \
        offshoot deploy ./hello --name greet --handler app.handler --env STAGE=dev --url\n  \
        offshoot deploy function.zip --runtime nodejs20.x --handler index.handler\n  \
        offshoot deploy template.yaml --parameter Stage=dev\n\n\
        requirements.txt and package.json are installed; a second deploy takes them from the cache.")]
    Deploy(Box<DeployArgs>),
    /// Call a function
    #[command(
        after_help = "Examples:\n  offshoot invoke hello -d '{\"name\": \"Ada\"}'\n  \
        offshoot invoke hello -f event.json --tail\n  cat event.json | offshoot invoke hello -\n  \
        offshoot invoke hello --async -d '{}'\n  offshoot invoke hello --stages\n\n\
        The response goes to standard output as it is. A function that fails exits with 1."
    )]
    Invoke(InvokeArgs),
    /// List functions
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  offshoot list\n  offshoot list --json | jq '.[].FunctionName'"
    )]
    List,
    /// Show what a function printed
    #[command(
        after_help = "Examples:\n  offshoot logs hello\n  offshoot logs hello -f\n  offshoot logs hello --since 10m"
    )]
    Logs(LogsArgs),
    /// Look after asynchronous events: the queue and its dead letters; and look at what the daemon does of itself
    #[command(
        after_help = "Examples:\n  offshoot events\n  offshoot events list --function hello\n  \
        offshoot events redrive 17 18\n  offshoot events redrive --function hello\n  offshoot events purge --all --yes\n  \
        offshoot events actions --after 100"
    )]
    Events(EventsArgs),
    /// Look after sandboxes: those in use, and those that wait to be
    #[command(
        after_help = "Examples:\n  offshoot sandbox\n  offshoot sandbox list --json | jq .pool\n  \
        offshoot sandbox inspect s000004\n  offshoot sandbox drain"
    )]
    Sandbox(SandboxArgs),
    /// Look at seeds: which versions start as clones, and why others do not
    #[command(
        after_help = "Examples:\n  offshoot seed\n  offshoot seed list --json | jq '.seeds[] | select(.reason)'"
    )]
    Seed(SeedArgs),
    /// Show why a function starts as it does: its ladder, and the figures that the porter decides by
    #[command(
        after_help = "Examples:\n  offshoot explain hello\n  offshoot explain hello:3\n  offshoot explain hello --json | jq .actions"
    )]
    Explain(ExplainArgs),
    /// Delete a function, or one version of it
    #[command(
        visible_alias = "rm",
        after_help = "Examples:\n  offshoot delete hello\n  offshoot delete hello --qualifier 3 --yes"
    )]
    Delete(DeleteArgs),
    /// Check whether this machine can run functions
    #[command(
        after_help = "Examples:\n  offshoot doctor\n  offshoot doctor --json\n\nExits with 3 if something needed is missing."
    )]
    Doctor(doctor::DoctorArgs),
    /// Freeze a running process into an image
    #[command(
        after_help = "Examples:\n  offshoot checkpoint 4711 --image base --external 0 --external 1 --external 2\n  \
        offshoot checkpoint 4711 --image base --leave-running\n  offshoot checkpoint 4712 --image app --parent base\n\n\
        What cannot be carried into an image is refused by name, and the process goes on."
    )]
    Checkpoint(CheckpointArgs),
    /// Start processes as clones of an image
    #[command(
        after_help = "Examples:\n  offshoot clone base\n  offshoot clone base -n 50 --fd 0=/dev/null --fd 1=out-{n}.txt\n  \
        offshoot clone base --park\n\nExits with 0 if all clones exited with 0."
    )]
    Clone(CloneArgs),
    /// Look after images
    #[command(
        after_help = "Examples:\n  offshoot image list\n  offshoot image inspect base\n  offshoot image verify base\n  \
        offshoot image diff base app\n  offshoot image rm app base"
    )]
    Image(ImageArgs),
    /// Measure
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  offshoot bench --help"
    )]
    Bench {
        /// Passed on to the benchmarks
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Check or show the daemon's configuration
    #[command(
        after_help = "Examples:\n  offshoot config check --config offshoot.toml\n  offshoot config show"
    )]
    Config(ConfigArgs),
}

/// Does what `args` say and gives the exit code.
pub fn run(args: Vec<OsString>) -> ExitCode {
    // The benchmarks have a --json of their own.
    if args.get(1).is_some_and(|word| word == "bench") {
        return finish(bench::run(&args[2..]), &Console::new(false, false));
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = error.print();
            return ExitCode::from(
                u8::try_from(error.exit_code()).unwrap_or(Kind::Usage.exit_code()),
            );
        }
    };
    let context = Context::new(&cli.global);
    finish(dispatch(cli, &context), &context.console)
}

fn finish(result: Result<ExitCode, Failure>, console: &Console) -> ExitCode {
    result.unwrap_or_else(|failure| failure.report(console))
}

fn dispatch(cli: Cli, context: &Context) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Serve(args) => serve(&args, &cli.global),
        Command::Bench { args } => bench::run(&args),
        Command::Checkpoint(args) => clones::checkpoint(&args, context).map(done),
        Command::Clone(args) => clones::clone(&args, context),
        Command::Image(args) => clones::image(&args, context).map(done),
        Command::Config(args) => commands::config::run(&args, context).map(done),
        command => interrupt::run(client_command(command, context)),
    }
}

async fn client_command(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Deploy(args) => deploy::run(&args, context).await,
        Command::Invoke(args) => commands::invoke::run(&args, context).await,
        Command::List => commands::list::run(context).await,
        Command::Logs(args) => commands::logs::run(&args, context).await,
        Command::Events(args) => commands::events::run(&args, context).await,
        Command::Seed(args) => commands::seed::run(&args, context).await,
        Command::Explain(args) => commands::explain::run(&args, context).await,
        Command::Sandbox(args) => commands::sandbox::run(&args, context).await,
        Command::Delete(args) => commands::delete::run(&args, context).await,
        Command::Doctor(args) => doctor::run(&args, context).await,
        Command::Serve(_)
        | Command::Bench { .. }
        | Command::Config(_)
        | Command::Checkpoint(_)
        | Command::Clone(_)
        | Command::Image(_) => Ok(()),
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Reads the configuration and runs the daemon with it.
fn serve(args: &ServeArgs, global: &Global) -> Result<ExitCode, Failure> {
    let config = args.settings(global.region.as_deref())?.check()?;
    crate::serve::log(&config.log);
    interrupt::runtime(true)?
        .block_on(crate::serve::serve(config))
        .map_err(|error| Failure::from_error(Kind::Environment, error.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        for command in Cli::command().get_subcommands() {
            let after = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(after.contains("Examples:"), "{}", command.get_name());
        }
    }
}
