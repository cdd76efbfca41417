//! Function URLs: `http://ID.lambda-url.REGION.localhost:PORT/`.

use std::sync::Arc;

use offshoot_catalog::{LATEST, NewUrl, UrlAuth, UrlConfig, UrlInvokeMode, UrlPatch};
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    Cors, CreateFunctionUrlConfigRequest, CreateFunctionUrlConfigResponse,
    DeleteFunctionUrlConfigRequest, FunctionUrlConfig, GetFunctionUrlConfigRequest,
    ListFunctionUrlConfigsRequest, ListFunctionUrlConfigsResponse, UpdateFunctionUrlConfigRequest,
};

use super::call::{Call, page};
use super::configuration::timestamp_z;
use crate::body::Answer;
use crate::rescue;

/// CreateFunctionUrlConfig.
pub(super) async fn create(call: Arc<Call>) -> Result<Answer, ApiError> {
    let (function, alias) = target(&call)?;
    let input: CreateFunctionUrlConfigRequest = call.input()?;
    let new = NewUrl {
        auth: auth(input.auth_type.as_deref().unwrap_or_default()),
        invoke_mode: input
            .invoke_mode
            .as_deref()
            .map(invoke_mode)
            .unwrap_or_default(),
        cors: input.cors.as_ref().and_then(stored_cors),
    };
    let created = call
        .catalog()
        .create_url(&function, alias.as_deref(), new)
        .await;
    let url = created.map_err(|e| rescue::catalog(&e))?;
    let shown = shown(&call, &function, alias.as_deref(), &url);
    call.done(&CreateFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        invoke_mode: shown.invoke_mode,
    })
}

/// GetFunctionUrlConfig.
pub(super) async fn get(call: Arc<Call>) -> Result<Answer, ApiError> {
    let (function, alias) = target(&call)?;
    let _: GetFunctionUrlConfigRequest = call.input()?;
    let found = call.catalog().url(&function, alias.as_deref());
    let url = found.map_err(|e| rescue::catalog(&e))?;
    call.done(&shown(&call, &function, alias.as_deref(), &url))
}

/// UpdateFunctionUrlConfig.
pub(super) async fn update(call: Arc<Call>) -> Result<Answer, ApiError> {
    let (function, alias) = target(&call)?;
    let input: UpdateFunctionUrlConfigRequest = call.input()?;
    let patch = UrlPatch {
        auth: input.auth_type.as_deref().map(auth),
        invoke_mode: input.invoke_mode.as_deref().map(invoke_mode),
        cors: input.cors.as_ref().and_then(stored_cors),
    };
    let updated = call
        .catalog()
        .update_url(&function, alias.as_deref(), patch)
        .await;
    let url = updated.map_err(|e| rescue::catalog(&e))?;
    call.done(&shown(&call, &function, alias.as_deref(), &url))
}

/// DeleteFunctionUrlConfig.
pub(super) async fn delete(call: Arc<Call>) -> Result<Answer, ApiError> {
    let (function, alias) = target(&call)?;
    let _: DeleteFunctionUrlConfigRequest = call.input()?;
    let deleted = call.catalog().delete_url(&function, alias.as_deref()).await;
    deleted.map_err(|e| rescue::catalog(&e))?;
    call.done_empty()
}

/// ListFunctionUrlConfigs.
pub(super) async fn list(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let input: ListFunctionUrlConfigsRequest = call.input()?;
    let page = page(input.marker, input.max_items);
    let found = call
        .catalog()
        .list_urls(&function, &page)
        .map_err(|e| rescue::catalog(&e))?;
    let urls = found.items.iter().map(|(scope, url)| {
        let alias = Some(scope.as_str()).filter(|scope| *scope != LATEST);
        shown(&call, &function, alias, url)
    });
    call.done(&ListFunctionUrlConfigsResponse {
        function_url_configs: Some(urls.collect()),
        next_marker: found.next_marker,
    })
}

/// The function, and the alias if one is named.
fn target(call: &Call) -> Result<(String, Option<String>), ApiError> {
    let named = call.named()?;
    let alias = named.qualifier.filter(|qualifier| qualifier != LATEST);
    Ok((named.function, alias))
}

/// [`FunctionUrlConfig`] has the members of Get's and Update's answers, too.
fn shown(call: &Call, function: &str, alias: Option<&str>, url: &UrlConfig) -> FunctionUrlConfig {
    let function_arn = call.home().function_arn(function);
    let function_arn = match alias {
        Some(alias) => format!("{function_arn}:{alias}"),
        None => function_arn,
    };
    let base_url = &call.gateway.parts.base_url;
    FunctionUrlConfig {
        function_url: Some(address(base_url, &call.home().region, &url.url_id)),
        function_arn: Some(function_arn),
        creation_time: Some(timestamp_z(url.created_ms)),
        last_modified_time: Some(timestamp_z(url.last_modified_ms)),
        cors: url
            .cors
            .clone()
            .and_then(|cors| serde_json::from_value(cors).ok()),
        auth_type: Some(auth_name(url.auth).to_owned()),
        invoke_mode: Some(mode_name(url.invoke_mode).to_owned()),
    }
}

/// The address of a function URL. Names below `localhost` are this machine (RFC 6761, 6.3); scheme and port are those
/// under which clients reach the gateway.
fn address(base_url: &str, region: &str, url_id: &str) -> String {
    let base: http::Uri = base_url.parse().unwrap_or_default();
    let scheme = base.scheme_str().unwrap_or("http");
    let port = base
        .port_u16()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{scheme}://{url_id}.lambda-url.{region}.localhost{port}/")
}

/// Only what is expressly open is open.
fn auth(name: &str) -> UrlAuth {
    match name {
        "NONE" => UrlAuth::None,
        _ => UrlAuth::AwsIam,
    }
}

fn auth_name(auth: UrlAuth) -> &'static str {
    match auth {
        UrlAuth::None => "NONE",
        UrlAuth::AwsIam => "AWS_IAM",
    }
}

fn invoke_mode(name: &str) -> UrlInvokeMode {
    match name {
        "RESPONSE_STREAM" => UrlInvokeMode::ResponseStream,
        _ => UrlInvokeMode::Buffered,
    }
}

fn mode_name(mode: UrlInvokeMode) -> &'static str {
    match mode {
        UrlInvokeMode::Buffered => "BUFFERED",
        UrlInvokeMode::ResponseStream => "RESPONSE_STREAM",
    }
}

fn stored_cors(cors: &Cors) -> Option<serde_json::Value> {
    // Texts, numbers and lists of them always have a JSON form.
    serde_json::to_value(cors).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_the_gateways_scheme_and_port() {
        assert_eq!(
            address("http://127.0.0.1:3001", "us-east-1", "abc"),
            "http://abc.lambda-url.us-east-1.localhost:3001/"
        );
        assert_eq!(
            address("https://lambda.example.com/", "eu-west-1", "abc"),
            "https://abc.lambda-url.eu-west-1.localhost/"
        );
    }

    #[test]
    fn names_of_modes_survive_the_round_trip() {
        for name in ["NONE", "AWS_IAM"] {
            assert_eq!(auth_name(auth(name)), name);
        }
        for name in ["BUFFERED", "RESPONSE_STREAM"] {
            assert_eq!(mode_name(invoke_mode(name)), name);
        }
        assert_eq!(auth("anything else"), UrlAuth::AwsIam);
    }
}
