//! The operator's page: what a daemon tells of itself ([`view`]) becomes HTML, and the files that the page needs.
//!
//! 1. [`page()`] renders the whole page; which function and which start are open stands in its address ([`Chosen`]), so that it
//!    works without a script, and an address can be passed on.
//! 2. [`live`] and [`seeds`] render the parts that htmx fetches again while the page is open. Nothing happens in between: who
//!    looks, asks.
//! 3. [`asset`] gives scripts and styles. Their address has a digest of their bytes, so they may be cached for ever.
//!
//! Pure: no clock, no I/O, and nothing known of the daemon's parts. All text passes the templates' escaping, and the answers
//! carry [`CONTENT_SECURITY_POLICY`], under which no inline script would run. What callers must ensure: lists are as long as
//! they want the page to be.

mod assets;
mod bins;
mod figures;
mod links;
mod page;
mod rows;
pub mod view;

pub use assets::{Asset, asset};
pub use links::Chosen;
pub use page::{RenderError, live, page, seeds};

/// What the page may load and do: scripts and styles of its own origin, nothing inline, and nobody may frame it.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
