//! Rules of Lambda that its API model does not state, or states more loosely than AWS keeps them.

use std::collections::{BTreeMap, HashMap};

use offshoot_lambda::arn::{Home, LayerId};
use offshoot_lambda::limits::{
    ENVIRONMENT_MAX_BYTES, EPHEMERAL_STORAGE_MAX_MB, EPHEMERAL_STORAGE_MIN_MB, LAYERS_MAX,
    MEMORY_MAX_MB, MEMORY_MIN_MB, TAGS_MAX, TIMEOUT_MAX_S, TIMEOUT_MIN_S, UNZIPPED_MAX_BYTES,
};

use crate::error::CatalogError;
use crate::settings::{Runtime, Settings};
use crate::store::Memory;
use crate::version::{CodeRef, LayerRef};

/// Most events in one instance at once. AWS grants 1,600, and by default 64 for each processor of Node.
const CONCURRENCY_MAX: i64 = 64;
/// Keys that only the platform sets ("Defined runtime environment variables" in the AWS Lambda
/// Developer Guide, those listed as reserved).
const RESERVED_ENV: [&str; 18] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
];

/// Checks what a user set.
pub(crate) fn check_settings(settings: &Settings) -> Result<(), CatalogError> {
    in_range("timeout", settings.timeout_s, TIMEOUT_MIN_S, TIMEOUT_MAX_S)?;
    in_range(
        "memorySize",
        settings.memory_mb,
        MEMORY_MIN_MB,
        MEMORY_MAX_MB,
    )?;
    let (min, max) = (EPHEMERAL_STORAGE_MIN_MB, EPHEMERAL_STORAGE_MAX_MB);
    in_range("ephemeralStorage.size", settings.ephemeral_mb, min, max)?;
    check_concurrency(settings)?;
    check_env(&settings.env)
}

pub(crate) fn in_range(
    member: &'static str,
    value: u32,
    min: i64,
    max: i64,
) -> Result<(), CatalogError> {
    let value = i64::from(value);
    match value {
        _ if value < min => Err(CatalogError::OutOfRange {
            member,
            value,
            limit: min,
            too_great: false,
        }),
        _ if value > max => Err(CatalogError::OutOfRange {
            member,
            value,
            limit: max,
            too_great: true,
        }),
        _ => Ok(()),
    }
}

fn check_concurrency(settings: &Settings) -> Result<(), CatalogError> {
    const MEMBER: &str = "capacityProviderConfig.lambdaManagedInstancesCapacityProviderConfig.perExecutionEnvironmentMaxConcurrency";
    in_range(MEMBER, settings.concurrency(), 1, CONCURRENCY_MAX)?;
    match settings.runtime {
        Runtime::Python311 | Runtime::ProvidedAl2023 if settings.concurrency() > 1 => {
            let runtime = settings.runtime.name();
            Err(CatalogError::OneAtATime { runtime })
        }
        _ => Ok(()),
    }
}

/// AWS measures the variables as compact JSON, and shows it in the error.
fn check_env(env: &BTreeMap<String, String>) -> Result<(), CatalogError> {
    let reserved = |key: &&String| RESERVED_ENV.contains(&key.as_str());
    let keys: Vec<String> = env.keys().filter(reserved).cloned().collect();
    if !keys.is_empty() {
        return Err(CatalogError::EnvReserved { keys });
    }
    // A map of strings always serializes.
    let measured = serde_json::to_string(env).unwrap_or_default();
    if measured.len() > ENVIRONMENT_MAX_BYTES {
        return Err(CatalogError::EnvTooLarge { measured });
    }
    Ok(())
}

/// Finds the layer versions that `arns` name.
pub(crate) fn find_layers(
    memory: &Memory,
    home: &Home,
    arns: &[String],
) -> Result<Vec<LayerRef>, CatalogError> {
    if arns.len() > LAYERS_MAX {
        return Err(CatalogError::TooManyLayers);
    }
    let mut seen: HashMap<&str, &String> = HashMap::new();
    let mut found = Vec::with_capacity(arns.len());
    for arn in arns {
        let missing = || CatalogError::LayerVersionMissing { arn: arn.clone() };
        let id = LayerId::parse(arn).map_err(|_| missing())?;
        if id.account.is_some_and(|account| account != home.account) {
            return Err(CatalogError::LayerOfOtherAccount { arn: arn.clone() });
        }
        if id.region.is_some_and(|region| region != home.region) {
            return Err(CatalogError::LayerElsewhere {
                region: home.region.clone(),
            });
        }
        let layer = memory.layers.get(id.name).ok_or_else(missing)?;
        let number = id.version.ok_or_else(missing)?;
        let version = layer.versions.get(&number).ok_or_else(missing)?;
        if let Some(first) = seen.insert(id.name, arn) {
            let (first, second) = (first.clone(), arn.clone());
            return Err(CatalogError::SameLayerTwice { first, second });
        }
        found.push(LayerRef {
            arn: arn.clone(),
            code: version.code,
        });
    }
    Ok(found)
}

/// Checks that code and layers together fit.
pub(crate) fn check_size(code: &CodeRef, layers: &[LayerRef]) -> Result<(), CatalogError> {
    if code.unzipped_bytes > UNZIPPED_MAX_BYTES {
        return Err(CatalogError::UnzippedTooLarge);
    }
    let layers = layers.iter().map(|layer| layer.code.unzipped_bytes);
    let actual_bytes = layers.fold(code.unzipped_bytes, u64::saturating_add);
    if actual_bytes > UNZIPPED_MAX_BYTES {
        return Err(CatalogError::WithLayersTooLarge { actual_bytes });
    }
    Ok(())
}

/// Checks the number of tags.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), CatalogError> {
    if tags.len() > TAGS_MAX {
        Err(CatalogError::TooManyTags)
    } else {
        Ok(())
    }
}
