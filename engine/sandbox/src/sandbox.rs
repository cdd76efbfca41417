//! A sandbox that runs.

use std::net::TcpListener;
use std::sync::{Arc, OnceLock};

use tokio::sync::Mutex;

use crate::cgroup::Readings;
use crate::control::PacketSocket;
use crate::error::DestroyError;
use crate::reaper::Remains;
use crate::stage::Stage;
use crate::wire::Report;

/// How a sandbox's program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Signaled(i32),
    /// Its init ended without a word: the nursery or the sandbox as a whole was killed.
    Lost,
}

/// A running sandbox.
///
/// Dropping it kills it and leaves the removal to the launcher; [`Sandbox::destroy`] also waits.
#[derive(Debug)]
pub struct Sandbox {
    remains: Remains,
    control: Mutex<PacketSocket>,
    exit: OnceLock<Exit>,
    readings: Arc<Readings>,
    runtime_api: Option<TcpListener>,
    facts: Facts,
}

/// What was found out while it was made.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    pub(crate) stages_us: Vec<(Stage, u32)>,
    pub(crate) total_us: u32,
    pub(crate) early_exit: Option<Exit>,
}

/// The counter of a sandbox's highest use of memory.
#[derive(Debug, Clone)]
pub struct PeakMemory(Arc<Readings>);

impl PeakMemory {
    /// As [`Sandbox::peak_memory_bytes`]; `None` also once the sandbox is gone.
    pub fn bytes(&self) -> Option<u64> {
        self.0.peak_bytes()
    }
}

impl Sandbox {
    pub(crate) fn new(
        remains: Remains,
        control: PacketSocket,
        readings: Readings,
        runtime_api: Option<TcpListener>,
        facts: Facts,
    ) -> Self {
        let control = Mutex::new(control);
        Self {
            remains,
            control,
            exit: facts.early_exit.map_or_else(OnceLock::new, OnceLock::from),
            readings: Arc::new(readings),
            runtime_api,
            facts,
        }
    }

    /// The identifier from the spec.
    pub fn id(&self) -> &str {
        self.remains.id()
    }

    /// The PID of the sandbox's init, as the host sees it.
    pub fn pid(&self) -> i32 {
        self.facts.pid
    }

    /// The uid and gid of the sandbox's program.
    pub fn uid(&self) -> u32 {
        self.facts.uid
    }

    /// How long the stages of making it took, in microseconds. [`Stage::Cgroup`] stands for all
    /// that the daemon prepares.
    pub fn stages_us(&self) -> &[(Stage, u32)] {
        &self.facts.stages_us
    }

    /// How long making it took in all, in microseconds.
    pub fn total_us(&self) -> u32 {
        self.facts.total_us
    }

    /// The listener bound to 127.0.0.1:9001 inside the sandbox, once, if the spec wanted one. It
    /// does not block, as tokio wants it.
    pub fn take_runtime_api(&mut self) -> Option<TcpListener> {
        self.runtime_api.take()
    }

    /// Waits until the program has ended. May be awaited often and by several tasks, and dropped.
    pub async fn exited(&self) -> Exit {
        loop {
            if let Some(exit) = self.exit.get() {
                return *exit;
            }
            let control = self.control.lock().await;
            if self.exit.get().is_some() {
                continue;
            }
            let exit = match control.receive_report().await {
                Ok(Some((Report::Exited { code }, _))) => Exit::Exited(code),
                Ok(Some((Report::Signaled { signal }, _))) => Exit::Signaled(signal),
                // Init itself ran out of memory: to the outside, the program was killed.
                Ok(None) if self.oom_kills() > 0 => Exit::Signaled(libc::SIGKILL),
                Ok(_) | Err(_) => Exit::Lost,
            };
            let _ = self.exit.set(exit);
        }
    }

    /// The most memory that the sandbox used at once, in bytes, if the kernel counts it. Cheap:
    /// one system call.
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        self.readings.peak_bytes()
    }

    /// The same, for whoever wants to read it later.
    pub fn peak_memory(&self) -> PeakMemory {
        PeakMemory(Arc::clone(&self.readings))
    }

    /// How many of its processes the kernel killed for lack of memory.
    pub fn oom_kills(&self) -> u64 {
        self.readings.oom_kills()
    }

    /// Kills everything in it; does not wait.
    pub fn kill(&self) {
        self.remains.kill();
    }

    /// Kills it and waits until nothing of it is left on the host.
    ///
    /// If the future is dropped, the removal goes on in the background.
    ///
    /// # Errors
    /// See [`DestroyError`]; what remains is logged and left to the next start's sweep.
    pub async fn destroy(self) -> Result<(), DestroyError> {
        let Self { remains, .. } = self;
        remains.destroy().await
    }
}
