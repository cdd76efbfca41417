//! Ghost sandboxes for clones: `offshoot clone --sandbox`.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use offshoot_clone::{SandboxJoin, Who};
use offshoot_sandbox::{
    Account, CodeDirs, Launcher, LauncherConfig, NetworkPolicy, Occupied, SandboxSpec, Taken,
    owners, sweep,
};
use tokio::runtime::Runtime;

use crate::cli::runtime;
use crate::hidden::NURSERY;
use crate::report::{Failure, Kind};

/// What a clone may use, in bytes: as the largest functions of AWS Lambda.
const MEMORY_BYTES: u64 = 10_240 << 20;

/// The owner of a command's sandboxes: this, and its process id.
const OWNER: &str = "clone-";

/// A launcher of this command's own, and the sandboxes that its clones are in.
pub struct Ghosts {
    runtime: Runtime,
    launcher: Launcher,
    occupied: Vec<Occupied>,
}

/// A sandbox for the next clone.
pub struct Room(Taken);

impl Ghosts {
    /// Starts the nursery of sandboxes.
    pub fn start() -> Result<Self, Failure> {
        let runtime = runtime(true)?;
        clear_abandoned();
        let owner = format!("{OWNER}{}", std::process::id());
        let config = LauncherConfig {
            nursery_arg: NURSERY.to_owned(),
            ..LauncherConfig::new(owner)
        };
        let launcher = runtime.block_on(Launcher::start(config));
        Ok(Self {
            runtime,
            launcher: launcher.map_err(|error| unready(&error))?,
            occupied: Vec::new(),
        })
    }

    /// Makes a sandbox, empty but for what all have.
    pub fn room(&self) -> Result<Room, Failure> {
        let spec = SandboxSpec {
            id: "clone".into(),
            account: Account::from("clone"),
            argv: vec!["clone".into()],
            env: Vec::new(),
            cwd: "/".into(),
            hostname: "sandbox".into(),
            memory_bytes: MEMORY_BYTES,
            tmp_bytes: 512 << 20,
            code: CodeDirs::default(),
            network: NetworkPolicy::None,
            runtime_api: false,
        };
        let taken = self.runtime.block_on(self.launcher.taken(&spec));
        taken.map(Room).map_err(|error| unready(&error))
    }

    /// A clone is in it now.
    pub fn occupy(&mut self, room: Room) {
        self.occupied.push(room.0.occupied());
    }

    /// Ends all sandboxes, and waits until nothing is left of them.
    pub fn end(self) {
        let Self {
            runtime,
            launcher,
            occupied,
        } = self;
        drop(occupied);
        runtime.block_on(launcher.shutdown());
    }
}

impl Room {
    /// The `tasks` files that [`Self::join`] wants.
    pub fn tasks(&self) -> Vec<BorrowedFd<'_>> {
        let join = self.0.join();
        join.map_or_else(Vec::new, |join| {
            join.tasks.iter().map(AsFd::as_fd).collect()
        })
    }

    /// What the clone is told, and who it becomes; `tasks` are those of [`Self::tasks`].
    pub fn join<'a>(&'a self, tasks: &'a [BorrowedFd<'a>]) -> Option<(SandboxJoin<'a>, Who)> {
        let join = self.0.join()?;
        let who = Who {
            user: join.uid,
            group: join.uid,
            capabilities: 0,
        };
        let join = SandboxJoin {
            pidfd: join.pidfd,
            namespaces: join.namespaces,
            cgroup: Some(join.cgroup),
            tasks,
        };
        Some((join, who))
    }
}

/// Removes what commands left that were killed: their sandboxes ended with them, their control groups stay.
fn clear_abandoned() {
    for owner in owners() {
        let pid = owner
            .strip_prefix(OWNER)
            .and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // What cannot be removed now, the next command tries again.
            let _ = sweep(&owner);
        }
    }
}

fn unready(error: &dyn std::error::Error) -> Failure {
    Failure::from_error(Kind::Environment, error).hint("`offshoot doctor` tells what is missing")
}
