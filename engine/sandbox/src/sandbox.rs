//! A sandbox in which a program runs.

use std::net::TcpListener;
use std::sync::Arc;

use crate::error::DestroyError;
use crate::launcher::Shared;
use crate::pool::{Dirty, Occupied, PeakMemory};
use crate::stage::Stage;
use crate::witness::Witness;

/// How a sandbox's program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Signaled(i32),
    /// Nobody could tell: the nursery was killed, or the kernel does not tell how a clone ended (before Linux 6.15).
    Lost,
}

/// A sandbox and the program that was started in it.
///
/// When the program ends, so does everything that it has left in the sandbox. Dropping this kills it and leaves the
/// removal to the launcher; [`Sandbox::destroy`] also waits, and [`Sandbox::recycle`] makes a ghost of it.
#[derive(Debug)]
pub struct Sandbox {
    launcher: Arc<Shared>,
    id: String,
    occupied: Occupied,
    witness: Witness,
    /// The program's id, as the host sees it.
    program: i32,
    runtime_api: Option<TcpListener>,
    facts: Facts,
}

/// What was found out while it was made.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) stages_us: Vec<(Stage, u32)>,
    pub(crate) total_us: u32,
}

impl Sandbox {
    pub(crate) fn new(
        launcher: &Arc<Shared>,
        id: String,
        occupied: Occupied,
        program: (i32, Witness),
        runtime_api: Option<TcpListener>,
        facts: Facts,
    ) -> Self {
        Self {
            launcher: Arc::clone(launcher),
            id,
            occupied,
            program: program.0,
            witness: program.1,
            runtime_api,
            facts,
        }
    }

    /// The identifier from the spec.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The PID of the sandbox's init, as the host sees it.
    pub fn pid(&self) -> i32 {
        self.occupied.shell.pid
    }

    /// The PID of its program, as the host sees it.
    pub fn program_pid(&self) -> i32 {
        self.program
    }

    /// The uid and gid of the sandbox's program.
    pub fn uid(&self) -> u32 {
        self.occupied.shell.uid
    }

    /// How many programs have run in it, this one included.
    pub fn uses(&self) -> u32 {
        self.occupied.shell.uses
    }

    /// How long the stages of starting the program took, in microseconds, from [`Stage::Take`], which is all that it took
    /// to have a sandbox.
    pub fn stages_us(&self) -> &[(Stage, u32)] {
        &self.facts.stages_us
    }

    /// How long the stages of making the sandbox took, in microseconds, whenever that was.
    pub fn build_stages_us(&self) -> &[(Stage, u32)] {
        &self.occupied.shell.stages_us
    }

    /// How long taking the sandbox and starting the program took in all, in microseconds.
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
        self.witness.exit().await
    }

    /// The most memory that the sandbox used at once, in bytes, if the kernel counts it. Cheap:
    /// one system call.
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        self.peak_memory().bytes()
    }

    /// The same, for whoever wants to read it later.
    pub fn peak_memory(&self) -> PeakMemory {
        self.occupied.peak_memory()
    }

    /// How many of its processes the kernel killed for lack of memory.
    pub fn oom_kills(&self) -> u64 {
        self.occupied.oom_kills()
    }

    /// Kills everything in it; does not wait.
    pub fn kill(&self) {
        self.occupied.kill();
    }

    /// Kills it and waits until nothing of it is left on the host.
    ///
    /// If the future is dropped, the removal goes on in the background.
    ///
    /// # Errors
    /// See [`DestroyError`]; what remains is logged and left to the next start's sweep.
    pub async fn destroy(self) -> Result<(), DestroyError> {
        let Dirty(shell) = self.occupied.end();
        shell.remains.destroy().await
    }

    /// Kills it and makes a ghost of it for the same account, or destroys it if it cannot be made like new. Takes
    /// milliseconds, of which nobody should wait; if the future is dropped, it is destroyed.
    pub async fn recycle(self) {
        let (launcher, dirty) = (self.launcher, self.occupied.end());
        crate::launcher::recycle(&launcher, dirty).await;
    }
}
