//! A plain HTTP client of the Lambda API and of the operator's pages.
//!
//! The client knows nothing of the daemon's insides: what it can do, an AWS SDK or curl can do.
//! Requests are signed when there are credentials in the environment.

mod client;
mod decisions;
mod error;
mod events;
mod functions;
mod invoke;
mod lines;
mod sandboxes;
mod seeds;
mod sign;
mod stream;

pub use client::{Client, Target};
pub use decisions::{Decided, Explained};
pub use error::ApiError;
pub use events::DeadLetter;
pub use invoke::{Invocation, Invoked, Mode};
pub use sandboxes::Sandbox;
pub use seeds::Seed;
pub use sign::Credentials;
pub use stream::StreamEvent;
