//! SAM templates: every `AWS::Serverless::Function` of a `template.yaml`, as what to deploy.
//!
//! 1. [`yaml`] reads the file into a tree with lines and tags.
//! 2. Parameters, pseudo parameters and the functions' own names and ARNs make a [`resolve::Scope`].
//! 3. [`function::Reader`] reads each function, its own properties over the Globals.
//!
//! What offshoot has no part for (other resource types, event sources, policies) is listed, not an error:
//! the functions run all the same. The format is that of AWS's "SAM specification".

mod error;
mod function;
mod resolve;
mod yaml;

use std::collections::BTreeMap;
use std::path::Path;

pub use error::{Problem, TemplateError};
pub use function::SamFunction;
use resolve::Scope;
use yaml::{Content, Node};

const FUNCTION: &str = "AWS::Serverless::Function";

/// What a template says.
#[derive(Debug)]
pub struct Template {
    /// Its functions, in the order of the file.
    pub functions: Vec<SamFunction>,
    /// What has no effect here.
    pub ignored: Vec<String>,
}

/// What the template cannot know itself.
#[derive(Debug, Default)]
pub struct Givens {
    /// Values of parameters.
    pub parameters: BTreeMap<String, String>,
    /// Names of environment variables that are set by other means.
    pub variables: Vec<String>,
    /// The region for ARNs.
    pub region: String,
}

/// Reads the template in `text`, which `file` names in errors.
pub fn read(file: &Path, text: &str, givens: &Givens) -> Result<Template, TemplateError> {
    template(file, text, givens).map_err(|error| error.within(file))
}

fn template(file: &Path, text: &str, givens: &Givens) -> Result<Template, TemplateError> {
    let root = yaml::parse(text)?;
    let resources = root.get("Resources").map_or(&[][..], Node::entries);
    let scope = scope(file, &root, resources, givens);
    let (mut functions, mut ignored) = (Vec::new(), Vec::new());
    for (logical, resource) in resources {
        let kind = kind_of(resource);
        if kind != FUNCTION {
            ignored.push(format!("{logical} ({kind})"));
            continue;
        }
        let reader = function::Reader {
            scope: &scope,
            logical,
            own: resource.get("Properties"),
            globals: root
                .get("Globals")
                .and_then(|globals| globals.get("Function")),
            given: &givens.variables,
            line: resource.line,
        };
        let mut function = reader.read()?;
        ignored.append(&mut function.ignored);
        functions.push(function);
    }
    if functions.is_empty() {
        let line = root.get("Resources").map_or(1, |resources| resources.line);
        return Err(TemplateError::new(line, Problem::NoFunction));
    }
    Ok(Template { functions, ignored })
}

fn scope(file: &Path, root: &Node, resources: &[(String, Node)], givens: &Givens) -> Scope {
    let mut scope = Scope::default();
    let stack = std::path::absolute(file).ok();
    let stack = stack
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::file_name);
    let stack = stack.map_or_else(
        || "offshoot".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    for (name, value) in [
        ("AWS::Region", givens.region.as_str()),
        ("AWS::AccountId", "000000000000"),
        ("AWS::Partition", "aws"),
        ("AWS::URLSuffix", "amazonaws.com"),
        ("AWS::StackName", &stack),
    ] {
        scope.values.insert(name.to_owned(), value.to_owned());
    }
    for (name, parameter) in root.get("Parameters").map_or(&[][..], Node::entries) {
        let default = parameter.get("Default").map(|default| &default.content);
        if let Some(value) = givens.parameters.get(name) {
            scope.values.insert(name.clone(), value.clone());
        } else if let Some(Content::Scalar { text, .. }) = default {
            scope.values.insert(name.clone(), text.clone());
        } else if matches!(default, Some(Content::Null)) {
            scope.values.insert(name.clone(), String::new());
        }
    }
    for (logical, resource) in resources {
        let kind = kind_of(resource);
        if kind == FUNCTION {
            name_function(&mut scope, logical, resource, givens);
        } else {
            scope.resources.insert(logical.clone(), kind);
        }
    }
    scope
}

/// Functions may name each other: `!Ref` gives the name, `!GetAtt X.Arn` the ARN.
fn name_function(scope: &mut Scope, logical: &str, resource: &Node, givens: &Givens) {
    let name = resource
        .get("Properties")
        .and_then(|properties| properties.get("FunctionName"));
    let name = name
        .and_then(|node| scope.text(node, "FunctionName").ok())
        .unwrap_or_else(|| logical.to_owned());
    let arn = format!(
        "arn:aws:lambda:{}:000000000000:function:{name}",
        givens.region
    );
    scope.attributes.insert(format!("{logical}.Arn"), arn);
    scope.values.insert(logical.to_owned(), name);
}

fn kind_of(resource: &Node) -> String {
    match resource.get("Type").map(|kind| &kind.content) {
        Some(Content::Scalar { text, .. }) => text.clone(),
        _ => "no Type".to_owned(),
    }
}

#[cfg(test)]
mod tests;
