//! Lists, page by page.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::function::{Alias, Function, InvokeConfig, UrlConfig};
use crate::layer::{Layer, LayerVersion};
use crate::page::{Page, PageRequest};
use crate::version::{VersionConfig, VersionLabel};

/// A layer and the latest of its versions that was asked for.
pub type LatestOfLayer = (Arc<Layer>, Arc<LayerVersion>);

impl Catalog {
    /// Functions by name: `$LATEST` of each or, with `all_versions`, every version of each.
    ///
    /// # Errors
    /// [`CatalogError::BadMarker`].
    pub fn list_functions(
        &self,
        all_versions: bool,
        page: &PageRequest,
    ) -> Result<Page<Arc<VersionConfig>>, CatalogError> {
        let mut functions: Vec<Arc<Function>> =
            self.store.memory().functions.values().cloned().collect();
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        let take = if all_versions { usize::MAX } else { 1 };
        page.cut(functions.iter().flat_map(|function| {
            function.all_versions().take(take).map(|version| {
                // No name has a byte that sorts before a line feed, so names sort before versions.
                let key = format!("{}\n{}", function.name, version_key(version));
                (key, Arc::clone(version))
            })
        }))
    }

    /// Versions of a function: `$LATEST`, then by number.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::BadMarker`].
    pub fn list_versions(
        &self,
        name: &str,
        page: &PageRequest,
    ) -> Result<Page<Arc<VersionConfig>>, CatalogError> {
        let function = self.function(name)?;
        page.cut(
            function
                .all_versions()
                .map(|v| (version_key(v), Arc::clone(v))),
        )
    }

    /// Aliases of a function by name; with `version`, only those that point to it.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::BadMarker`].
    pub fn list_aliases(
        &self,
        name: &str,
        version: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Arc<Alias>>, CatalogError> {
        let function = self.function(name)?;
        let wanted = |alias: &&Arc<Alias>| {
            version.is_none_or(|version| {
                let weighted = alias
                    .weighted
                    .is_some_and(|(n, _)| n.to_string() == version);
                weighted || alias.version.to_string() == version
            })
        };
        let aliases = function.aliases.values().filter(wanted);
        page.cut(aliases.map(|alias| (alias.name.clone(), Arc::clone(alias))))
    }

    /// URLs of a function with the qualifier (`$LATEST` or alias) of each.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::BadMarker`].
    pub fn list_urls(
        &self,
        name: &str,
        page: &PageRequest,
    ) -> Result<Page<(String, Arc<UrlConfig>)>, CatalogError> {
        let function = self.function(name)?;
        page.cut(
            function
                .urls
                .iter()
                .map(|(s, url)| (s.clone(), (s.clone(), Arc::clone(url)))),
        )
    }

    /// Settings of asynchronous invocation of a function with the qualifier of each.
    ///
    /// # Errors
    /// [`CatalogError::InvokeConfigFunctionNotFound`], [`CatalogError::BadMarker`].
    pub fn list_invoke_configs(
        &self,
        name: &str,
        page: &PageRequest,
    ) -> Result<Page<(String, Arc<InvokeConfig>)>, CatalogError> {
        let function = self
            .function(name)
            .map_err(|_| CatalogError::InvokeConfigFunctionNotFound)?;
        let configs = function.invoke_configs.iter();
        page.cut(configs.map(|(s, config)| (s.clone(), (s.clone(), Arc::clone(config)))))
    }

    /// Layers that have versions, by name, with the latest version that `wanted` accepts.
    ///
    /// # Errors
    /// [`CatalogError::BadMarker`].
    pub fn list_layers(
        &self,
        wanted: impl Fn(&LayerVersion) -> bool,
        page: &PageRequest,
    ) -> Result<Page<LatestOfLayer>, CatalogError> {
        let mut layers: Vec<Arc<Layer>> = self.store.memory().layers.values().cloned().collect();
        layers.sort_by(|a, b| a.name.cmp(&b.name));
        page.cut(layers.iter().filter_map(|layer| {
            let latest = layer
                .versions
                .values()
                .rev()
                .find(|version| wanted(version))?;
            Some((
                layer.name.to_string(),
                (Arc::clone(layer), Arc::clone(latest)),
            ))
        }))
    }

    /// Versions of a layer that `wanted` accepts, newest first. Empty for a layer that does not exist.
    ///
    /// # Errors
    /// [`CatalogError::BadMarker`].
    pub fn list_layer_versions(
        &self,
        name: &str,
        wanted: impl Fn(&LayerVersion) -> bool,
        page: &PageRequest,
    ) -> Result<Page<Arc<LayerVersion>>, CatalogError> {
        let layer = self.layer(name);
        let versions = layer.iter().flat_map(|layer| layer.versions.values().rev());
        let wanted = versions.filter(|version| wanted(version));
        page.cut(wanted.map(|v| (format!("{:020}", u64::MAX - v.version), Arc::clone(v))))
    }
}

/// Sorts `$LATEST` first and numbers as numbers.
fn version_key(version: &VersionConfig) -> String {
    match version.label {
        VersionLabel::Latest => format!("{:020}", 0),
        VersionLabel::Number(number) => format!("{number:020}"),
    }
}
