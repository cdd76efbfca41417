//! The rules that the core keeps, each beside a control that shows that the test would see it broken.

#![allow(clippy::unwrap_used, missing_docs)]

mod fair;
mod keep;
mod order;
mod random;
mod runtimes;
mod seeds;
mod shares;
mod world;
