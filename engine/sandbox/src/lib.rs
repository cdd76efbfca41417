//! Sandboxes: make, observe and destroy one with a process in it, fast and leaving nothing behind.
//!
//! How one comes to be (`docs/design/sandbox.md` has the reasons and the figures):
//!
//! 1. A [`Launcher`] starts the **nursery**, a small single-threaded copy of the program that has
//!    built the read-only root file system once and holds no secret ([`nursery_main`]).
//! 2. For each sandbox the launcher makes control groups, opens code and layers as detached mounts,
//!    and sends a plan with those descriptors to the nursery, which only clones.
//! 3. The clone is the sandbox's **init**: it enters the groups and new namespaces, mounts what is
//!    its own, forks the process that becomes the program, and gives up its rights.
//! 4. That process takes its uid, loads the system call filter and executes the program; only then
//!    is the [`Sandbox`] ready.
//! 5. [`Sandbox::destroy`] kills init, by which the kernel ends the PID namespace; the mount and
//!    network namespaces end with their last process, and the control groups are removed.
//!
//! What callers must still ensure: one live launcher per owner; [`sweep`] at start, for what a
//! killed daemon left; directories in a spec are not writable for tenants.
//!
//! Cost: no periodic timer and no task per sandbox; five descriptors per sandbox in the daemon.

mod cgroup;
mod code;
mod control;
mod create;
mod error;
mod features;
mod init;
mod launcher;
mod net;
mod nursery;
mod nursery_process;
mod owner;
mod reaper;
mod root;
mod sandbox;
pub mod seccomp;
mod slots;
mod spec;
mod stage;
mod sweep;
mod wire;

pub use error::{CgroupError, CreateError, DestroyError, NetworkError, SpecError, StartError};
pub use features::{Feature, features};
pub use launcher::{Launcher, LauncherConfig};
pub use net::{
    Destination, DestinationError, EgressPolicy, MAX_DESTINATIONS, NetworkConfig, NetworkPolicy,
    PolicyError, RateLimit,
};
pub use nursery::nursery_main;
pub use root::RootFs;
pub use sandbox::{Exit, PeakMemory, Sandbox};
pub use spec::{MAX_ARGUMENT_BYTES, MIN_MEMORY_BYTES, MIN_TMP_BYTES, SandboxFds, SandboxSpec};
pub use stage::Stage;
pub use sweep::{SweepReport, sweep};
