//! Hostile zips, in tables: each is refused for the stated reason, and leaves nothing anywhere.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod bombs;
mod cases;
mod headers;
mod layouts;
mod names;
mod types;
