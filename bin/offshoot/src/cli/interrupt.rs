//! Commands that a signal ends in order: what they hold (temporary folders, children) is dropped first.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::report::{Failure, Kind};

/// What work on other threads may still take after a signal.
const GRACE: Duration = Duration::from_millis(500);

/// Runs a command to its end, or to SIGINT, SIGTERM or SIGHUP.
pub fn run(command: impl Future<Output = Result<(), Failure>>) -> Result<ExitCode, Failure> {
    let runtime = runtime(false)?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = command => result.map(|()| ExitCode::SUCCESS),
            number = interrupted() => Ok(ExitCode::from(number.saturating_add(128))),
        }
    });
    runtime.shutdown_timeout(GRACE);
    result
}

/// A runtime, on one thread or on several.
pub fn runtime(threads: bool) -> Result<Runtime, Failure> {
    let mut builder = if threads {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    if threads {
        builder.worker_threads(workers());
    }
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::from_error(Kind::Environment, &error))
}

/// Half of the processors, since the functions need the rest. More workers would wake each other for every
/// request: with two of them on two processors, each hot invocation costs two futex calls more.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    (processors / 2).max(1)
}

/// The number of the first signal that comes.
async fn interrupted() -> u8 {
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
        _ = hangup.recv() => 1,
    }
}
