//! Functions, their versions, aliases and URLs.

use http::Method;
use offshoot_lambda::generated::{
    AliasConfiguration, CreateAliasRequest, CreateFunctionRequest, CreateFunctionUrlConfigRequest,
    FunctionConfiguration, FunctionUrlConfig, PublishVersionRequest,
    PutFunctionEventInvokeConfigRequest, UpdateAliasRequest, UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
};
use serde::Deserialize;

use super::client::{Call, Client, segment};
use super::error::ApiError;

/// Functions of one page; AWS's greatest.
const PAGE_ITEMS: &str = "50";
/// A list longer than that is cut, so that a daemon that repeats its marker cannot keep us.
const MAX_PAGES: usize = 2_000;

/// What GetFunction tells.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionDetails {
    configuration: FunctionConfiguration,
}

impl Client {
    /// GetFunction; `None` if there is no such function.
    pub async fn get_function(
        &self,
        name: &str,
    ) -> Result<Option<FunctionConfiguration>, ApiError> {
        let call = Call::new("GetFunction", Method::GET, function(name));
        match self.fetch::<FunctionDetails>(call).await {
            Ok(details) => Ok(Some(details.configuration)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// ListFunctions, all pages.
    pub async fn list_functions(&self) -> Result<Vec<FunctionConfiguration>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            #[serde(default)]
            functions: Vec<FunctionConfiguration>,
            next_marker: Option<String>,
        }
        let (mut functions, mut marker) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let call = Call::new(
                "ListFunctions",
                Method::GET,
                "/2015-03-31/functions".to_owned(),
            )
            .query("MaxItems", Some(PAGE_ITEMS))
            .query("Marker", marker.as_deref());
            let page: Page = self.fetch(call).await?;
            functions.extend(page.functions);
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                break;
            }
        }
        Ok(functions)
    }

    /// CreateFunction.
    pub async fn create_function(
        &self,
        request: &CreateFunctionRequest,
    ) -> Result<FunctionConfiguration, ApiError> {
        let call = Call::new(
            "CreateFunction",
            Method::POST,
            "/2015-03-31/functions".to_owned(),
        );
        self.fetch(call.json(request)?).await
    }

    /// UpdateFunctionCode.
    pub async fn update_code(
        &self,
        name: &str,
        request: &UpdateFunctionCodeRequest,
    ) -> Result<FunctionConfiguration, ApiError> {
        let path = format!("{}/code", function(name));
        self.fetch(Call::new("UpdateFunctionCode", Method::PUT, path).json(request)?)
            .await
    }

    /// UpdateFunctionConfiguration.
    pub async fn update_configuration(
        &self,
        name: &str,
        request: &UpdateFunctionConfigurationRequest,
    ) -> Result<FunctionConfiguration, ApiError> {
        let path = format!("{}/configuration", function(name));
        self.fetch(Call::new("UpdateFunctionConfiguration", Method::PUT, path).json(request)?)
            .await
    }

    /// DeleteFunction; with a qualifier, only that version.
    pub async fn delete_function(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), ApiError> {
        let call = Call::new("DeleteFunction", Method::DELETE, function(name))
            .query("Qualifier", qualifier);
        self.send(call).await.map(drop)
    }

    /// PublishVersion.
    pub async fn publish(&self, name: &str) -> Result<FunctionConfiguration, ApiError> {
        let path = format!("{}/versions", function(name));
        let call = Call::new("PublishVersion", Method::POST, path);
        self.fetch(call.json(&PublishVersionRequest::default())?)
            .await
    }

    /// Points the alias at a version, making it if need be.
    pub async fn put_alias(
        &self,
        name: &str,
        alias: &str,
        version: &str,
    ) -> Result<AliasConfiguration, ApiError> {
        let path = format!("{}/aliases/{}", function(name), segment(alias));
        let update = UpdateAliasRequest {
            function_version: Some(version.to_owned()),
            ..Default::default()
        };
        match self
            .fetch(Call::new("UpdateAlias", Method::PUT, path).json(&update)?)
            .await
        {
            Err(error) if error.is_not_found() => {}
            done => return done,
        }
        let create = CreateAliasRequest {
            name: Some(alias.to_owned()),
            function_version: Some(version.to_owned()),
            ..Default::default()
        };
        let path = format!("{}/aliases", function(name));
        self.fetch(Call::new("CreateAlias", Method::POST, path).json(&create)?)
            .await
    }

    /// The function's URL, made with `wanted` if there is none yet.
    pub async fn ensure_url(
        &self,
        name: &str,
        wanted: &CreateFunctionUrlConfigRequest,
    ) -> Result<FunctionUrlConfig, ApiError> {
        let path = format!("/2021-10-31/functions/{}/url", segment(name));
        let qualifier = wanted.qualifier.as_deref();
        let get = Call::new("GetFunctionUrlConfig", Method::GET, path.clone())
            .query("Qualifier", qualifier);
        match self.fetch::<FunctionUrlConfig>(get).await {
            Err(error) if error.is_not_found() => {
                let create = Call::new("CreateFunctionUrlConfig", Method::POST, path);
                self.fetch(create.query("Qualifier", qualifier).json(wanted)?)
                    .await
            }
            Ok(config) if agrees(&config, wanted) => Ok(config),
            Ok(_) => {
                let update = Call::new("UpdateFunctionUrlConfig", Method::PUT, path);
                self.fetch(update.query("Qualifier", qualifier).json(wanted)?)
                    .await
            }
            Err(error) => Err(error),
        }
    }

    /// PutFunctionEventInvokeConfig.
    pub async fn put_event_invoke_config(
        &self,
        name: &str,
        request: &PutFunctionEventInvokeConfigRequest,
    ) -> Result<(), ApiError> {
        let path = format!(
            "/2019-09-25/functions/{}/event-invoke-config",
            segment(name)
        );
        let call = Call::new("PutFunctionEventInvokeConfig", Method::PUT, path);
        let call = call.query("Qualifier", request.qualifier.as_deref());
        self.send(call.json(request)?).await.map(drop)
    }

    /// Whether the daemon answers.
    pub async fn health(&self) -> Result<serde_json::Value, ApiError> {
        self.fetch(Call::new(
            "the health check",
            Method::GET,
            "/offshoot/v1/health".to_owned(),
        ))
        .await
    }
}

fn agrees(config: &FunctionUrlConfig, wanted: &CreateFunctionUrlConfigRequest) -> bool {
    let same = |have: &Option<String>, want: &Option<String>| want.is_none() || have == want;
    same(&config.auth_type, &wanted.auth_type)
        && same(&config.invoke_mode, &wanted.invoke_mode)
        && (wanted.cors.is_none() || config.cors == wanted.cors)
}

/// The path of a function.
pub(super) fn function(name: &str) -> String {
    format!("/2015-03-31/functions/{}", segment(name))
}
