//! From the catalog's words to the porter's and the node's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use offshoot_catalog::{
    InvokeConfig, LATEST, LogFormat as CatalogLogFormat, Resolved, Runtime as CatalogRuntime,
    SnapStart, VersionConfig,
};
use offshoot_events::{Destination, Policy};
use offshoot_lambda::arn::FunctionId;
use offshoot_node::{InstanceSpec, LogFormat, Runtime};
use offshoot_package::Digest;
use offshoot_porter::Target;

use crate::DispatchParts;

/// The porter's target of a resolved version.
pub(crate) fn build(parts: &DispatchParts, resolved: &Resolved) -> Target {
    let version = &resolved.version;
    Target::new(
        Arc::new(spec(parts, version)),
        version.key.revision.to_string().into(),
        resolved.reserved_concurrency,
    )
}

/// What instances of a version are made from.
pub(crate) fn spec(parts: &DispatchParts, version: &VersionConfig) -> InstanceSpec {
    let settings = &version.settings;
    InstanceSpec {
        function: Arc::clone(&version.key.function),
        version: Arc::clone(&version.key.version),
        runtime: runtime(settings.runtime),
        handler: settings.handler.clone(),
        env: settings.env.clone(),
        memory_mb: settings.memory_mb,
        ephemeral_mb: settings.ephemeral_mb,
        timeout: Duration::from_secs(settings.timeout_s.into()),
        concurrency: settings.concurrency(),
        task_dir: unpacked(parts, &version.code.digest),
        layer_dirs: version
            .layers
            .iter()
            .map(|layer| unpacked(parts, &layer.code.digest))
            .collect(),
        network: parts.network.of(&version.key.function).clone(),
        region: Arc::clone(&parts.region),
        account_id: Arc::clone(&parts.account_id),
        role: settings.role.as_str().into(),
        log_format: match settings.logging.format {
            CatalogLogFormat::Text => LogFormat::Text,
            CatalogLogFormat::Json => LogFormat::Json,
        },
        snap_start: settings.snap_start == SnapStart::PublishedVersions
            && *version.key.version != *LATEST,
    }
}

/// A version without a package cannot exist; should its folder have been removed by hand, the sandbox says so.
fn unpacked(parts: &DispatchParts, digest: &Digest) -> PathBuf {
    parts
        .packages
        .path(digest)
        .unwrap_or_else(|| PathBuf::from(format!("missing-package-{digest}")))
}

fn runtime(runtime: CatalogRuntime) -> Runtime {
    match runtime {
        CatalogRuntime::Python311 => Runtime::Python311,
        CatalogRuntime::Nodejs20 => Runtime::Nodejs20,
        CatalogRuntime::ProvidedAl2023 => Runtime::ProvidedAl2023,
    }
}

/// The policy of an event-invoke configuration, Lambda's defaults where it says nothing.
pub(crate) fn policy(config: Option<&InvokeConfig>) -> Policy {
    let mut policy = Policy::default();
    let Some(config) = config else { return policy };
    if let Some(retries) = config.max_retries {
        policy.max_attempts = retries + 1;
    }
    if let Some(age_s) = config.max_age_s {
        policy.max_age_ms = i64::from(age_s) * 1000;
    }
    policy.on_failure = config.on_failure.as_deref().and_then(destination);
    policy.on_success = config.on_success.as_deref().and_then(destination);
    policy
}

/// The function that an ARN names; other kinds of destination are refused when they are configured.
fn destination(arn: &str) -> Option<Destination> {
    let id = FunctionId::parse(arn).ok()?;
    Some(Destination {
        function: id.name.to_owned(),
        qualifier: id.qualifier.map(|qualifier| qualifier.to_string()),
        arn: arn.to_owned(),
    })
}
