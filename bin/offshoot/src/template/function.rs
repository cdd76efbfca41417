//! One `AWS::Serverless::Function` with the template's Globals.

use std::collections::BTreeMap;

use offshoot_lambda::generated::{
    Cors, CreateFunctionUrlConfigRequest, PutFunctionEventInvokeConfigRequest,
};

use super::error::{Problem, TemplateError};
use super::resolve::Scope;
use super::yaml::{Content, Node};
use crate::deploy::Spec;

/// Properties that mean something here.
const KNOWN: [&str; 17] = [
    "FunctionName",
    "CodeUri",
    "InlineCode",
    "ImageUri",
    "PackageType",
    "Handler",
    "Runtime",
    "MemorySize",
    "Timeout",
    "Description",
    "Environment",
    "FunctionUrlConfig",
    "Layers",
    "AutoPublishAlias",
    "EphemeralStorage",
    "CapacityProviderConfig",
    "EventInvokeConfig",
];
/// Properties without any effect here, of which it is not worth speaking.
const SILENT: [&str; 7] = [
    "Architectures",
    "Role",
    "Policies",
    "Tracing",
    "PermissionsBoundary",
    "RuntimeManagementConfig",
    "RecursiveLoop",
];

/// A function of a template.
#[derive(Debug)]
pub struct SamFunction {
    /// Its logical name.
    pub logical: String,
    /// Where its code is, relative to the template.
    pub code_uri: String,
    /// What it shall be.
    pub spec: Spec,
    /// What the template says that has no effect here.
    pub ignored: Vec<String>,
}

/// Reads properties of one function, the function's own before the Globals'.
pub struct Reader<'a> {
    pub scope: &'a Scope,
    pub logical: &'a str,
    pub own: Option<&'a Node>,
    pub globals: Option<&'a Node>,
    /// Variables that the user gives anyway, so that the template need not.
    pub given: &'a [String],
    pub line: usize,
}

impl Reader<'_> {
    /// The function.
    pub fn read(&self) -> Result<SamFunction, TemplateError> {
        self.refuse_other_code()?;
        let mut ignored = self.ignored_properties();
        let spec = Spec {
            name: Some(
                self.text("FunctionName")?
                    .unwrap_or_else(|| self.logical.to_owned()),
            ),
            runtime: self.text("Runtime")?,
            handler: self.text("Handler")?,
            memory_mb: self.integer("MemorySize")?,
            timeout_s: self.integer("Timeout")?,
            description: self.text("Description")?,
            environment: self.environment()?,
            layers: self.layers(&mut ignored)?,
            role: None,
            ephemeral_mb: self.ephemeral()?,
            concurrency: self.concurrency(&mut ignored)?,
            publish: false,
            alias: self.text("AutoPublishAlias")?,
            url: self.url()?,
            event_invoke: self.event_invoke(&mut ignored)?,
        };
        let code_uri = self.text("CodeUri")?.unwrap_or_else(|| ".".to_owned());
        if code_uri.starts_with("s3://") {
            return Err(self.unsupported("CodeUri", "names an S3 object; give a folder or a zip"));
        }
        Ok(SamFunction {
            logical: self.logical.to_owned(),
            code_uri,
            spec,
            ignored,
        })
    }

    fn node(&self, name: &str) -> Option<&Node> {
        let own = self.own.and_then(|own| own.get(name));
        let node = own.or_else(|| self.globals.and_then(|globals| globals.get(name)))?;
        (!self.scope.is_absent(node)).then_some(node)
    }

    fn both(&self, name: &str) -> impl Iterator<Item = &Node> {
        [self.globals, self.own]
            .into_iter()
            .flatten()
            .filter_map(move |properties| properties.get(name))
    }

    fn property(&self, name: &str) -> String {
        format!("{}.{name}", self.logical)
    }

    fn text(&self, name: &str) -> Result<Option<String>, TemplateError> {
        self.node(name)
            .map(|node| self.scope.text(node, &self.property(name)))
            .transpose()
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, TemplateError> {
        self.node(name)
            .map(|node| self.scope.integer(node, &self.property(name)))
            .transpose()
    }

    fn unsupported(&self, name: &str, why: &'static str) -> TemplateError {
        let line = self.node(name).map_or(self.line, |node| node.line);
        TemplateError::new(
            line,
            Problem::Unsupported {
                property: self.property(name),
                why,
            },
        )
    }

    fn refuse_other_code(&self) -> Result<(), TemplateError> {
        for name in ["InlineCode", "ImageUri"] {
            if self.node(name).is_some() {
                return Err(self.unsupported(
                    name,
                    "is not supported; put the code into a folder and name it in CodeUri",
                ));
            }
        }
        if self.text("PackageType")?.is_some_and(|kind| kind != "Zip") {
            return Err(self.unsupported(
                "PackageType",
                "must be Zip; container images are not supported",
            ));
        }
        Ok(())
    }

    fn ignored_properties(&self) -> Vec<String> {
        let own = self.own.map_or(&[][..], Node::entries).iter();
        own.map(|(name, _)| name.as_str())
            .filter(|name| !KNOWN.contains(name) && !SILENT.contains(name))
            .map(|name| match crate::nearest::nearest(name, KNOWN) {
                Some(near) => format!("{} (did you mean {near}?)", self.property(name)),
                None => self.property(name),
            })
            .collect()
    }

    /// The Globals' variables with the function's own over them.
    fn environment(&self) -> Result<Option<BTreeMap<String, String>>, TemplateError> {
        let mut variables = None;
        for environment in self.both("Environment") {
            let Some(entries) = environment.get("Variables") else {
                continue;
            };
            if !matches!(entries.content, Content::Map(_)) {
                return Err(self.wrong_type(entries, "Environment.Variables", "a mapping"));
            }
            let variables: &mut BTreeMap<_, _> = variables.get_or_insert_default();
            for (name, node) in entries.entries() {
                if self.scope.is_absent(node) || self.given.contains(name) {
                    continue;
                }
                let property = self.property(&format!("Environment.Variables.{name}"));
                variables.insert(name.clone(), self.scope.text(node, &property)?);
            }
        }
        Ok(variables)
    }

    /// Layers by ARN, the Globals' first; others are made by AWS only.
    fn layers(&self, ignored: &mut Vec<String>) -> Result<Option<Vec<String>>, TemplateError> {
        let mut layers = None;
        for list in self.both("Layers") {
            let Content::List(items) = &list.content else {
                return Err(self.wrong_type(list, "Layers", "a list"));
            };
            for item in items {
                match self.scope.text(item, "Layers") {
                    Ok(arn) if arn.starts_with("arn:") => {
                        layers.get_or_insert_with(Vec::new).push(arn)
                    }
                    _ => ignored.push(format!(
                        "{} on line {} (no ARN)",
                        self.property("Layers"),
                        item.line
                    )),
                }
            }
        }
        Ok(layers)
    }

    fn ephemeral(&self) -> Result<Option<i64>, TemplateError> {
        let Some(size) = self
            .node("EphemeralStorage")
            .and_then(|storage| storage.get("Size"))
        else {
            return Ok(None);
        };
        self.scope
            .integer(size, &self.property("EphemeralStorage.Size"))
            .map(Some)
    }

    /// Of a capacity provider's configuration, what has an effect here; its ARN may be of a resource that is not there.
    fn concurrency(&self, ignored: &mut Vec<String>) -> Result<Option<i64>, TemplateError> {
        const NAME: &str = "PerExecutionEnvironmentMaxConcurrency";
        let Some(config) = self.node("CapacityProviderConfig") else {
            return Ok(None);
        };
        let property = |name: &str| self.property(&format!("CapacityProviderConfig.{name}"));
        let others = config.entries().iter().map(|(name, _)| name.as_str());
        ignored.extend(others.filter(|name| *name != NAME).map(property));
        let count = config.get(NAME);
        count
            .map(|count| self.scope.integer(count, &property(NAME)))
            .transpose()
    }

    fn url(&self) -> Result<Option<CreateFunctionUrlConfigRequest>, TemplateError> {
        let Some(config) = self.node("FunctionUrlConfig") else {
            return Ok(None);
        };
        let text = |name: &str| {
            let property = self.property(&format!("FunctionUrlConfig.{name}"));
            config
                .get(name)
                .map(|node| self.scope.text(node, &property))
                .transpose()
        };
        Ok(Some(CreateFunctionUrlConfigRequest {
            auth_type: Some(text("AuthType")?.unwrap_or_else(|| "NONE".to_owned())),
            invoke_mode: text("InvokeMode")?,
            cors: config.get("Cors").map(|cors| self.cors(cors)).transpose()?,
            ..Default::default()
        }))
    }

    fn cors(&self, cors: &Node) -> Result<Cors, TemplateError> {
        let list = |name: &str| -> Result<Option<Vec<String>>, TemplateError> {
            let Some(node) = cors.get(name) else {
                return Ok(None);
            };
            let property = self.property(&format!("FunctionUrlConfig.Cors.{name}"));
            match &node.content {
                Content::List(items) => items
                    .iter()
                    .map(|item| self.scope.text(item, &property))
                    .collect::<Result<_, _>>()
                    .map(Some),
                _ => self
                    .scope
                    .text(node, &property)
                    .map(|text| Some(vec![text])),
            }
        };
        let max_age = cors
            .get("MaxAge")
            .map(|node| self.scope.integer(node, "FunctionUrlConfig.Cors.MaxAge"));
        let credentials = cors
            .get("AllowCredentials")
            .map(|node| self.scope.text(node, "AllowCredentials"));
        Ok(Cors {
            allow_credentials: credentials.transpose()?.map(|text| text == "true"),
            allow_headers: list("AllowHeaders")?,
            allow_methods: list("AllowMethods")?,
            allow_origins: list("AllowOrigins")?,
            expose_headers: list("ExposeHeaders")?,
            max_age: max_age.transpose()?,
        })
    }

    fn event_invoke(
        &self,
        ignored: &mut Vec<String>,
    ) -> Result<Option<PutFunctionEventInvokeConfigRequest>, TemplateError> {
        let Some(config) = self.node("EventInvokeConfig") else {
            return Ok(None);
        };
        if config.get("DestinationConfig").is_some() {
            ignored.push(self.property("EventInvokeConfig.DestinationConfig"));
        }
        let integer = |name: &str| {
            let property = self.property(&format!("EventInvokeConfig.{name}"));
            config
                .get(name)
                .map(|node| self.scope.integer(node, &property))
                .transpose()
        };
        Ok(Some(PutFunctionEventInvokeConfigRequest {
            maximum_retry_attempts: integer("MaximumRetryAttempts")?,
            maximum_event_age_in_seconds: integer("MaximumEventAgeInSeconds")?,
            ..Default::default()
        }))
    }

    fn wrong_type(&self, node: &Node, name: &str, wanted: &'static str) -> TemplateError {
        let (property, found) = (self.property(name), node.noun().to_owned());
        TemplateError::new(
            node.line,
            Problem::Type {
                property,
                wanted,
                found,
            },
        )
    }
}
