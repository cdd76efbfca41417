//! Layers.

use std::sync::Arc;

use crate::catalog::{Catalog, now_ms};
use crate::error::CatalogError;
use crate::layer::LayerVersion;
use crate::rules::check_size;
use crate::settings::{Architecture, Runtime};
use crate::version::CodeRef;

/// A layer version to publish.
#[derive(Debug, Clone)]
pub struct NewLayerVersion {
    /// Text for people.
    pub description: String,
    /// Licence text or id.
    pub license: Option<String>,
    /// Runtimes that it says it works with.
    pub runtimes: Vec<Runtime>,
    /// Architectures that it says it works with.
    pub architectures: Vec<Architecture>,
    /// Unpacked content.
    pub code: CodeRef,
}

impl Catalog {
    /// Publishes the next version of the layer `name`, the first one if there is none.
    ///
    /// # Errors
    /// [`CatalogError::UnzippedTooLarge`].
    pub async fn publish_layer(
        &self,
        name: &str,
        new: NewLayerVersion,
    ) -> Result<Arc<LayerVersion>, CatalogError> {
        check_size(&new.code, &[])?;
        self.change_layer(name, |layer| {
            let version = Arc::new(LayerVersion {
                version: layer.next_version,
                description: new.description.clone(),
                license: new.license.clone(),
                runtimes: new.runtimes.clone(),
                architectures: new.architectures.clone(),
                code: new.code,
                created_ms: now_ms(),
            });
            layer
                .versions
                .insert(layer.next_version, Arc::clone(&version));
            layer.next_version += 1;
            Ok(version)
        })
        .await
    }

    /// Version `version` of the layer `name`.
    ///
    /// # Errors
    /// [`CatalogError::LayerVersionBelowOne`], [`CatalogError::LayerNotFound`].
    pub fn layer_version(
        &self,
        name: &str,
        version: i64,
    ) -> Result<Arc<LayerVersion>, CatalogError> {
        let number = at_least_one(version)?;
        let layer = self.layer(name).ok_or(CatalogError::LayerNotFound)?;
        layer
            .versions
            .get(&number)
            .cloned()
            .ok_or(CatalogError::LayerNotFound)
    }

    /// Deletes version `version` of the layer `name`; deleting what is not there is fine. Functions that
    /// use it keep it.
    ///
    /// # Errors
    /// [`CatalogError::LayerVersionBelowOne`].
    pub async fn delete_layer_version(&self, name: &str, version: i64) -> Result<(), CatalogError> {
        let number = at_least_one(version)?;
        if self.layer(name).is_none() {
            return Ok(());
        }
        self.change_layer(name, |layer| {
            layer.versions.remove(&number);
            Ok(())
        })
        .await
    }
}

fn at_least_one(version: i64) -> Result<u64, CatalogError> {
    match u64::try_from(version) {
        Ok(number @ 1..) => Ok(number),
        _ => Err(CatalogError::LayerVersionBelowOne),
    }
}
