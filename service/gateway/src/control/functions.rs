//! Functions: create, show, list, configure, delete.

use std::sync::Arc;

use offshoot_catalog::{CatalogError, NewFunction, VersionConfig};
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    Concurrency, CreateFunctionRequest, DeleteFunctionRequest, FunctionCodeLocation,
    FunctionConfiguration, GetFunctionConfigurationRequest, GetFunctionRequest,
    GetFunctionResponse, ListFunctionsRequest, ListFunctionsResponse,
    UpdateFunctionConfigurationRequest,
};

use super::call::{Call, invalid, page};
use super::code::{self, Source};
use super::{garbage, settings, support};
use crate::body::Answer;
use crate::{identify, rescue};

/// CreateFunction.
pub(super) async fn create(call: Arc<Call>) -> Result<Answer, ApiError> {
    let mut input: CreateFunctionRequest = call.large_input().await?;
    let name = new_name(&call, input.function_name.as_deref().unwrap_or_default())?;
    support::check_new(&input)?;
    let settings = settings::of_new(&name, &input)?;
    if call.catalog().function(&name).is_ok() {
        return Err(rescue::catalog(&CatalogError::FunctionExists { name }));
    }
    let upload = code::unpack(&call, Source::of_new(input.code.take()).zip()?).await?;
    let new = NewFunction {
        name,
        settings,
        layers: input.layers.unwrap_or_default(),
        code: upload.code,
        tags: input.tags.unwrap_or_default(),
        publish: input.publish.unwrap_or_default(),
    };
    let created = call.catalog().create_function(new).await.map_err(|error| {
        garbage::release(&call.gateway, [upload.code.digest]);
        rescue::catalog(&error)
    })?;
    call.prepare(&created)?;
    call.done(&call.of_version(&created))
}

/// GetFunction.
pub(super) async fn get(call: Arc<Call>) -> Result<Answer, ApiError> {
    let _: GetFunctionRequest = call.input()?;
    let (version, arn) = described(&call)?;
    let function = call
        .catalog()
        .function(&version.key.function)
        .map_err(|e| rescue::catalog(&e))?;
    let code = FunctionCodeLocation {
        repository_type: Some("S3".to_owned()),
        location: Some(code::location(&call.gateway, &version.code.digest)),
        ..FunctionCodeLocation::default()
    };
    let reserved = function.reserved_concurrency.map(i64::from);
    let concurrency = reserved.map(|reserved| Concurrency {
        reserved_concurrent_executions: Some(reserved),
    });
    call.done(&GetFunctionResponse {
        configuration: Some(call.shown(&version, &arn)),
        code: Some(code),
        tags: (!function.tags.is_empty()).then(|| function.tags.clone()),
        tags_error: None,
        concurrency,
    })
}

/// GetFunctionConfiguration.
pub(super) async fn get_configuration(call: Arc<Call>) -> Result<Answer, ApiError> {
    let _: GetFunctionConfigurationRequest = call.input()?;
    let (version, arn) = described(&call)?;
    call.done(&call.shown(&version, &arn))
}

/// ListFunctions.
pub(super) async fn list(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: ListFunctionsRequest = call.input()?;
    let all_versions = input.function_version.as_deref() == Some("ALL");
    let page = page(input.marker, input.max_items);
    let found = call
        .catalog()
        .list_functions(all_versions, &page)
        .map_err(|e| rescue::catalog(&e))?;
    let shown = |version: &Arc<VersionConfig>| -> FunctionConfiguration {
        if all_versions {
            call.shown(version, &version.qualified_arn)
        } else {
            call.of_version(version)
        }
    };
    call.done(&ListFunctionsResponse {
        next_marker: found.next_marker,
        functions: Some(found.items.iter().map(shown).collect()),
    })
}

/// UpdateFunctionConfiguration.
pub(super) async fn update_configuration(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let mut input: UpdateFunctionConfigurationRequest = call.input()?;
    support::check_settings_update(&input)?;
    let revision_id = input.revision_id.take();
    let patch = settings::patch(input)?;
    let before = call
        .catalog()
        .function(&function)
        .map_err(|e| rescue::catalog(&e))?;
    let updated = call
        .catalog()
        .update_configuration(&function, patch, revision_id.as_deref())
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.gateway
        .parts
        .dispatch
        .changed(&function, Some(offshoot_catalog::LATEST))
        .await;
    call.prepare(&updated)?;
    garbage::release(&call.gateway, garbage::of_version(&before.latest));
    call.done(&call.of_version(&updated))
}

/// DeleteFunction: all of it, or one version.
pub(super) async fn delete(call: Arc<Call>) -> Result<Answer, ApiError> {
    let _: DeleteFunctionRequest = call.input()?;
    let named = call.named()?;
    let before = call
        .catalog()
        .function(&named.function)
        .map_err(|e| rescue::catalog(&e))?;
    call.catalog()
        .delete_function(&named.function, named.qualifier.as_deref())
        .await
        .map_err(|e| rescue::catalog(&e))?;
    let dispatch = &call.gateway.parts.dispatch;
    dispatch
        .changed(&named.function, named.qualifier.as_deref())
        .await;
    if named.qualifier.is_none() {
        dispatch.deleted(&named.function).await;
    }
    garbage::release(&call.gateway, garbage::of_function(&before));
    call.done_empty()
}

/// The version that the path names, and the ARN to show it under: with a qualifier exactly if one was given.
fn described(call: &Call) -> Result<(Arc<VersionConfig>, String), ApiError> {
    let named = call.named()?;
    let info = call
        .catalog()
        .describe(&named.function, named.qualifier.as_deref())
        .map_err(|e| rescue::catalog(&e))?;
    let arn = match (&named.qualifier, &info.alias) {
        (None, _) => info.function.arn.to_string(),
        (Some(_), Some(alias)) => alias.arn.to_string(),
        (Some(_), None) => info.version.qualified_arn.to_string(),
    };
    Ok((info.version, arn))
}

fn new_name(call: &Call, text: &str) -> Result<String, ApiError> {
    let named = identify::identified(text, None, call.home())?;
    match named.qualifier {
        None => Ok(named.function),
        Some(qualifier) => Err(invalid(format!(
            "The name of a new function has no version or alias, but \"{text}\" names {qualifier}."
        ))),
    }
}
