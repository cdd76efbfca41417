//! Seeds: initialised processes as images, and the templates that their clones come from.
//!
//! 1. [`Forge::start`] opens the pool of images and starts the nursery of templates, both owned by one thread: making
//!    seeds is background work, and takes turns. Templates are made by processes of their own, one for each processor.
//! 2. [`Forge::freeze`] makes an image of a process and ends the process.
//! 3. [`Forge::template`] makes a resident [`Seed`] of an image: a template that waits.
//! 4. [`Forge::learn`] notes which pages a clone has needed, so that the next template has them ready.
//! 5. [`Seed::fork`] makes a clone, in a fraction of a millisecond, on the calling thread.
//!
//! What callers must ensure: a name stands for all that decides what the process is ([`ImageName`]); the process is at
//! rest when it is frozen. Dropping a seed ends its template; clones live on.
//!
//! Cost: one thread, one process; each resident seed is a process with four descriptors here.

mod births;
mod checked;
mod error;
mod forge;
mod recipes;
mod secrets;
mod seed;
mod work;

pub use error::SeedError;
pub use forge::{Forge, ForgeConfig, Freeze, Frozen, Learn, Warm};
pub use offshoot_checkpoint::Report;
pub use offshoot_clone::{Cloned, FileUser, ForkError, Memory, SandboxJoin, Substituted, Who};
pub use offshoot_pool::{BadName, ImageName};
pub use secrets::{Finding, Found, Policy, Secrets, Shape, What, Withheld, listed};
pub use seed::{Given, Seed};
