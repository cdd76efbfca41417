//! Clones as the user sees them, and how they end.

use std::process::ExitStatus;
use std::time::Duration;

use offshoot_clone::{Cloned, Keeper, NurseryError};
use rustix::event::{PollFd, PollFlags, poll};
use serde::Serialize;

use crate::cli::Context;
use crate::report::{Failure, Kind};

/// A clone, as the user sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    clone: u32,
    pid: i32,
    /// From the request until the process existed.
    fork_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    /// It has ended, and nobody knows how.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    end_unknown: bool,
    /// The clone itself.
    #[serde(skip)]
    pub cloned: Cloned,
}

impl Row {
    /// The `clone`th, which runs.
    pub fn new(clone: u32, cloned: Cloned, fork_took: Duration) -> Self {
        Self {
            clone,
            pid: cloned.pid,
            fork_us: fork_took.as_micros() as u64,
            exit_code: None,
            signal: None,
            end_unknown: false,
            cloned,
        }
    }

    /// Whether it is known to have exited with 0.
    pub fn is_well(&self) -> bool {
        self.exit_code == Some(0)
    }

    fn has_ended(&self) -> bool {
        self.exit_code.is_some() || self.signal.is_some() || self.end_unknown
    }

    fn end(&self) -> String {
        match (self.exit_code, self.signal) {
            (Some(code), _) => format!("exited with {code}"),
            (_, Some(signal)) => format!("killed by signal {signal}"),
            _ if self.end_unknown => "ended".to_owned(),
            _ => "runs".to_owned(),
        }
    }

    /// Waits for the end; how it was is its parent's to know.
    fn await_end(&mut self) -> rustix::io::Result<()> {
        let mut ended = [PollFd::new(&self.cloned.pidfd, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut ended, None))?;
        self.end_unknown = true;
        Ok(())
    }
}

/// Says whether nurseries have died while the template was made.
pub fn warn_of_restarts(keeper: &Keeper, context: &Context) {
    if keeper.restarts() > 0 {
        let end = end_of_nursery(keeper);
        let text = format!("the nursery of templates ended ({end}) and was started again");
        context.console.warn(&text);
    }
}

/// Waits until all have ended: by the nursery, which knows how, or by themselves if it ends before them.
pub fn await_all(keeper: &mut Keeper, rows: &mut [Row], context: &Context) -> Result<(), Failure> {
    while rows.iter().any(|row| !row.has_ended()) {
        let exit = match keeper.next_exit() {
            Ok(exit) => exit,
            // One that ended before there were clones.
            Err(NurseryError::Ended) if keeper.pid().is_some() => continue,
            Err(NurseryError::Ended) => break,
            Err(error) => return Err(Failure::from_error(Kind::Failed, &error)),
        };
        if let Some(row) = rows.iter_mut().find(|row| row.pid == exit.pid) {
            (row.exit_code, row.signal) = (exit.code(), exit.signal());
        }
    }
    let mut left = rows.iter_mut().filter(|row| !row.has_ended()).peekable();
    if left.peek().is_some() {
        let end = end_of_nursery(keeper);
        context.console.warn(&format!(
            "the nursery of templates ended ({end}); clones go on, but how they end is not known"
        ));
    }
    left.try_for_each(Row::await_end)
        .map_err(|errno| Failure::from_error(Kind::Failed, &errno))
}

fn end_of_nursery(keeper: &Keeper) -> String {
    let end = keeper.last_end().as_ref().map(ExitStatus::to_string);
    end.unwrap_or_else(|| "nobody knows how".to_owned())
}

/// Prints all.
pub fn report(rows: &[Row], context: &Context) -> Result<(), Failure> {
    let console = &context.console;
    if console.wants_json() {
        return Ok(console.json(&rows)?);
    }
    let cells = rows.iter().map(|row| {
        vec![
            row.clone.to_string(),
            row.pid.to_string(),
            format!("{} µs", row.fork_us),
            row.end(),
        ]
    });
    Ok(console.table(&["clone", "pid", "forked in", ""], cells.collect())?)
}
