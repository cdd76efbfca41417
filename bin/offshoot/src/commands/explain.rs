//! `offshoot explain`: why a function starts as it does.

use clap::Args;
use serde_json::Value;

use super::about_function;
use super::events::decided_row;
use crate::api::Explained;
use crate::cli::Context;
use crate::console::bytes_for_people;
use crate::report::{Failure, Kind};

/// Which function.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The function's name; a version follows after a colon
    function: String,
}

/// Runs the command.
pub async fn run(args: &ExplainArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let found = match client.explain(&args.function).await {
        Ok(found) => found,
        Err(error) => {
            let name = args.function.split(':').next().unwrap_or_default();
            return Err(about_function(&client, name, error).await);
        }
    };
    let console = &context.console;
    if console.wants_json() {
        return Ok(console.json(&found)?);
    }
    let explained: Explained =
        serde_json::from_value(found).map_err(|error| Failure::from_error(Kind::Failed, &error))?;
    console.table(&["what", "now", "decided by"], state(&explained))?;
    let rungs = explained.rungs.iter().map(|rung| {
        vec![
            rung.rung.clone(),
            rung.samples.to_string(),
            span(rung.p50_us),
            span(rung.p99_us),
            if rung.is_inside { "yes" } else { "no" }.to_owned(),
        ]
    });
    let header = ["rung", "starts", "p50", "p99", "inside the target"];
    console.table(&header, rungs.collect())?;
    let actions = explained.actions.iter().map(decided_row).collect();
    Ok(console.table(&["number", "at", "function", "action", "why"], actions)?)
}

/// A row for each decision: what it is about, what holds now, and the figures behind it.
fn state(it: &Explained) -> Vec<Vec<String>> {
    let inside = if it.is_inside { "inside" } else { "outside" };
    let target = format!(
        "{inside} the target of {} (p50) and {} (p99)",
        span(it.target_p50_us),
        span(it.target_p99_us)
    );
    let cap = it.cap_us.map_or_else(String::new, |cap| {
        format!(", at most {} under pressure", span(cap))
    });
    let gap = |us: Option<u64>| us.map_or_else(|| "unknown".to_owned(), span);
    let gaps = format!(
        "{} gaps between calls, p50 {}, p99 {}",
        it.gaps.samples,
        gap(it.gaps.p50_us),
        gap(it.gaps.p99_us)
    );
    let idle = format!("{} ({})", it.idle, bytes_for_people(it.idle_bytes));
    let calls = format!("{} at work, {} at once of late", it.busy, it.peak);
    let expected = format!(
        "{} invocations, {:.3} a second expected",
        it.invocations, it.expected_per_second
    );
    let clones = format!("{} clones since it was made", it.seed_clones);
    let memory = format!(
        "{} of {} used",
        bytes_for_people(it.used_bytes),
        bytes_for_people(it.limit_bytes)
    );
    let runtime = it
        .runtime_seed
        .as_ref()
        .map_or_else(|| "it starts from none".to_owned(), named);
    let row = |what: &str, now: String, by: String| vec![what.to_owned(), now, by];
    vec![
        row("next start", it.next_rung.clone(), target),
        row("keep-alive", format!("{}{cap}", span(it.window_us)), gaps),
        row("idle instances", idle, calls),
        row("parked clones", it.parked.to_string(), expected),
        row("seed", named(&it.seed), clones),
        row("template", named(&it.template), String::new()),
        row("seed of the runtime", runtime, String::new()),
        row("memory pressure", it.pressure.clone(), memory),
    ]
}

/// The name of a state, with its size if it has one.
fn named(state: &Value) -> String {
    let name = state["state"].as_str().unwrap_or_default();
    let bytes = state["bytes"].as_u64().or(state["image_bytes"].as_u64());
    match bytes.filter(|bytes| *bytes > 0) {
        Some(bytes) => format!("{name} ({})", bytes_for_people(bytes)),
        None => name.to_owned(),
    }
}

fn span(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}
