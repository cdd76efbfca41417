//! Templates and clones: from an image to running processes.
//!
//! 1. [`Nursery::start`] starts a small single-threaded process, in which [`nursery::main`] runs. A [`Keeper`] starts
//!    another one if it ends.
//! 2. [`Nursery::template`], or [`Keeper::template`], hands it an image. A child without rights checks and compiles it ([`compile()`]) into a plan;
//!    a second child looks the plan over, opens the files that it names and executes the stub, which obeys it: a template.
//! 3. [`Template::fork`] asks the template for a clone: one packet there, one packet back. The clone enters its sandbox,
//!    makes its descriptors and threads and goes on where the seed was frozen. Its parent is the nursery, so it outlives
//!    its template, and the nursery too, as templates do.
//! 4. A parked clone has done all that, and waits for one write.
//!
//! What callers must still ensure: the image files do not change while templates map them (pools keep them read-only),
//! and the caller's process is the only one that holds the key.
//!
//! Cost: docs/benchmarks.md.

mod compile;
mod confine;
mod file_user;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod identity;
mod keeper;
mod machine;
mod maker;
mod making;
pub mod nursery;
mod observe;
mod reader;
mod recipe;
mod step;
mod template;
mod wire;

pub use compile::{Compilation, CompileError, Plan, PlanFile, Substituted, compile};
pub use confine::{Confinement, PathRules, setup_calls};
pub use keeper::Keeper;
pub use machine::{MachineError, this_machine};
pub use making::{Making, Progress};
pub use nursery::{Exit, Nursery, NurseryError};
pub use observe::{ObserveError, observe};
pub use offshoot_plan::Who;
pub use reader::{ReadError, Seed, read};
pub use recipe::Recipe;
pub use step::Failure;
pub use template::{
    Cloned, FileUser, Fork, ForkError, SandboxJoin, Template, TemplateError, TemplateSpec,
};

use serde::{Deserialize, Serialize};

/// Where the pages of a template live (CXLfork's tiers at template level).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Memory {
    /// Writable memory is copied once into the template; the rest is mapped from the pool.
    Local,
    /// Everything is mapped from the pool.
    Mapped,
}
