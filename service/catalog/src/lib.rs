//! The catalog: functions with their versions, aliases and settings, and layers. Rules and persistence;
//! no HTTP, no processes.
//!
//! 1. Each function is one document (`function/NAME`) and each layer is one (`layer/NAME`) in the
//!    [`Registry`](offshoot_state::Registry).
//! 2. [`Catalog::open`] loads all of them into memory; reads come from there, without await.
//! 3. A write checks Lambda's rules on a copy, writes the document by compare-and-swap, and puts the copy
//!    into memory when it is durable. It finishes even when the caller's future is dropped.
//! 4. [`Catalog::resolve`] turns name and qualifier into the version to run, on the path of every
//!    invocation: one read lock, one hash lookup, a few reference counts.
//!
//! Messages of [`CatalogError`] are Lambda's own, and [`CatalogError::kind`] is the exception to answer.
//! Patterns and lengths that the API's model states are checked before (by `offshoot-lambda`); what AWS
//! checks beyond the model is checked here.
//!
//! Callers must still: unpack code before naming it here, remove packages that are not in
//! [`Catalog::live_digests`], and drop queued events of deleted functions.

mod catalog;
mod error;
mod function;
mod layer;
mod ops;
mod page;
mod resolve;
mod rules;
mod saved;
mod settings;
mod store;
mod version;

pub use catalog::{Catalog, CatalogConfig};
pub use error::CatalogError;
pub use function::{
    Alias, Function, InvokeConfig, LATEST, Policy, Statement, UrlAuth, UrlConfig, UrlInvokeMode,
};
pub use layer::{Layer, LayerVersion};
pub use ops::{
    AliasPatch, FunctionInfo, InvokeConfigChange, LatestOfLayer, NewAlias, NewFunction,
    NewLayerVersion, NewUrl, Publish, UpdateCode, UrlPatch,
};
pub use page::{Page, PageRequest};
pub use resolve::Resolved;
pub use settings::{
    Architecture, Capacity, LogFormat, LoggingConfig, LoggingPatch, Runtime, Settings,
    SettingsPatch, SnapStart, TracingMode,
};
pub use version::{CodeRef, LayerRef, VersionConfig, VersionKey, VersionLabel};
