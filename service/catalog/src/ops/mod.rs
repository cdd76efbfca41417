//! The operations, one file for each kind of thing.

mod aliases;
mod functions;
mod invoke_configs;
mod layers;
mod lists;
mod permissions;
mod shared_settings;
mod urls;
mod versions;

pub use aliases::{AliasPatch, NewAlias};
pub use functions::{FunctionInfo, NewFunction, UpdateCode};
pub use invoke_configs::InvokeConfigChange;
pub use layers::NewLayerVersion;
pub use lists::LatestOfLayer;
pub use urls::{NewUrl, UrlPatch};
pub use versions::Publish;

use uuid::Uuid;

use crate::error::CatalogError;

/// Checks the `RevisionId` of a request, if it gave one.
fn check_revision(given: Option<&str>, current: Uuid) -> Result<(), CatalogError> {
    match given {
        Some(given) if given != current.to_string() => Err(CatalogError::StaleRevision),
        _ => Ok(()),
    }
}
