//! The catalog itself: opening, reading, and how a change is made.

use std::collections::BTreeSet;
use std::sync::Arc;

use offshoot_lambda::arn::Home;
use offshoot_lambda::limits::ACCOUNT_CONCURRENCY;
use offshoot_package::Digest;
use offshoot_state::Registry;

use crate::error::CatalogError;
use crate::function::{Function, UrlConfig};
use crate::layer::Layer;
use crate::saved::{FUNCTION_PREFIX, LAYER_PREFIX, save_function, save_layer};
use crate::store::{Memory, Store, WriteError};
use crate::version::VersionConfig;

/// How often a change is tried again after another process changed the same document.
const MAX_TRIES: usize = 8;

/// Whose functions these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogConfig {
    /// Region of all ARNs.
    pub region: String,
    /// Account of all ARNs, 12 digits.
    pub account_id: String,
}

impl Default for CatalogConfig {
    fn default() -> Self {
        CatalogConfig {
            region: "us-east-1".into(),
            account_id: "000000000000".into(),
        }
    }
}

/// All functions and layers of one account in one region. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    pub(crate) store: Store,
    pub(crate) home: Arc<Home>,
}

impl Catalog {
    /// Loads the catalog from `registry`.
    ///
    /// # Errors
    /// [`CatalogError::NewerFormat`], [`CatalogError::DamagedDocument`],
    /// [`CatalogError::Contradiction`] name the document; [`CatalogError::Store`].
    pub async fn open(
        registry: Arc<dyn Registry>,
        config: CatalogConfig,
    ) -> Result<Self, CatalogError> {
        let home = Home {
            partition: "aws".into(),
            region: config.region,
            account: config.account_id,
        };
        let store = Store::open(registry, &home).await?;
        Ok(Catalog {
            store,
            home: Arc::new(home),
        })
    }

    /// Partition, region and account of all ARNs.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The function `name`.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`].
    pub fn function(&self, name: &str) -> Result<Arc<Function>, CatalogError> {
        let found = self.store.memory().functions.get(name).cloned();
        found.ok_or_else(|| CatalogError::FunctionNotFound {
            arn: self.home.function_arn(name),
        })
    }

    /// The names of all functions, ascending.
    pub fn function_names(&self) -> Vec<Arc<str>> {
        let memory = self.store.memory();
        let names = memory.functions.values();
        let mut names: Vec<Arc<str>> = names.map(|function| function.name.clone()).collect();
        names.sort();
        names
    }

    /// The layer `name`, if it ever had a version.
    pub fn layer(&self, name: &str) -> Option<Arc<Layer>> {
        self.store.memory().layers.get(name).cloned()
    }

    /// The function and qualifier (`None` for `$LATEST`) that a function URL invokes.
    pub fn function_of_url(
        &self,
        url_id: &str,
    ) -> Option<(Arc<Function>, Option<String>, Arc<UrlConfig>)> {
        let memory = self.store.memory();
        let (name, scope) = memory.urls.get(url_id)?;
        let function = memory.functions.get(name)?;
        let url = function.urls.get(scope)?;
        let qualifier = Some(scope.clone()).filter(|scope| scope != crate::function::LATEST);
        Some((Arc::clone(function), qualifier, Arc::clone(url)))
    }

    /// Digests of all packages that a function version or layer version still needs.
    pub fn live_digests(&self) -> BTreeSet<Digest> {
        let memory = self.store.memory();
        let versions = memory
            .functions
            .values()
            .flat_map(|function| function.all_versions());
        let code = versions.flat_map(|version| {
            version
                .layers
                .iter()
                .map(|layer| &layer.code)
                .chain([&version.code])
        });
        let layers = memory
            .layers
            .values()
            .flat_map(|layer| layer.versions.values());
        code.chain(layers.map(|version| &version.code))
            .map(|code| code.digest)
            .collect()
    }

    /// All versions of all functions.
    pub fn live_versions(&self) -> Vec<Arc<VersionConfig>> {
        let memory = self.store.memory();
        let functions = memory.functions.values();
        functions
            .flat_map(|function| function.all_versions().cloned())
            .collect()
    }

    /// Concurrency that no function has set apart.
    pub fn unreserved_concurrency(&self) -> i64 {
        unreserved(&self.store.memory(), None)
    }

    /// Changes the function `name` by `change`, which is called again if another process changed it in
    /// between, and stores the outcome.
    pub(crate) async fn change<T: Send>(
        &self,
        name: &str,
        change: impl Fn(&mut Function, &Memory) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let mut turn = self.store.turn().await;
        for _ in 0..MAX_TRIES {
            let old = self.function(name)?;
            let mut new = Function::clone(&old);
            let answer = change(&mut new, &self.store.memory())?;
            if new == *old {
                return Ok(answer);
            }
            let (key, body) = (format!("{FUNCTION_PREFIX}{name}"), save_function(&new)?);
            let remember = move |memory: &mut Memory, rev| {
                memory.put_function(Function {
                    rev: Some(rev),
                    ..new
                });
            };
            match self
                .store
                .write(turn, key, Some(body), old.rev, remember)
                .await
            {
                Ok(_) => return Ok(answer),
                Err(WriteError::Conflict(mine)) => turn = mine,
                Err(WriteError::Failed(error)) => return Err(error),
            }
            self.store.reload_function(name, &self.home).await?;
        }
        Err(CatalogError::Contended { key: name.into() })
    }

    /// Like [`Catalog::change`] for a layer, which begins to exist if it does not.
    pub(crate) async fn change_layer<T: Send>(
        &self,
        name: &str,
        change: impl Fn(&mut Layer) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let mut turn = self.store.turn().await;
        for _ in 0..MAX_TRIES {
            let old = self.layer(name);
            let (rev, mut new) = match &old {
                Some(old) => (old.rev, Layer::clone(old)),
                None => (None, self.new_layer(name)),
            };
            let answer = change(&mut new)?;
            if old.as_deref() == Some(&new) {
                return Ok(answer);
            }
            let (key, body) = (format!("{LAYER_PREFIX}{name}"), save_layer(&new)?);
            let remember = move |memory: &mut Memory, rev| {
                let layer = Layer {
                    rev: Some(rev),
                    ..new
                };
                memory
                    .layers
                    .insert(Arc::clone(&layer.name), Arc::new(layer));
            };
            match self.store.write(turn, key, Some(body), rev, remember).await {
                Ok(_) => return Ok(answer),
                Err(WriteError::Conflict(mine)) => turn = mine,
                Err(WriteError::Failed(error)) => return Err(error),
            }
            self.store.reload_layer(name, &self.home).await?;
        }
        Err(CatalogError::Contended { key: name.into() })
    }

    fn new_layer(&self, name: &str) -> Layer {
        Layer {
            name: name.into(),
            arn: self.home.layer_arn(name).into(),
            versions: Default::default(),
            next_version: 1,
            rev: None,
        }
    }
}

/// Concurrency that no function has set apart, `except` left out of account.
pub(crate) fn unreserved(memory: &Memory, except: Option<&str>) -> i64 {
    let others = memory
        .functions
        .values()
        .filter(|function| except != Some(&*function.name));
    let reserved = others
        .filter_map(|function| function.reserved_concurrency)
        .map(i64::from);
    ACCOUNT_CONCURRENCY - reserved.sum::<i64>()
}

/// Now, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
