//! The nursery as the daemon sees it: a child process, and the thread that waits for it.
//!
//! The thread exists for two reasons: the nursery's parent-death signal is tied to the *thread*
//! that started it (`prctl(2)`), so that must live as long; and it turns the process's end into a
//! message without a timer or a signal handler.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use tokio::sync::{oneshot, watch};

use crate::control::{PacketSocket, packet_pair};
use crate::error::StartError;
use crate::launcher::LauncherConfig;
use crate::nursery::Settings;
use crate::wire::{self, Greeting};

/// A running nursery.
#[derive(Debug)]
pub(crate) struct NurseryProcess {
    pid: u32,
    ended: watch::Receiver<bool>,
}

impl NurseryProcess {
    /// Starts it and waits until it takes plans.
    pub(crate) async fn start(config: &LauncherConfig) -> Result<(Self, PacketSocket), StartError> {
        let cannot_start = |source| StartError::Nursery {
            exe: config.nursery_exe.clone(),
            source,
        };
        let (socket, theirs) = packet_pair().map_err(cannot_start)?;
        let command = command(config, theirs).map_err(cannot_start)?;
        let (pid_sender, pid) = oneshot::channel();
        let (ended_sender, ended) = watch::channel(false);
        std::thread::Builder::new()
            .name("nursery".into())
            .spawn(move || run(command, pid_sender, &ended_sender))
            .map_err(cannot_start)?;
        let pid = pid
            .await
            .map_err(|_| StartError::NurseryGone)?
            .map_err(cannot_start)?;
        let greeting = socket.receive().await.map_err(cannot_start)?;
        let Some((bytes, _)) = greeting else {
            return Err(StartError::NurseryGone);
        };
        match wire::decode(&bytes).map_err(cannot_start)? {
            Greeting::Ready => Ok((Self { pid, ended }, socket)),
            Greeting::Failed { what, errno } => Err(StartError::Prepare {
                what,
                source: io::Error::from_raw_os_error(errno),
            }),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Becomes true when it has ended.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// Ends it by ending the conversation, and waits.
    pub(crate) async fn end(mut self, socket: &PacketSocket) {
        socket.hang_up();
        // An error means that the thread is gone, which it is only after the process.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}

fn command(config: &LauncherConfig, socket: OwnedFd) -> io::Result<Command> {
    let daemon_pid = rustix::process::getpid().as_raw_nonzero().get();
    let settings = wire::encode(&Settings {
        daemon_pid,
        root: config.root.clone(),
        landlock: config.landlock,
    })?;
    let settings = String::from_utf8(settings).map_err(io::Error::other)?;
    let mut command = Command::new(&config.nursery_exe);
    command
        .arg(&config.nursery_arg)
        .arg(settings)
        .env_clear()
        .current_dir("/");
    command.stdin(Stdio::from(socket)).stdout(Stdio::null());
    Ok(command)
}

/// The thread's body.
fn run(mut command: Command, pid: oneshot::Sender<io::Result<u32>>, ended: &watch::Sender<bool>) {
    let spawned = command.spawn();
    // The command holds the nursery's end of the socket; a copy here would hide its end.
    drop(command);
    match spawned {
        Err(error) => {
            let _ = pid.send(Err(error));
        }
        Ok(child) => {
            let _ = pid.send(Ok(child.id()));
            wait(child);
        }
    }
    ended.send_replace(true);
}

fn wait(mut child: Child) {
    match child.wait() {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::error!(%status, "the nursery ended, and all sandboxes with it"),
        Err(error) => tracing::error!(%error, "cannot wait for the nursery"),
    }
}
