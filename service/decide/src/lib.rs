//! What the porter decides: observations in, actions out.
//!
//! No clock, no randomness, no input or output: the same calls give the same actions, in production and in a
//! simulator. One [`Core`] decides for one node:
//!
//! 1. [`Core::admit`] lets an event in, or refuses it (429, fair between accounts), and names the rung of the
//!    ladder that it starts from: hot, parked, clone, restore, level 1, cold ([`Rung`]). If memory is short for
//!    it, it says what to end before. [`Core::started`] and [`Core::ended`] tell how it went. [`Core::join`] lets it into an
//!    instance that has other events.
//! 2. [`Core::observe`], [`Core::read`] and [`Core::seed_ready`] tell what else has happened.
//! 3. [`Core::decide`] gives [`Action`]s, each with the figures that it was decided by ([`Reason`]);
//!    [`Core::next_due`] tells when to call it next, so that nothing polls.
//! 4. [`Core::explain`] gives the state of a function's ladder with its inputs, to be printed.
//!
//! **What callers must ensure.** Times do not go back. Each ticket is ended once. Actions are carried out in their
//! order; they count as done, so what fails is told ([`Event`], [`Core::seed_failed`]).
//!
//! **Cost.** Telling something is O(1): counters, and a mark that the function has changed. `decide` looks at
//! marked functions and at those of which something is due, O(log n) each, and never at all functions.
//!
//! The policy and where it comes from: `docs/design/porter.md`.

mod action;
mod admission;
mod core;
mod course;
mod decide;
mod describe;
mod event;
mod explain;
mod function;
mod ghosts;
mod histogram;
mod policy;
mod pressure;
mod rate;
mod reclaim;
mod review;
mod rung;
mod runtime;
mod seed;
mod sizes;
mod time;

pub use action::{Action, Deed, Reason};
pub use admission::Refusal;
pub use core::Core;
pub use course::{End, Hold, Started, Ticket};
pub use event::{Event, FunctionId, FunctionSpec, NodeReading, SeedOf};
pub use explain::{Decision, Gaps, RungFigures, TemplateState};
pub use policy::{Policy, Slo};
pub use pressure::Pressure;
pub use rung::{Backing, PerRung, Rung};
pub use seed::SeedState;
pub use time::{HOUR_US, MINUTE_US, SECOND_US, Time};
