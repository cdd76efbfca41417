//! Settings of asynchronous invocation.

use std::sync::Arc;

use offshoot_lambda::arn::FunctionId;
use offshoot_lambda::limits::{ASYNC_EVENT_AGE_MAX_S, ASYNC_EVENT_AGE_MIN_S, ASYNC_RETRIES_MAX};

use crate::catalog::{Catalog, now_ms};
use crate::error::CatalogError;
use crate::function::{Function, InvokeConfig, LATEST};
use crate::rules::in_range;
use crate::store::Memory;

/// What to set. Destinations come together, as `DestinationConfig` does.
#[derive(Debug, Clone, Default)]
pub struct InvokeConfigChange {
    /// Retries after a failure, 0 to 2.
    pub max_retries: Option<u32>,
    /// Age at which an event is given up, in seconds, 60 to 21,600.
    pub max_age_s: Option<u32>,
    /// Destination ARNs for failure and success; `None` as a whole when the request has no
    /// `DestinationConfig`.
    pub destinations: Option<(Option<String>, Option<String>)>,
}

impl Catalog {
    /// Sets the configuration of a qualifier (`None` for `$LATEST`). With `keep`, what `change` does not
    /// say stays as it is, and there must be one already (UpdateFunctionEventInvokeConfig); without, it
    /// gets its default (PutFunctionEventInvokeConfig).
    ///
    /// # Errors
    /// [`CatalogError::EmptyInvokeConfig`], [`CatalogError::InvokeConfigFunctionNotFound`],
    /// [`CatalogError::InvokeConfigNotFound`] (with `keep`), [`CatalogError::OutOfRange`], or a rule of
    /// destinations.
    pub async fn put_invoke_config(
        &self,
        name: &str,
        qualifier: Option<&str>,
        change: InvokeConfigChange,
        keep: bool,
    ) -> Result<Arc<InvokeConfig>, CatalogError> {
        let InvokeConfigChange {
            max_retries,
            max_age_s,
            destinations,
        } = &change;
        if max_retries.is_none() && max_age_s.is_none() && destinations.is_none() {
            return Err(CatalogError::EmptyInvokeConfig);
        }
        if let Some(retries) = *max_retries {
            in_range("maximumRetryAttempts", retries, 0, ASYNC_RETRIES_MAX)?;
        }
        if let Some(age_s) = *max_age_s {
            let (min, max) = (ASYNC_EVENT_AGE_MIN_S, ASYNC_EVENT_AGE_MAX_S);
            in_range("maximumEventAgeInSeconds", age_s, min, max)?;
        }
        let put = |function: &mut Function, memory: &Memory| {
            let scope = qualifier.unwrap_or(LATEST);
            if !exists(function, scope) {
                return Err(CatalogError::InvokeConfigFunctionNotFound);
            }
            let old = function.invoke_configs.get(scope);
            if keep && old.is_none() {
                return Err(self.no_invoke_config(name, scope));
            }
            if let Some((on_failure, on_success)) = destinations {
                check_destinations(memory, name, on_failure, on_success)?;
            }
            let config = Arc::new(merged(old.filter(|_| keep), &change));
            function
                .invoke_configs
                .insert(scope.to_owned(), Arc::clone(&config));
            Ok(config)
        };
        self.change(name, put).await.map_err(|error| match error {
            CatalogError::FunctionNotFound { .. } => CatalogError::InvokeConfigFunctionNotFound,
            other => other,
        })
    }

    /// The configuration of a qualifier (`None` for `$LATEST`).
    ///
    /// # Errors
    /// [`CatalogError::InvokeConfigNotFound`].
    pub fn invoke_config(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Arc<InvokeConfig>, CatalogError> {
        let scope = qualifier.unwrap_or(LATEST);
        let function = self.function(name).ok();
        let found = function.and_then(|function| function.invoke_configs.get(scope).cloned());
        found.ok_or_else(|| self.no_invoke_config(name, scope))
    }

    /// Deletes the configuration of a qualifier (`None` for `$LATEST`).
    ///
    /// # Errors
    /// [`CatalogError::InvokeConfigNotFound`].
    pub async fn delete_invoke_config(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), CatalogError> {
        let scope = qualifier.unwrap_or(LATEST);
        let missing = || self.no_invoke_config(name, scope);
        self.change(name, |function, _| {
            function
                .invoke_configs
                .remove(scope)
                .map(drop)
                .ok_or_else(missing)
        })
        .await
        .map_err(|error| match error {
            CatalogError::FunctionNotFound { .. } => missing(),
            other => other,
        })
    }

    fn no_invoke_config(&self, name: &str, scope: &str) -> CatalogError {
        let arn = format!("{}:{scope}", self.home.function_arn(name));
        CatalogError::InvokeConfigNotFound { arn }
    }
}

fn exists(function: &Function, scope: &str) -> bool {
    let version = scope.parse().ok().and_then(|label| function.version(label));
    version.is_some() || function.aliases.contains_key(scope)
}

fn merged(old: Option<&Arc<InvokeConfig>>, change: &InvokeConfigChange) -> InvokeConfig {
    let old = old.map(|old| InvokeConfig::clone(old));
    let kept = old
        .as_ref()
        .map(|old| (old.on_failure.clone(), old.on_success.clone()));
    let destinations = change.destinations.clone().or(kept).unwrap_or_default();
    InvokeConfig {
        max_retries: change
            .max_retries
            .or(old.as_ref().and_then(|old| old.max_retries)),
        max_age_s: change
            .max_age_s
            .or(old.as_ref().and_then(|old| old.max_age_s)),
        on_failure: destinations.0.filter(|arn| !arn.is_empty()),
        on_success: destinations.1.filter(|arn| !arn.is_empty()),
        last_modified_ms: now_ms(),
    }
}

/// Destinations are functions that exist, queues, topics, buckets or event buses
/// ("Retaining records of asynchronous invocations" in the AWS Lambda Developer Guide).
fn check_destinations(
    memory: &Memory,
    function: &str,
    on_failure: &Option<String>,
    on_success: &Option<String>,
) -> Result<(), CatalogError> {
    for arn in on_failure
        .iter()
        .chain(on_success)
        .filter(|arn| !arn.is_empty())
    {
        match arn.split(':').nth(2) {
            Some("lambda") => {
                let id = FunctionId::parse(arn).ok();
                let id = id.filter(|id| memory.functions.contains_key(id.name));
                match id {
                    None => return Err(CatalogError::DestinationNotFound { arn: arn.clone() }),
                    Some(id) if id.name == function => return Err(CatalogError::DestinationIsSelf),
                    Some(_) => {}
                }
            }
            Some("sqs" | "sns" | "events" | "s3") => {}
            _ => {
                let (on_failure, on_success) = (on_failure.clone(), on_success.clone());
                return Err(CatalogError::BadDestinations {
                    on_success,
                    on_failure,
                });
            }
        }
    }
    Ok(())
}
