//! The node: runs instances of functions behind the Function Runtime Interface.
//!
//! [`Fri`] is the only door to a node (AFaaS §4.1): `create` makes an instance the ordinary, cold way, `activate`
//! hands it one event, `retire` ends it; `fork` makes an instance as a clone of a seed. It is a trait called in-process: no binary is executed, no file parsed per invocation.
//!
//! 1. [`Node::create`](Fri::create) has the sandbox made, waits until the runtime and the user's code are initialised.
//! 2. [`Node::activate`](Fri::activate) sends the event over the instance's transport (our channel, or the Runtime API for
//!    official runtime clients), collects log lines, watches time-out and exit, and gives the instance back.
//! 3. [`Node::retire`](Fri::retire) ends the sandbox.
//!
//! What callers must ensure: an instance gets one event at a time (the type enforces it: `activate` consumes it), or at most so many
//! [shares](Fri::share) of it are at work as its specification says, and every instance ends in `retire`. Cost of a hot activation: two system calls on the channel, one on the log
//! pipe, one on the memory counter, one write of the log.

mod activate;
mod alarm;
mod capture;
mod conversation;
mod create;
mod credentials;
mod crowd;
mod environment;
mod event;
mod failure;
mod fork;
mod fri;
mod instance;
mod level1;
mod logs;
mod memory;
mod message;
mod node;
mod rung;
mod runtime_api;
mod runtimes;
mod secrets;
mod seeds;
mod spec;
mod stages;
mod transport;
mod wakefulness;

pub use create::HOSTNAME;
pub use credentials::{RoleSource, Roles, StaticKeys};
pub use event::{Activated, Answer, Event, Outcome, Reply, StreamPart};
pub use failure::{CreateFailure, Failure, FailureKind, NodeError};
pub use fri::Fri;
pub use instance::{Instance, Share};
pub use logs::{LogBook, LogError, LogLimits, PendingLog};
pub use memory::MachineReading;
pub use node::{Node, NodeConfig, SeedConfig};
pub use rung::Rung;
pub use runtimes::{InstallError, install as install_runtimes};
pub use secrets::SecretRules;
pub use seeds::make::Seeding;
pub use seeds::{CloneInfo, MemoryUse, RuntimeSeed, SeedInfo, TemplateInfo};
pub use spec::{InstanceSpec, LogFormat, Runtime};
pub use stages::Stages;

pub use offshoot_sandbox::NetworkPolicy;
pub use offshoot_seed::{Forge, ForgeConfig, Memory, Policy as SecretPolicy};
