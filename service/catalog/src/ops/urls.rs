//! Function URLs.

use std::sync::Arc;

use uuid::Uuid;

use crate::catalog::{Catalog, now_ms};
use crate::error::CatalogError;
use crate::function::{Function, LATEST, UrlAuth, UrlConfig, UrlInvokeMode};

/// A function URL to create.
#[derive(Debug, Clone)]
pub struct NewUrl {
    /// Who may call it.
    pub auth: UrlAuth,
    /// How it answers.
    pub invoke_mode: UrlInvokeMode,
    /// `Cors`.
    pub cors: Option<serde_json::Value>,
}

/// Changes of a function URL; `None` keeps what is.
#[derive(Debug, Clone, Default)]
pub struct UrlPatch {
    /// Who may call it.
    pub auth: Option<UrlAuth>,
    /// How it answers.
    pub invoke_mode: Option<UrlInvokeMode>,
    /// `Cors`.
    pub cors: Option<serde_json::Value>,
}

impl Catalog {
    /// Creates the URL of `$LATEST` or of an alias.
    ///
    /// # Errors
    /// [`CatalogError::UrlFunctionNotFound`], [`CatalogError::UrlExists`].
    pub async fn create_url(
        &self,
        name: &str,
        alias: Option<&str>,
        new: NewUrl,
    ) -> Result<Arc<UrlConfig>, CatalogError> {
        let create = |function: &mut Function| {
            let scope = scope(function, alias).ok_or(CatalogError::UrlFunctionNotFound)?;
            if function.urls.contains_key(scope) {
                let arn = match function.aliases.get(scope) {
                    Some(alias) => alias.arn.to_string(),
                    None => function.arn.to_string(),
                };
                return Err(CatalogError::UrlExists { arn });
            }
            let now = now_ms();
            let url = Arc::new(UrlConfig {
                url_id: new_url_id(),
                auth: new.auth,
                invoke_mode: new.invoke_mode,
                cors: new.cors.clone(),
                created_ms: now,
                last_modified_ms: now,
            });
            function.urls.insert(scope.to_owned(), Arc::clone(&url));
            Ok(url)
        };
        self.change(name, |function, _| create(function))
            .await
            .map_err(no_function)
    }

    /// The URL of `$LATEST` or of an alias.
    ///
    /// # Errors
    /// [`CatalogError::UrlNotFound`].
    pub fn url(&self, name: &str, alias: Option<&str>) -> Result<Arc<UrlConfig>, CatalogError> {
        let function = self.function(name).map_err(|_| CatalogError::UrlNotFound)?;
        let found = function.urls.get(alias.unwrap_or(LATEST)).cloned();
        found.ok_or(CatalogError::UrlNotFound)
    }

    /// Changes the URL of `$LATEST` or of an alias.
    ///
    /// # Errors
    /// [`CatalogError::UrlFunctionNotFound`], [`CatalogError::UrlNotFound`].
    pub async fn update_url(
        &self,
        name: &str,
        alias: Option<&str>,
        patch: UrlPatch,
    ) -> Result<Arc<UrlConfig>, CatalogError> {
        let update = |function: &mut Function| {
            let old = function.urls.get_mut(alias.unwrap_or(LATEST));
            let url = Arc::make_mut(old.ok_or(CatalogError::UrlNotFound)?);
            url.auth = patch.auth.unwrap_or(url.auth);
            url.invoke_mode = patch.invoke_mode.unwrap_or(url.invoke_mode);
            url.cors = patch.cors.clone().or_else(|| url.cors.take());
            url.last_modified_ms = now_ms();
            Ok(Arc::new(url.clone()))
        };
        self.change(name, |function, _| update(function))
            .await
            .map_err(no_function)
    }

    /// Deletes the URL of `$LATEST` or of an alias.
    ///
    /// # Errors
    /// [`CatalogError::UrlNotFound`].
    pub async fn delete_url(&self, name: &str, alias: Option<&str>) -> Result<(), CatalogError> {
        let delete = |function: &mut Function| {
            let gone = function.urls.remove(alias.unwrap_or(LATEST));
            gone.map(drop).ok_or(CatalogError::UrlNotFound)
        };
        self.change(name, |function, _| delete(function))
            .await
            .map_err(no_function)
    }
}

/// The key of the URL, if what it invokes exists. Versions cannot have URLs.
fn scope<'a>(function: &Function, alias: Option<&'a str>) -> Option<&'a str> {
    match alias {
        None => Some(LATEST),
        Some(alias) => function.aliases.contains_key(alias).then_some(alias),
    }
}

fn no_function(error: CatalogError) -> CatalogError {
    match error {
        CatalogError::FunctionNotFound { .. } => CatalogError::UrlFunctionNotFound,
        other => other,
    }
}

/// 32 lower-case letters and digits; 122 random bits make it unique.
fn new_url_id() -> String {
    Uuid::new_v4().simple().to_string()
}
