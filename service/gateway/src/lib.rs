//! The gateway: what clients of offshoot talk to, over HTTP.
//!
//! A request passes, in this order:
//! 1. `server`: connection limits, header limits, graceful end.
//! 2. `front`: a request id; then the host and path decide: function URL, operator page (`operator`, `ui`), Lambda API.
//! 3. `auth`: SigV4, when access keys are configured; else `guard`: nothing for web pages of others.
//! 4. `invoke`, `streaming` for the two invocations; `control` for all other operations.
//! 5. `rescue`: the one place where errors become Lambda's errors.
//!
//! The gateway never sees a process id, a sandbox or a file of a package: it knows the catalog, and the dispatch.

mod auth;
mod body;
mod control;
mod front;
mod function_url;
mod guard;
mod identify;
mod intake;
mod invoke;
mod operator;
mod rescue;
mod server;
mod streaming;
mod ui;

pub use auth::{AccessKey, KeyError, Keys};
pub use front::{Gateway, GatewayParts};
pub use offshoot_ui::view;
pub use operator::NodePages;
pub use server::{ServeError, serve};
