//! `offshoot serve`: the daemon, put together.
//!
//! Start: state directory (whose lock keeps a second daemon out), sweep of what a dead daemon left, catalog,
//! packages, nursery, node, porter, events, gateway, listener. End, in the opposite order: the listener stops, what
//! is in flight finishes, idle instances end, the nursery goes, the state is closed.

mod assembly;
mod limits;
mod logging;
mod looks;
mod metering;
mod pages;
mod priority;
mod recall;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use assembly::Daemon;
pub use logging::log;

/// Why the daemon ends by itself.
const NODE_ENDED: &str = "the nursery has ended, without which no function can run";

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, cannot serve, or its nursery ends.
pub async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    limits::raise_descriptor_limit(config.limits.max_instances);
    priority::raise();
    let daemon = Daemon::start(&config).await?;
    // The last line of the start, on standard output: programs wait for it.
    // Nobody may be reading it.
    let _ = writeln!(
        std::io::stdout(),
        "offshoot is listening on {}",
        daemon.base_url()
    );
    tracing::info!(
        ready_ms = begun.elapsed().as_millis() as u64,
        url = daemon.base_url(),
        "ready"
    );
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let node_ended = daemon.node_ended();
    let signalled = async move {
        let why = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = node_ended => NODE_ENDED,
        };
        tracing::info!("{why}: draining");
        stopping.cancel();
        why
    };
    let watcher = tokio::spawn(signalled);
    let served = daemon.run(&config, stop).await;
    watcher.abort();
    let why = watcher.await.unwrap_or_default();
    served?;
    // Whoever supervises the daemon starts a whole one.
    anyhow::ensure!(why != NODE_ENDED, "{NODE_ENDED}; start the daemon again");
    Ok(ExitCode::SUCCESS)
}
