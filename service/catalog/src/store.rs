//! The documents in memory, and the way of a change to disk and memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use offshoot_lambda::arn::Home;
use offshoot_state::{Registry, RegistryError, Rev};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::CatalogError;
use crate::function::Function;
use crate::layer::Layer;
use crate::saved::{FUNCTION_PREFIX, LAYER_PREFIX, load_function, load_layer};

/// All documents, as last written or read.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) functions: HashMap<Arc<str>, Arc<Function>>,
    pub(crate) layers: HashMap<Arc<str>, Arc<Layer>>,
    /// Function name and `$LATEST` or alias, by URL id.
    pub(crate) urls: HashMap<String, (Arc<str>, String)>,
}

impl Memory {
    /// Puts `function` in place of the one with its name.
    pub(crate) fn put_function(&mut self, function: Function) {
        self.remove_function(&function.name);
        for (scope, url) in &function.urls {
            let target = (Arc::clone(&function.name), scope.clone());
            self.urls.insert(url.url_id.clone(), target);
        }
        self.functions
            .insert(Arc::clone(&function.name), Arc::new(function));
    }

    pub(crate) fn remove_function(&mut self, name: &str) {
        if let Some(old) = self.functions.remove(name) {
            for url in old.urls.values() {
                self.urls.remove(&url.url_id);
            }
        }
    }
}

/// The right to write. One writer at a time keeps rules over several documents (account concurrency)
/// simple; compare-and-swap guards against writers in other processes.
pub(crate) type Turn = OwnedMutexGuard<()>;

/// Memory and registry.
#[derive(Clone)]
pub(crate) struct Store {
    registry: Arc<dyn Registry>,
    memory: Arc<RwLock<Memory>>,
    turn: Arc<Mutex<()>>,
}

impl Store {
    /// Loads everything.
    pub(crate) async fn open(
        registry: Arc<dyn Registry>,
        home: &Home,
    ) -> Result<Self, CatalogError> {
        let mut memory = Memory::default();
        for document in registry.list(FUNCTION_PREFIX).await? {
            memory.put_function(load_function(&document, home)?);
        }
        for document in registry.list(LAYER_PREFIX).await? {
            let layer = load_layer(&document, home)?;
            memory
                .layers
                .insert(Arc::clone(&layer.name), Arc::new(layer));
        }
        Ok(Store {
            registry,
            memory: Arc::new(RwLock::new(memory)),
            turn: Arc::default(),
        })
    }

    /// For a glance: never held across await.
    pub(crate) fn memory(&self) -> RwLockReadGuard<'_, Memory> {
        // Memory is replaced entry by entry, so a panic of a writer leaves it whole.
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory_mut(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn turn(&self) -> Turn {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Writes `body` at `key`, then lets `remember` change memory. Done to the end even when the caller
    /// goes away in between: otherwise memory could stay behind the disk.
    pub(crate) async fn write(
        &self,
        turn: Turn,
        key: String,
        body: Option<Box<RawValue>>,
        expect: Option<Rev>,
        remember: impl FnOnce(&mut Memory, Rev) + Send + 'static,
    ) -> Result<Turn, WriteError> {
        let store = self.clone();
        let write = async move {
            let written = match (body, expect) {
                (Some(body), expect) => store.registry.cas(&key, body, expect).await,
                (None, Some(expect)) => store.registry.delete(&key, expect).await,
                (None, None) => return Ok(turn),
            };
            match written {
                Ok(rev) => {
                    remember(&mut store.memory_mut(), rev);
                    Ok(turn)
                }
                Err(RegistryError::Conflict { .. }) => Err(WriteError::Conflict(turn)),
                Err(error) => Err(WriteError::Failed(error.into())),
            }
        };
        tokio::spawn(write)
            .await
            .unwrap_or(Err(WriteError::Failed(CatalogError::CutOff)))
    }

    /// Reads the function document at `name` again after another process changed it.
    pub(crate) async fn reload_function(
        &self,
        name: &str,
        home: &Home,
    ) -> Result<(), CatalogError> {
        match self
            .registry
            .get(&format!("{FUNCTION_PREFIX}{name}"))
            .await?
        {
            Some(document) => {
                let function = load_function(&document, home)?;
                self.memory_mut().put_function(function);
            }
            None => self.memory_mut().remove_function(name),
        }
        Ok(())
    }

    /// Reads the layer document at `name` again after another process changed it.
    pub(crate) async fn reload_layer(&self, name: &str, home: &Home) -> Result<(), CatalogError> {
        if let Some(document) = self.registry.get(&format!("{LAYER_PREFIX}{name}")).await? {
            let layer = load_layer(&document, home)?;
            self.memory_mut()
                .layers
                .insert(Arc::clone(&layer.name), Arc::new(layer));
        }
        Ok(())
    }
}

/// Why a write did not happen.
pub(crate) enum WriteError {
    /// Another process wrote the document; the turn is still ours.
    Conflict(Turn),
    Failed(CatalogError),
}
