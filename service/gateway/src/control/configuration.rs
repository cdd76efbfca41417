//! From the catalog's versions to what the API shows of them.

use chrono::{DateTime, Utc};
use offshoot_catalog::{Capacity, LogFormat, SnapStart, TracingMode, VersionConfig, VersionLabel};
use offshoot_dispatch::Snapshot;
use offshoot_lambda::arn::Home;
use offshoot_lambda::generated::{
    CapacityProviderConfig, DeadLetterConfig, EnvironmentResponse, EphemeralStorage,
    FunctionConfiguration, LambdaManagedInstancesCapacityProviderConfig, Layer, LoggingConfig,
    SnapStartResponse, TracingConfigResponse, VpcConfig, VpcConfigResponse,
};

use super::call::signed;

/// A version under its own ARN: that of the function for `$LATEST`, else with the number.
pub(super) fn of_version(
    home: &Home,
    version: &VersionConfig,
    snapshot: Option<Snapshot>,
) -> FunctionConfiguration {
    match version.label {
        VersionLabel::Latest => shown(version, &home.function_arn(&version.key.function), snapshot),
        VersionLabel::Number(_) => shown(version, &version.qualified_arn, snapshot),
    }
}

/// A version under the ARN by which it was asked for.
///
/// A version is there when its package is, and ready at once: waiters end with their first look; unless it wants a snapshot,
/// which takes a while.
pub(super) fn shown(
    version: &VersionConfig,
    arn: &str,
    snapshot: Option<Snapshot>,
) -> FunctionConfiguration {
    let is_pending = snapshot == Some(Snapshot::Pending);
    let settings = &version.settings;
    FunctionConfiguration {
        function_name: Some(version.key.function.to_string()),
        function_arn: Some(arn.to_owned()),
        runtime: Some(settings.runtime.name().to_owned()),
        role: Some(settings.role.clone()),
        handler: Some(settings.handler.clone()),
        code_size: Some(signed(version.code.size_bytes)),
        description: Some(settings.description.clone()),
        timeout: Some(settings.timeout_s.into()),
        memory_size: Some(settings.memory_mb.into()),
        last_modified: Some(timestamp(version.last_modified_ms)),
        code_sha256: Some(version.code.digest.to_base64()),
        version: Some(version.label.to_string()),
        vpc_config: settings.vpc_config.as_ref().and_then(vpc),
        dead_letter_config: dead_letters(settings.dead_letter_arn.as_ref()),
        environment: environment(version),
        tracing_config: Some(TracingConfigResponse {
            mode: Some(tracing(settings.tracing)),
        }),
        revision_id: Some(version.revision_id.to_string()),
        layers: layers(version),
        state: Some(if is_pending { "Pending" } else { "Active" }.to_owned()),
        state_reason: is_pending.then(|| "The version's snapshot is being made.".to_owned()),
        state_reason_code: is_pending.then(|| "Creating".to_owned()),
        last_update_status: Some("Successful".to_owned()),
        package_type: Some("Zip".to_owned()),
        architectures: Some(vec![settings.architecture.name().to_owned()]),
        ephemeral_storage: Some(EphemeralStorage {
            size: Some(settings.ephemeral_mb.into()),
        }),
        snap_start: Some(snap_start(settings.snap_start, snapshot)),
        logging_config: Some(logging(&settings.logging)),
        capacity_provider_config: settings.capacity.as_ref().map(capacity),
        ..FunctionConfiguration::default()
    }
}

/// `2026-11-20T20:20:19.000+0000`, as functions and layers have it.
pub(super) fn timestamp(epoch_ms: i64) -> String {
    date(epoch_ms)
        .format("%Y-%m-%dT%H:%M:%S%.3f+0000")
        .to_string()
}

/// `2026-11-20T20:20:19.000000Z`, as function URLs have it.
pub(super) fn timestamp_z(epoch_ms: i64) -> String {
    date(epoch_ms).format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn date(epoch_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(epoch_ms).unwrap_or_default()
}

/// Lambda shows no environment at all when there are no variables.
fn environment(version: &VersionConfig) -> Option<EnvironmentResponse> {
    let variables = &version.settings.env;
    (!variables.is_empty()).then(|| EnvironmentResponse {
        variables: Some(variables.clone()),
        error: None,
    })
}

fn layers(version: &VersionConfig) -> Option<Vec<Layer>> {
    let layers = version.layers.iter().map(|layer| Layer {
        arn: Some(layer.arn.clone()),
        code_size: Some(signed(layer.code.size_bytes)),
        ..Layer::default()
    });
    (!version.layers.is_empty()).then(|| layers.collect())
}

fn dead_letters(arn: Option<&String>) -> Option<DeadLetterConfig> {
    arn.map(|arn| DeadLetterConfig {
        target_arn: Some(arn.clone()),
    })
}

fn vpc(stored: &serde_json::Value) -> Option<VpcConfigResponse> {
    let config: VpcConfig = serde_json::from_value(stored.clone()).ok()?;
    Some(VpcConfigResponse {
        subnet_ids: Some(config.subnet_ids.unwrap_or_default()),
        security_group_ids: Some(config.security_group_ids.unwrap_or_default()),
        vpc_id: Some(String::new()),
        ipv6_allowed_for_dual_stack: Some(config.ipv6_allowed_for_dual_stack.unwrap_or_default()),
    })
}

fn tracing(mode: TracingMode) -> String {
    match mode {
        TracingMode::PassThrough => "PassThrough".to_owned(),
        TracingMode::Active => "Active".to_owned(),
    }
}

/// Whether a version shall have a snapshot before anybody invokes it.
pub(super) fn wants_snapshot(version: &VersionConfig) -> bool {
    let is_published = matches!(version.label, VersionLabel::Number(_));
    is_published && version.settings.snap_start == SnapStart::PublishedVersions
}

/// The status is that of the snapshot: of a function's own version there is none.
fn snap_start(apply_on: SnapStart, snapshot: Option<Snapshot>) -> SnapStartResponse {
    let apply_on = match apply_on {
        SnapStart::None => "None",
        SnapStart::PublishedVersions => "PublishedVersions",
    };
    SnapStartResponse {
        apply_on: Some(apply_on.to_owned()),
        optimization_status: Some(
            if snapshot == Some(Snapshot::On) {
                "On"
            } else {
                "Off"
            }
            .to_owned(),
        ),
    }
}

fn capacity(capacity: &Capacity) -> CapacityProviderConfig {
    CapacityProviderConfig {
        lambda_managed_instances_capacity_provider_config: Some(
            LambdaManagedInstancesCapacityProviderConfig {
                capacity_provider_arn: Some(capacity.provider_arn.clone()),
                per_execution_environment_max_concurrency: Some(capacity.concurrency.into()),
                execution_environment_memory_gi_b_per_v_cpu: None,
            },
        ),
    }
}

fn logging(config: &offshoot_catalog::LoggingConfig) -> LoggingConfig {
    let format = match config.format {
        LogFormat::Text => "Text",
        LogFormat::Json => "JSON",
    };
    LoggingConfig {
        log_format: Some(format.to_owned()),
        application_log_level: config.application_level.clone(),
        system_log_level: config.system_level.clone(),
        log_group: Some(config.group.clone()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use offshoot_catalog::{
        Catalog, CatalogConfig, CodeRef, NewFunction, Publish, Runtime, Settings,
    };
    use offshoot_package::Digest;
    use offshoot_state::StateDir;
    use serde_json::{Value, json};
    use std::sync::Arc;

    /// A catalog in a directory that is removed when the test ends.
    struct Shelf {
        catalog: Catalog,
        dir: std::path::PathBuf,
    }

    impl Shelf {
        async fn open() -> Self {
            let name = format!("offshoot-configuration-{}", uuid::Uuid::new_v4());
            let dir = std::env::temp_dir().join(name);
            let state = StateDir::open(&dir).await.unwrap();
            let registry = Arc::new(state.registry());
            let catalog = Catalog::open(registry, CatalogConfig::default())
                .await
                .unwrap();
            Self { catalog, dir }
        }
    }

    impl Drop for Shelf {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }

    fn new_function() -> NewFunction {
        let role = "arn:aws:iam::000000000000:role/r";
        NewFunction {
            name: "f".into(),
            settings: Settings::new("f", Runtime::Python311, "app.handler", role),
            layers: Vec::new(),
            code: CodeRef {
                digest: Digest::of(b"abc"),
                size_bytes: 3,
                unzipped_bytes: 5,
            },
            tags: Default::default(),
            publish: false,
        }
    }

    fn as_json(configuration: &FunctionConfiguration) -> Value {
        serde_json::to_value(configuration).unwrap()
    }

    #[tokio::test]
    async fn plain_function_shows_what_clients_and_waiters_read() {
        let shelf = Shelf::open().await;
        let version = shelf.catalog.create_function(new_function()).await.unwrap();
        let mut shown = as_json(&of_version(shelf.catalog.home(), &version, None));
        for changing in ["LastModified", "RevisionId"] {
            assert!(shown.as_object_mut().unwrap().remove(changing).is_some());
        }
        let expected = json!({
            "FunctionName": "f",
            "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
            "Runtime": "python3.11",
            "Role": "arn:aws:iam::000000000000:role/r",
            "Handler": "app.handler",
            "CodeSize": 3,
            "CodeSha256": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
            "Description": "",
            "Timeout": 3,
            "MemorySize": 128,
            "Version": "$LATEST",
            "TracingConfig": { "Mode": "PassThrough" },
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": { "Size": 512 },
            "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
            "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/aws/lambda/f" },
        });
        assert_eq!(shown, expected);
    }

    #[tokio::test]
    async fn published_version_has_its_number_in_the_arn() {
        let shelf = Shelf::open().await;
        let mut new = new_function();
        new.settings.env.insert("A".into(), "1".into());
        shelf.catalog.create_function(new).await.unwrap();
        let version = shelf
            .catalog
            .publish_version("f", Publish::default())
            .await
            .unwrap();
        let shown = as_json(&of_version(shelf.catalog.home(), &version, None));
        assert_eq!(shown["Version"], "1");
        assert_eq!(
            shown["FunctionArn"],
            "arn:aws:lambda:us-east-1:000000000000:function:f:1"
        );
        assert_eq!(shown["Environment"], json!({ "Variables": { "A": "1" } }));
    }

    #[test]
    fn timestamps_have_lambdas_two_forms() {
        assert_eq!(timestamp(1_795_206_019_007), "2026-11-20T20:20:19.007+0000");
        assert_eq!(
            timestamp_z(1_795_206_019_007),
            "2026-11-20T20:20:19.007000Z"
        );
        assert_eq!(timestamp(i64::MAX), "1970-01-01T00:00:00.000+0000");
    }

    #[test]
    fn text_logs_have_no_levels() {
        let shown = logging(&offshoot_catalog::LoggingConfig::of_function("f"));
        assert_eq!(shown.log_format.as_deref(), Some("Text"));
        assert_eq!(shown.log_group.as_deref(), Some("/aws/lambda/f"));
        assert_eq!(shown.application_log_level, None);
    }

    #[test]
    fn vpc_that_was_emptied_is_shown_empty() {
        let shown = vpc(&serde_json::json!({ "SubnetIds": [] })).unwrap_or_default();
        assert_eq!(shown.subnet_ids, Some(vec![]));
        assert_eq!(shown.vpc_id.as_deref(), Some(""));
    }
}
