//! The arguments of `offshoot deploy`.

use std::path::PathBuf;

use clap::Args;
use offshoot_lambda::generated::CreateFunctionUrlConfigRequest;

use super::plan::Spec;

/// What to deploy, and how.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// A folder with code, a zip, or a SAM template; a folder with a template.yaml means the template
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Name of the function [default: the folder's name]
    #[arg(long)]
    pub name: Option<String>,
    /// Runtime, such as python3.11, nodejs20.x or provided.al2023 [default: from the files]
    #[arg(long)]
    pub runtime: Option<String>,
    /// Handler, such as app.handler [default: from the files]
    #[arg(long)]
    pub handler: Option<String>,
    /// Memory in MB, from 128 to 10240
    #[arg(long, value_name = "MB")]
    pub memory: Option<i64>,
    /// Timeout in seconds, from 1 to 900
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<i64>,
    /// An environment variable; those given replace all that the function had
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,
    /// ARN of a layer version; those given replace all that the function had
    #[arg(long, value_name = "ARN")]
    pub layer: Vec<String>,
    /// ARN of the role; kept for tools that read it, never assumed
    #[arg(long, value_name = "ARN")]
    pub role: Option<String>,
    /// Size of /tmp in MB, from 512 to 10240
    #[arg(long, value_name = "MB")]
    pub ephemeral_storage: Option<i64>,
    /// Events at once in one instance, from 1 to 64; for Node.js
    #[arg(long, value_name = "COUNT")]
    pub concurrency: Option<i64>,
    /// Give the function an HTTP URL that anybody who reaches the daemon may call
    #[arg(long)]
    pub url: bool,
    /// Publish a version
    #[arg(long)]
    pub publish: bool,
    /// Publish a version and point this alias at it
    #[arg(long, value_name = "NAME")]
    pub alias: Option<String>,
    /// Description of the function
    #[arg(long)]
    pub description: Option<String>,
    /// Value of a parameter of the template
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub parameter: Vec<(String, String)>,
}

impl DeployArgs {
    /// What the flags say.
    pub fn spec(&self) -> Spec {
        let url = self.url.then(|| CreateFunctionUrlConfigRequest {
            auth_type: Some("NONE".to_owned()),
            ..Default::default()
        });
        Spec {
            name: self.name.clone(),
            runtime: self.runtime.clone(),
            handler: self.handler.clone(),
            memory_mb: self.memory,
            timeout_s: self.timeout,
            description: self.description.clone(),
            environment: (!self.env.is_empty()).then(|| self.env.iter().cloned().collect()),
            layers: (!self.layer.is_empty()).then(|| self.layer.clone()),
            role: self.role.clone(),
            ephemeral_mb: self.ephemeral_storage,
            concurrency: self.concurrency,
            publish: self.publish,
            alias: self.alias.clone(),
            url,
            event_invoke: None,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}
