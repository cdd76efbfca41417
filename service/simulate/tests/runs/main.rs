//! Load and the simulator.

#![allow(clippy::unwrap_used, missing_docs)]

mod formats;
mod simulator;
