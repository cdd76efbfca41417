//! Who knows how a sandbox's program ended.
//!
//! The nursery, if the program is its child. A process that came from elsewhere, a clone of a seed, is watched by its
//! pidfd: then a task of the daemon also ends what the process has left in the sandbox, as the nursery does.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use offshoot_sys::pidfd::exit_status;
use offshoot_sys::polled::PolledFd;
use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::Interest;
use tokio::sync::{Mutex, watch};

use crate::control::PacketSocket;
use crate::sandbox::Exit;
use crate::wire::Report;

/// How long the parent of a process that has ended may take until it waits for it.
const REAPING: Duration = Duration::from_millis(500);

/// Whoever knows.
#[derive(Debug)]
pub(crate) enum Witness {
    /// The nursery, by this socket; and what it has said.
    Nursery(Mutex<PacketSocket>, OnceLock<Exit>),
    /// The task that watches.
    Watcher(watch::Receiver<Option<Exit>>),
}

impl Witness {
    /// The nursery; `exit` if it has said it already.
    pub(crate) fn nursery(control: PacketSocket, exit: Option<Exit>) -> Self {
        let exit = exit.map_or_else(OnceLock::new, OnceLock::from);
        Self::Nursery(Mutex::new(control), exit)
    }

    /// A task that watches `process` and ends `init`, both pidfds, after it.
    pub(crate) fn watcher(process: OwnedFd, init: Arc<OwnedFd>) -> io::Result<Self> {
        let process = PolledFd::new(process, Interest::READABLE)?;
        let (said, heard) = watch::channel(None);
        tokio::spawn(async move {
            let exit = end_of(&process).await;
            let _ = pidfd_send_signal(&init, Signal::KILL);
            let _ = said.send(Some(exit));
        });
        Ok(Self::Watcher(heard))
    }

    /// Waits until the program has ended. Cancel-safe.
    pub(crate) async fn exit(&self) -> Exit {
        match self {
            Self::Nursery(control, exit) => exit_by_nursery(control, exit).await,
            Self::Watcher(heard) => {
                let mut heard = heard.clone();
                let said = heard.wait_for(Option::is_some).await;
                said.ok().and_then(|exit| *exit).unwrap_or(Exit::Lost)
            }
        }
    }
}

async fn exit_by_nursery(control: &Mutex<PacketSocket>, known: &OnceLock<Exit>) -> Exit {
    loop {
        if let Some(exit) = known.get() {
            return *exit;
        }
        let control = control.lock().await;
        if known.get().is_some() {
            continue;
        }
        let exit = match control.receive_report().await {
            Ok(Some((Report::Exited { code }, _))) => Exit::Exited(code),
            Ok(Some((Report::Signaled { signal }, _))) => Exit::Signaled(signal),
            Ok(_) | Err(_) => Exit::Lost,
        };
        let _ = known.set(exit);
    }
}

/// How the process of a pidfd ends.
async fn end_of(process: &PolledFd) -> Exit {
    if process.readable().await.is_err() {
        return Exit::Lost;
    }
    // The kernel tells after its parent has waited for it, which is soon.
    let reaped = async {
        let mut pause = Duration::from_micros(100);
        loop {
            match exit_status(process.as_fd()) {
                Ok(Some(status)) => return exit_of(status),
                Ok(None) => tokio::time::sleep(pause).await,
                // Before Linux 6.15.
                Err(_) => return Exit::Lost,
            }
            pause *= 2;
        }
    };
    tokio::time::timeout(REAPING, reaped)
        .await
        .unwrap_or(Exit::Lost)
}

/// From a wait status (`wait(2)`).
fn exit_of(status: i32) -> Exit {
    match status & 0x7f {
        0 => Exit::Exited(status >> 8 & 0xff),
        signal => Exit::Signaled(signal),
    }
}
