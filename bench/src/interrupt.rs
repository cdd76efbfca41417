//! A run that is interrupted ends as one that fails: its daemon in order, and with its folders.
//!
//! Every scenario asks with each figure that it records and each function that it deploys, and what takes longer asks in between.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

static INSTALLED: Once = Once::new();
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on, the first `SIGINT` or `SIGTERM` is only noted. The second ends the process as if nobody asked.
pub(crate) fn note() {
    INSTALLED.call_once(|| {
        thread::spawn(|| {
            // Without it, signals end the process, as before.
            if let Err(error) = wait() {
                eprintln!("bench: signals are not noted: {error}");
            }
        });
    });
}

fn wait() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        for is_first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if is_first {
                eprintln!("bench: interrupted; ending what runs (again: at once)");
                INTERRUPTED.store(true, Ordering::Relaxed);
            }
        }
        std::process::exit(130);
    })
}

/// Whether a signal was noted.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Fails if a signal was noted.
pub(crate) fn check() -> anyhow::Result<()> {
    if is_interrupted() {
        bail!("interrupted");
    }
    Ok(())
}
