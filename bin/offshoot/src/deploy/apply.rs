//! Making the daemon have what the plan says: create or update, then version, alias and URL.

use std::time::{Duration, Instant};

use offshoot_lambda::blob::Blob;
use offshoot_lambda::generated::{
    CapacityProviderConfig, CreateFunctionRequest, Environment, EphemeralStorage, FunctionCode,
    FunctionConfiguration, LambdaManagedInstancesCapacityProviderConfig, UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
};
use serde::Serialize;

use super::bundle::Bundle;
use super::plan::Spec;
use crate::api::{ApiError, Client};
use crate::report::{Failure, Kind};

/// The role of functions that name none; nothing here assumes it.
const DEFAULT_ROLE: &str = "arn:aws:iam::000000000000:role/offshoot";
/// The capacity provider of functions whose instances have several events; there is none.
const NO_PROVIDER: &str = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:offshoot";
/// How long a function may take to become usable.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// There was no such function.
    Created,
    /// Its code, or its configuration, was changed.
    Updated,
    /// It was like that already.
    Unchanged,
}

/// A deployed function.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployed {
    /// Its name.
    pub function_name: String,
    /// Its ARN.
    pub function_arn: String,
    /// What was done.
    pub action: Action,
    /// `$LATEST`, or the version that was published.
    pub version: String,
    /// The alias that points at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Its URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Length of the zip.
    pub code_size_bytes: u64,
    /// Hash of the zip.
    pub code_sha256: String,
    /// How long it all took.
    pub elapsed_ms: u64,
}

/// Makes the function `name` as `spec` and `bundle` say. `have` is what the daemon has of it.
pub async fn apply(
    client: &Client,
    name: &str,
    spec: Spec,
    bundle: Bundle,
    have: Option<FunctionConfiguration>,
    begun: Instant,
) -> Result<Deployed, Failure> {
    let code_size_bytes = bundle.zip.len() as u64;
    let code_sha256 = bundle.code_sha256.clone();
    let action = match &have {
        None => create(client, name, &spec, bundle).await?,
        Some(have) => update(client, name, &spec, bundle, have).await?,
    };
    let mut configuration = ready(client, name).await?;
    if let Some(config) = &spec.event_invoke {
        client.put_event_invoke_config(name, config).await?;
    }
    if spec.publish || spec.alias.is_some() {
        configuration = client.publish(name).await?;
    }
    let version = configuration
        .version
        .clone()
        .unwrap_or_else(|| "$LATEST".to_owned());
    if let Some(alias) = &spec.alias {
        client.put_alias(name, alias, &version).await?;
    }
    let url = match &spec.url {
        Some(wanted) => client.ensure_url(name, wanted).await?.function_url,
        None => None,
    };
    Ok(Deployed {
        function_name: name.to_owned(),
        function_arn: configuration.function_arn.unwrap_or_default(),
        action,
        version,
        alias: spec.alias,
        url,
        code_size_bytes,
        code_sha256,
        elapsed_ms: begun.elapsed().as_millis() as u64,
    })
}

async fn create(
    client: &Client,
    name: &str,
    spec: &Spec,
    bundle: Bundle,
) -> Result<Action, ApiError> {
    let request = CreateFunctionRequest {
        function_name: Some(name.to_owned()),
        runtime: spec.runtime.clone(),
        handler: spec.handler.clone(),
        role: Some(spec.role.clone().unwrap_or_else(|| DEFAULT_ROLE.to_owned())),
        code: Some(FunctionCode {
            zip_file: Some(Blob::from(bundle.zip)),
            ..Default::default()
        }),
        description: spec.description.clone(),
        timeout: spec.timeout_s,
        memory_size: spec.memory_mb,
        environment: spec.environment.clone().map(|variables| Environment {
            variables: Some(variables),
        }),
        layers: spec.layers.clone(),
        ephemeral_storage: spec
            .ephemeral_mb
            .map(|size| EphemeralStorage { size: Some(size) }),
        capacity_provider_config: spec.concurrency.map(concurrency),
        ..Default::default()
    };
    client.create_function(&request).await?;
    Ok(Action::Created)
}

async fn update(
    client: &Client,
    name: &str,
    spec: &Spec,
    bundle: Bundle,
    have: &FunctionConfiguration,
) -> Result<Action, Failure> {
    let mut action = Action::Unchanged;
    if have.code_sha256.as_deref() != Some(bundle.code_sha256.as_str()) {
        let code = UpdateFunctionCodeRequest {
            zip_file: Some(Blob::from(bundle.zip)),
            ..Default::default()
        };
        client.update_code(name, &code).await?;
        ready(client, name).await?;
        action = Action::Updated;
    }
    if let Some(changes) = changes(spec, have) {
        client.update_configuration(name, &changes).await?;
        action = Action::Updated;
    }
    Ok(action)
}

/// AWS's setting of how many events an instance has at once. It wants a capacity provider, which is nothing here.
fn concurrency(count: i64) -> CapacityProviderConfig {
    let config = LambdaManagedInstancesCapacityProviderConfig {
        capacity_provider_arn: Some(NO_PROVIDER.to_owned()),
        per_execution_environment_max_concurrency: Some(count),
        execution_environment_memory_gi_b_per_v_cpu: None,
    };
    CapacityProviderConfig {
        lambda_managed_instances_capacity_provider_config: Some(config),
    }
}

fn concurrency_of(have: &FunctionConfiguration) -> i64 {
    let config = have.capacity_provider_config.as_ref();
    let config = config.and_then(|config| {
        config
            .lambda_managed_instances_capacity_provider_config
            .as_ref()
    });
    config
        .and_then(|config| config.per_execution_environment_max_concurrency)
        .unwrap_or(1)
}

/// What the specification says otherwise than the function is.
fn changes(
    spec: &Spec,
    have: &FunctionConfiguration,
) -> Option<UpdateFunctionConfigurationRequest> {
    let variables = have
        .environment
        .as_ref()
        .and_then(|environment| environment.variables.clone());
    let layers: Vec<String> = have
        .layers
        .iter()
        .flatten()
        .filter_map(|layer| layer.arn.clone())
        .collect();
    let storage = have
        .ephemeral_storage
        .as_ref()
        .and_then(|storage| storage.size);
    let environment = changed(&spec.environment, &Some(variables.unwrap_or_default()));
    let request = UpdateFunctionConfigurationRequest {
        runtime: changed(&spec.runtime, &have.runtime),
        handler: changed(&spec.handler, &have.handler),
        role: changed(&spec.role, &have.role),
        description: changed(&spec.description, &have.description),
        timeout: changed(&spec.timeout_s, &have.timeout),
        memory_size: changed(&spec.memory_mb, &have.memory_size),
        environment: environment.map(|variables| Environment {
            variables: Some(variables),
        }),
        layers: changed(&spec.layers, &Some(layers)),
        ephemeral_storage: changed(&spec.ephemeral_mb, &storage)
            .map(|size| EphemeralStorage { size: Some(size) }),
        capacity_provider_config: spec
            .concurrency
            .filter(|count| *count != concurrency_of(have))
            .map(concurrency),
        ..Default::default()
    };
    (request != UpdateFunctionConfigurationRequest::default()).then_some(request)
}

fn changed<T: Clone + PartialEq>(want: &Option<T>, have: &Option<T>) -> Option<T> {
    want.clone().filter(|_| want != have)
}

/// Waits until the function can be used and changed.
async fn ready(client: &Client, name: &str) -> Result<FunctionConfiguration, Failure> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let Some(configuration) = client.get_function(name).await? else {
            return Err(Failure::new(
                Kind::NotFound,
                format!("{name} vanished while it was deployed"),
            ));
        };
        let state = configuration.state.as_deref().unwrap_or("Active");
        let update = configuration
            .last_update_status
            .as_deref()
            .unwrap_or("Successful");
        if state == "Failed" || update == "Failed" {
            let reason = configuration
                .state_reason
                .or(configuration.last_update_status_reason);
            let reason = reason.unwrap_or_else(|| "no reason was given".to_owned());
            return Err(Failure::new(
                Kind::Failed,
                format!("{name} cannot be used: {reason}"),
            ));
        }
        if state != "Pending" && update != "InProgress" {
            return Ok(configuration);
        }
        if begun.elapsed() > READY_TIMEOUT {
            return Err(Failure::new(
                Kind::Failed,
                format!("{name} is still {state} after a minute"),
            ));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}
