//! From what a request sets to the catalog's settings.

use offshoot_catalog::{
    Architecture, Capacity, LogFormat, LoggingPatch, Settings, SettingsPatch, SnapStart,
    TracingMode,
};
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    CapacityProviderConfig, CreateFunctionRequest, DeadLetterConfig, Environment, LoggingConfig,
    SnapStart as SnapStartInput, TracingConfig, UpdateFunctionConfigurationRequest, VpcConfig,
};

use super::call::{invalid, unsigned};
use super::support;

/// The settings of a new function `name`.
pub(super) fn of_new(name: &str, input: &CreateFunctionRequest) -> Result<Settings, ApiError> {
    let (Some(runtime), Some(handler)) = (&input.runtime, &input.handler) else {
        return Err(invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    };
    let role = input.role.as_deref().unwrap_or_default();
    let mut settings = Settings::new(name, support::runtime(runtime)?, handler, role);
    settings.architecture = match architecture(input.architectures.as_deref())? {
        Some(architecture) => architecture,
        None => host_architecture(),
    };
    settings.description = input.description.clone().unwrap_or_default();
    set(&mut settings.timeout_s, input.timeout.map(unsigned));
    set(&mut settings.memory_mb, input.memory_size.map(unsigned));
    let ephemeral = input
        .ephemeral_storage
        .as_ref()
        .and_then(|storage| storage.size);
    set(&mut settings.ephemeral_mb, ephemeral.map(unsigned));
    set(&mut settings.env, input.environment.clone().map(variables));
    settings.logging.apply(
        input
            .logging_config
            .clone()
            .map(logging)
            .unwrap_or_default(),
    );
    set(
        &mut settings.tracing,
        input.tracing_config.as_ref().and_then(tracing),
    );
    set(
        &mut settings.snap_start,
        input.snap_start.as_ref().and_then(snap_start),
    );
    settings.vpc_config = input.vpc_config.as_ref().and_then(vpc);
    let dead_letters = input.dead_letter_config.clone().map(dead_letter_arn);
    settings.dead_letter_arn = dead_letters.filter(|arn| !arn.is_empty());
    settings.capacity = input
        .capacity_provider_config
        .clone()
        .map(capacity)
        .transpose()?;
    Ok(settings)
}

/// The changes that UpdateFunctionConfiguration asks for.
pub(super) fn patch(input: UpdateFunctionConfigurationRequest) -> Result<SettingsPatch, ApiError> {
    Ok(SettingsPatch {
        runtime: input.runtime.as_deref().map(support::runtime).transpose()?,
        handler: input.handler,
        role: input.role,
        description: input.description,
        timeout_s: input.timeout.map(unsigned),
        memory_mb: input.memory_size.map(unsigned),
        ephemeral_mb: input
            .ephemeral_storage
            .and_then(|storage| storage.size)
            .map(unsigned),
        env: input.environment.map(variables),
        layers: input.layers,
        logging: input.logging_config.map(logging),
        tracing: input.tracing_config.as_ref().and_then(tracing),
        snap_start: input.snap_start.as_ref().and_then(snap_start),
        vpc_config: input.vpc_config.as_ref().and_then(vpc),
        dead_letter_arn: input.dead_letter_config.map(dead_letter_arn),
        capacity: input.capacity_provider_config.map(capacity).transpose()?,
    })
}

/// The instruction set that a request asks for, if this machine has it.
pub(super) fn architecture(names: Option<&[String]>) -> Result<Option<Architecture>, ApiError> {
    let host = host_architecture();
    match names.and_then(<[String]>::first) {
        None => Ok(None),
        Some(name) if name == host.name() => Ok(Some(host)),
        Some(name) => Err(invalid(format!(
            "Architecture {name} is not supported on this machine, which is {}.",
            host.name()
        ))),
    }
}

/// What this program runs on, and so do functions.
fn host_architecture() -> Architecture {
    if cfg!(target_arch = "aarch64") {
        Architecture::Arm64
    } else {
        Architecture::X86_64
    }
}

fn set<T>(old: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *old = new;
    }
}

fn variables(environment: Environment) -> std::collections::BTreeMap<String, String> {
    environment.variables.unwrap_or_default()
}

fn dead_letter_arn(config: DeadLetterConfig) -> String {
    config.target_arn.unwrap_or_default()
}

/// Of what AWS lets a capacity provider decide, offshoot has the number of events in one instance.
fn capacity(config: CapacityProviderConfig) -> Result<Capacity, ApiError> {
    let config = config
        .lambda_managed_instances_capacity_provider_config
        .unwrap_or_default();
    let ratio = config.execution_environment_memory_gi_b_per_v_cpu;
    support::absent("ExecutionEnvironmentMemoryGiBPerVCpu", ratio.is_some())?;
    let Some(concurrency) = config.per_execution_environment_max_concurrency else {
        return Err(invalid(
            "CapacityProviderConfig is supported by offshoot for PerExecutionEnvironmentMaxConcurrency only, which is missing.",
        ));
    };
    Ok(Capacity {
        provider_arn: config.capacity_provider_arn.unwrap_or_default(),
        concurrency: unsigned(concurrency),
    })
}

fn logging(config: LoggingConfig) -> LoggingPatch {
    LoggingPatch {
        format: config.log_format.map(|format| match format.as_str() {
            "JSON" => LogFormat::Json,
            _ => LogFormat::Text,
        }),
        application_level: config.application_log_level,
        system_level: config.system_log_level,
        group: config.log_group,
    }
}

fn tracing(config: &TracingConfig) -> Option<TracingMode> {
    config.mode.as_deref().map(|mode| match mode {
        "Active" => TracingMode::Active,
        _ => TracingMode::PassThrough,
    })
}

fn snap_start(config: &SnapStartInput) -> Option<SnapStart> {
    config.apply_on.as_deref().map(|apply_on| match apply_on {
        "PublishedVersions" => SnapStart::PublishedVersions,
        _ => SnapStart::None,
    })
}

fn vpc(config: &VpcConfig) -> Option<serde_json::Value> {
    // Texts, lists of them and a truth value always have a JSON form.
    serde_json::to_value(config).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use offshoot_catalog::Runtime;
    use offshoot_lambda::generated::{
        EphemeralStorage, LambdaManagedInstancesCapacityProviderConfig,
    };

    fn minimal() -> CreateFunctionRequest {
        CreateFunctionRequest {
            runtime: Some("python3.11".into()),
            handler: Some("app.handler".into()),
            role: Some("arn:aws:iam::000000000000:role/r".into()),
            ..CreateFunctionRequest::default()
        }
    }

    #[test]
    fn what_a_request_leaves_out_gets_lambdas_default() {
        let settings = of_new("f", &minimal()).unwrap();
        let role = "arn:aws:iam::000000000000:role/r";
        let expected = Settings::new("f", Runtime::Python311, "app.handler", role);
        assert_eq!(settings.timeout_s, 3);
        assert_eq!(settings.memory_mb, 128);
        assert_eq!(settings.logging, expected.logging);
        assert_eq!(settings.architecture, host_architecture());
    }

    #[test]
    fn what_a_request_says_is_set() {
        let input = CreateFunctionRequest {
            timeout: Some(30),
            memory_size: Some(512),
            ephemeral_storage: Some(EphemeralStorage { size: Some(1024) }),
            environment: Some(Environment {
                variables: Some([("A".into(), "1".into())].into()),
            }),
            logging_config: Some(LoggingConfig {
                log_format: Some("JSON".into()),
                ..LoggingConfig::default()
            }),
            dead_letter_config: Some(DeadLetterConfig {
                target_arn: Some(String::new()),
            }),
            ..minimal()
        };
        let settings = of_new("f", &input).unwrap();
        assert_eq!(
            (
                settings.timeout_s,
                settings.memory_mb,
                settings.ephemeral_mb
            ),
            (30, 512, 1024)
        );
        assert_eq!(settings.env["A"], "1");
        assert_eq!(settings.logging.format, LogFormat::Json);
        assert_eq!(settings.logging.application_level.as_deref(), Some("INFO"));
        assert_eq!(settings.dead_letter_arn, None);
    }

    #[test]
    fn zip_function_without_runtime_is_refused() {
        let refused = of_new(
            "f",
            &CreateFunctionRequest {
                runtime: None,
                ..minimal()
            },
        );
        assert!(
            refused
                .unwrap_err()
                .message
                .starts_with("Runtime and Handler are mandatory")
        );
    }

    #[test]
    fn other_machines_code_is_refused() {
        let other = match host_architecture() {
            Architecture::X86_64 => "arm64",
            Architecture::Arm64 => "x86_64",
        };
        let refused = architecture(Some(&[other.to_owned()])).unwrap_err();
        assert!(refused.message.contains(other), "{refused}");
        assert_eq!(architecture(None).unwrap(), None);
    }

    fn capacity_of(concurrency: Option<i64>, ratio: Option<f64>) -> CapacityProviderConfig {
        CapacityProviderConfig {
            lambda_managed_instances_capacity_provider_config: Some(
                LambdaManagedInstancesCapacityProviderConfig {
                    capacity_provider_arn: Some("arn".into()),
                    per_execution_environment_max_concurrency: concurrency,
                    execution_environment_memory_gi_b_per_v_cpu: ratio,
                },
            ),
        }
    }

    #[test]
    fn events_at_once_are_set_and_what_else_a_capacity_provider_decides_is_refused() {
        let set = capacity(capacity_of(Some(8), None)).unwrap();
        assert_eq!((&*set.provider_arn, set.concurrency), ("arn", 8));
        let missing = capacity(capacity_of(None, None)).unwrap_err();
        assert!(
            missing
                .message
                .contains("PerExecutionEnvironmentMaxConcurrency")
        );
        let ratio = capacity(capacity_of(Some(8), Some(4.0))).unwrap_err();
        assert!(
            ratio
                .message
                .contains("ExecutionEnvironmentMemoryGiBPerVCpu")
        );
    }

    #[test]
    fn patch_keeps_what_the_request_does_not_name() {
        let patch = patch(UpdateFunctionConfigurationRequest {
            timeout: Some(5),
            environment: Some(Environment::default()),
            ..UpdateFunctionConfigurationRequest::default()
        })
        .unwrap();
        let expected = SettingsPatch {
            timeout_s: Some(5),
            env: Some(Default::default()),
            ..SettingsPatch::default()
        };
        assert_eq!(patch, expected);
    }
}
