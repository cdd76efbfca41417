//! A catalog over a state directory that can be closed and opened again.
#![allow(clippy::unwrap_used, dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use offshoot_catalog::{
    Catalog, CatalogConfig, CatalogError, CodeRef, NewFunction, NewLayerVersion, Runtime, Settings,
    UpdateCode,
};
use offshoot_package::Digest;
use offshoot_state::StateDir;

pub struct Home {
    dir: tempfile::TempDir,
    state: Option<StateDir>,
    pub catalog: Catalog,
}

impl Home {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).await.unwrap();
        let catalog = open(&state).await.unwrap();
        Home {
            dir,
            state: Some(state),
            catalog,
        }
    }

    /// As a restart of the daemon does.
    pub async fn reopen(&mut self) {
        self.state.take().unwrap().close().await;
        let state = StateDir::open(self.dir.path()).await.unwrap();
        self.catalog = open(&state).await.unwrap();
        self.state = Some(state);
    }

    pub fn state(&self) -> &StateDir {
        self.state.as_ref().unwrap()
    }
}

pub async fn open(state: &StateDir) -> Result<Catalog, CatalogError> {
    Catalog::open(Arc::new(state.registry()), CatalogConfig::default()).await
}

pub fn code(content: &str) -> CodeRef {
    CodeRef {
        digest: Digest::of(content.as_bytes()),
        size_bytes: 10,
        unzipped_bytes: 20,
    }
}

pub fn settings(name: &str) -> Settings {
    let role = "arn:aws:iam::000000000000:role/r";
    Settings::new(name, Runtime::Python311, "app.handler", role)
}

pub fn function(name: &str) -> NewFunction {
    NewFunction {
        name: name.into(),
        settings: settings(name),
        layers: Vec::new(),
        code: code("one"),
        tags: BTreeMap::new(),
        publish: false,
    }
}

pub fn new_code(content: &str) -> UpdateCode {
    UpdateCode {
        code: code(content),
        architecture: None,
        publish: false,
        dry_run: false,
        revision_id: None,
    }
}

pub fn layer(content: &str) -> NewLayerVersion {
    NewLayerVersion {
        description: String::new(),
        license: None,
        runtimes: Vec::new(),
        architectures: Vec::new(),
        code: code(content),
    }
}

/// ARN of function `f` with a suffix.
pub fn arn(rest: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{rest}")
}

pub fn layer_arn(rest: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:layer:{rest}")
}
