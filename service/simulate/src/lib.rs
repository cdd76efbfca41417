//! The porter's decisions on load, in virtual time.
//!
//! 1. A [`Load`] is calls in the order of their arrival: read from a file of calls by the minute ([`Minutes`]) or
//!    one by one ([`parse_recorded`]), or made up from a [`Shape`].
//! 2. [`simulate`] runs it on a machine with so much memory, on which a start from each rung takes what its
//!    [`Profile`] says, and somebody decides: [`System`].
//! 3. The [`Report`] has latencies, rungs and memory over time.
//!
//! Deterministic: the same load and system give the same report. What is not modelled: processors, the network,
//! failures, and noise of latencies. So compare systems with each other, and nothing with a real machine.

mod load;
mod machine;
mod porter;
mod profile;
mod run;

pub use load::{
    Call, Load, LoadError, LoadFunction, Minutes, MinutesRow, Shape, ShapeError, parse_recorded,
};
pub use profile::Profile;
pub use run::{Percentiles, Report, System, milliseconds, simulate};
