//! The porter against a simulated node.
#![allow(clippy::unwrap_used)]

mod crowd;
mod drive;
mod ladder;
mod node;
mod runtimes;
