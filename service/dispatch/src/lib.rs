//! From a function's name to its answer: what the gateway and the asynchronous events both need.
//!
//! 1. [`Dispatch::find`] asks the catalog for the version that name and qualifier mean, and makes the porter's
//!    target of it; targets are cached by revision, so that a hot call builds nothing.
//! 2. [`Dispatch::invoke`] has the porter handle the event.
//! 3. [`Dispatch::prepare`] has the seed of a published version made, as SnapStart does.
//! 4. [`Dispatch::changed`] and [`Dispatch::deleted`] end what is left of an older revision.

mod dispatch;
mod network;
mod runner;
mod snapshots;
mod target;

pub use dispatch::{Dispatch, DispatchParts, Found};
pub use network::NetworkPolicies;
pub use runner::AsyncRunner;
pub use snapshots::Snapshot;
