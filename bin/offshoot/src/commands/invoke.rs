//! `offshoot invoke`.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;

use super::about_function;
use crate::api::{Client, Invocation, Invoked, Mode, StreamEvent};
use crate::cli::Context;
use crate::console::{Console, say, visible};
use crate::report::{Failure, Kind};

/// AWS Lambda takes 6 MiB; what is above is the daemon's to refuse, but not ours to hold.
const MAX_EVENT_BYTES: u64 = 32 << 20;

/// What to call, and with what.
#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// The function: name, NAME:ALIAS, or ARN
    function: String,
    /// `-` reads the event from standard input
    #[arg(value_parser = ["-"], conflicts_with_all = ["data", "file"])]
    stdin: Option<String>,
    /// The event, as JSON [default: {}]
    #[arg(short, long, value_name = "JSON", conflicts_with = "file")]
    data: Option<String>,
    /// A file with the event
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// Queue the event and do not wait
    #[arg(long = "async", conflicts_with_all = ["tail", "stream", "stages"])]
    asynchronous: bool,
    /// Show the end of the invocation's log
    #[arg(long)]
    tail: bool,
    /// Version or alias
    #[arg(long)]
    qualifier: Option<String>,
    /// Write the response as it comes
    #[arg(long)]
    stream: bool,
    /// JSON object for the client context
    #[arg(long, value_name = "JSON")]
    client_context: Option<String>,
    /// Show how long each stage of the invocation took
    #[arg(long)]
    stages: bool,
}

/// Runs the command.
pub async fn run(args: &InvokeArgs, context: &Context) -> Result<(), Failure> {
    let invocation = Invocation {
        function: &args.function,
        qualifier: args.qualifier.as_deref(),
        payload: event(args)?,
        mode: if args.asynchronous {
            Mode::Event
        } else {
            Mode::RequestResponse
        },
        tail: args.tail,
        client_context: args.client_context.as_deref(),
        stages: args.stages,
    };
    if let Some(text) = &args.client_context {
        check_json("--client-context", text.as_bytes())?;
    }
    let client = context.client()?;
    if args.stream {
        return streamed(&client, &invocation, &context.console).await;
    }
    let invoked = match client.invoke(&invocation).await {
        Ok(invoked) => invoked,
        Err(error) => return Err(about_function(&client, &args.function, error).await),
    };
    show(&invoked, args, &context.console)
}

fn show(invoked: &Invoked, args: &InvokeArgs, console: &Console) -> Result<(), Failure> {
    if args.asynchronous {
        let id = invoked.request_id.as_deref().unwrap_or("unknown");
        if console.json_was_asked_for() {
            return Ok(console.json(&serde_json::json!({ "requestId": id }))?);
        }
        console.note(&format!("queued, request {id}"));
        return Ok(());
    }
    if let Some(log) = invoked.log_tail.as_ref().filter(|_| args.tail) {
        say(visible(&String::from_utf8_lossy(log)).trim_end());
    }
    write_response(console, &invoked.payload)?;
    if args.stages {
        show_stages(invoked, console);
    }
    match &invoked.function_error {
        Some(kind) => Err(function_failed(args, kind)),
        None => Ok(()),
    }
}

fn function_failed(args: &InvokeArgs, kind: &str) -> Failure {
    let failure = Failure::new(Kind::Failed, format!("{} failed ({kind})", args.function));
    if args.tail {
        failure
    } else {
        failure.hint("add --tail to see what it printed")
    }
}

/// The response as it is; a terminal gets the end of line that a response may lack.
fn write_response(console: &Console, payload: &[u8]) -> Result<(), Failure> {
    console.data(payload)?;
    if console.is_terminal() && !payload.ends_with(b"\n") {
        console.data(b"\n")?;
    }
    Ok(())
}

async fn streamed(
    client: &Client,
    invocation: &Invocation<'_>,
    console: &Console,
) -> Result<(), Failure> {
    let mut response = match client.invoke_streamed(invocation).await {
        Ok(response) => response,
        Err(error) => return Err(about_function(client, invocation.function, error).await),
    };
    if invocation.stages {
        say(&format!(
            "start: {}",
            response.start().as_deref().unwrap_or("unknown")
        ));
    }
    while let Some(event) = response.next().await? {
        let end = match event {
            StreamEvent::Chunk(bytes) => {
                console.data(&bytes)?;
                continue;
            }
            StreamEvent::Complete(end) => end,
        };
        if let Some(log) = end.log_result.and_then(|log| STANDARD.decode(log).ok()) {
            say(visible(&String::from_utf8_lossy(&log)).trim_end());
        }
        return match end.error_code {
            None => Ok(()),
            Some(code) => {
                let details = end.error_details.unwrap_or_default();
                Err(Failure::new(
                    Kind::Failed,
                    format!("{} failed ({code}) {details}", invocation.function),
                ))
            }
        };
    }
    Err(Failure::new(
        Kind::Failed,
        "the response ended before it was complete",
    ))
}

/// The stages on standard error, so that the response stays alone on standard output.
fn show_stages(invoked: &Invoked, console: &Console) {
    let start = invoked.start.as_deref().unwrap_or("unknown");
    let Some(stages) = invoked.stages.as_deref().map(parse_stages) else {
        console.warn("the daemon did not say how long the stages took");
        return;
    };
    let total: u64 = stages.iter().map(|(_, us)| us).sum();
    if console.json_was_asked_for() {
        let stages: serde_json::Map<String, serde_json::Value> = stages
            .into_iter()
            .map(|(name, us)| (format!("{name}_us"), us.into()))
            .collect();
        say(
            &serde_json::json!({ "start": start, "total_us": total, "stages": stages }).to_string(),
        );
        return;
    }
    say(&format!("{start} start"));
    for (name, us) in stages
        .iter()
        .map(|(name, us)| (name.as_str(), *us))
        .chain([("total", total)])
    {
        say(&format!(
            "  {:<14} {:>10.3} ms",
            visible(name),
            us as f64 / 1e3
        ));
    }
}

/// `queue=1;sandbox=2`, in microseconds; what is not like that is left out.
fn parse_stages(header: &str) -> Vec<(String, u64)> {
    header
        .split(';')
        .filter_map(|part| part.trim().split_once('='))
        .filter_map(|(name, us)| Some((name.to_owned(), us.parse().ok()?)))
        .collect()
}

fn event(args: &InvokeArgs) -> Result<Bytes, Failure> {
    let (what, bytes) = if let Some(data) = &args.data {
        ("--data", data.clone().into_bytes())
    } else if let Some(path) = &args.file {
        let failed = |error: io::Error| {
            let kind = if error.kind() == io::ErrorKind::NotFound {
                Kind::NotFound
            } else {
                Kind::Usage
            };
            Failure::from_error(kind, &error).within(&path.display().to_string())
        };
        (
            "--file",
            bounded(File::open(path).map_err(failed)?).map_err(failed)?,
        )
    } else if args.stdin.is_some() {
        let failed =
            |error: io::Error| Failure::from_error(Kind::Usage, &error).within("standard input");
        (
            "standard input",
            bounded(io::stdin().lock()).map_err(failed)?,
        )
    } else {
        return Ok(Bytes::new());
    };
    if bytes.len() as u64 > MAX_EVENT_BYTES {
        return Err(Failure::new(
            Kind::Usage,
            format!("the event ({what}) is over 32 MiB"),
        ));
    }
    if !bytes.is_empty() {
        check_json(what, &bytes)?;
    }
    Ok(bytes.into())
}

fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_EVENT_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A wrong event is the caller's mistake; it is better told here, with its place.
fn check_json(what: &str, bytes: &[u8]) -> Result<(), Failure> {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes)
        .map(drop)
        .map_err(|error| {
            Failure::from_error(Kind::Usage, &error)
                .within(&format!("{what} is not JSON"))
                .hint("strings need double quotes: -d '{\"name\": \"Ada\"}'")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_and_garbage_is_left_out() {
        let stages = parse_stages("queue=1;sandbox=2;oops;x=y;response=18446744073709551616");
        assert_eq!(stages, [("queue".to_owned(), 1), ("sandbox".to_owned(), 2)]);
    }
}
