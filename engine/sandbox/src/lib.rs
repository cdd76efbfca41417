//! Sandboxes: make, observe and destroy one with a process in it, fast and leaving nothing behind.
//!
//! How one comes to be (`docs/design/sandbox.md` has the reasons and the figures):
//!
//! 1. A [`Launcher`] starts the **nursery**, a small single-threaded copy of the program that has
//!    built the read-only root file system once and holds no secret ([`nursery_main`]).
//! 2. A **ghost sandbox** is made ahead: the launcher makes control groups; the nursery clones an
//!    init, which enters them and new namespaces, mounts what is the sandbox's own, gives up its rights
//!    and becomes a program that only waits ([`Ghost`]).
//! 3. A ghost is **taken** for a function: limits are set and the code is mounted ([`Taken`]).
//! 4. A process **joins** it: for [`Launcher::create`] another clone of the nursery, which takes the sandbox's
//!    uid, loads the system call filter and executes the program; or a clone of a seed ([`Join`]).
//! 5. After use it is **repurposed**: what a tenant could write to is made anew, what is proven clean is kept
//!    ([`Sandbox::recycle`]); or destroyed: init's end takes its PID namespace along, the other namespaces
//!    end with their last process, and the control groups are removed ([`Sandbox::destroy`]).
//!
//! What callers must still ensure: one live launcher per owner; [`sweep`] at start, for what a
//! killed daemon left; directories in a spec are not writable for tenants.
//!
//! Cost: no periodic timer and no task per sandbox; nine descriptors per sandbox in the daemon on cgroup v1.

mod adopt;
mod build;
mod cgroup;
mod code;
mod control;
mod error;
mod features;
mod holder;
mod launcher;
mod net;
mod nursery;
mod nursery_process;
mod owner;
mod paths;
mod pool;
mod program;
mod reaper;
mod root;
mod rules;
mod runtime_api;
mod sandbox;
pub mod seccomp;
mod slots;
mod spec;
mod stage;
mod start;
mod sweep;
mod wire;
mod witness;

pub use adopt::Adopted;
pub use cgroup::MemoryUse;
pub use code::CodeDirs;
pub use error::{CgroupError, CreateError, DestroyError, NetworkError, SpecError, StartError};
pub use features::{Feature, features};
pub use launcher::{Launcher, LauncherConfig};
pub use net::{
    Destination, DestinationError, EgressPolicy, MAX_DESTINATIONS, NetworkConfig, NetworkPolicy,
    PolicyError, RateLimit,
};
pub use nursery::nursery_main;
pub use paths::PathRules;
pub use pool::{
    Dirty, Ghost, Hand, Join, Occupied, PeakMemory, PoolStats, Reason, SandboxInfo, State, Taken,
};
pub use root::RootFs;
pub use rules::ProgramRules;
pub use runtime_api::ApiSockets;
pub use sandbox::{Exit, Sandbox};
pub use spec::{
    Account, MAX_ARGUMENT_BYTES, MIN_MEMORY_BYTES, MIN_TMP_BYTES, SandboxFds, SandboxSpec,
};
pub use stage::Stage;
pub use sweep::{SweepReport, owners, sweep};
