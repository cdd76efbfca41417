//! Why a template cannot be deployed.

use std::path::{Path, PathBuf};

/// A problem with its place.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {problem}", file.display())]
pub struct TemplateError {
    /// The template.
    pub file: PathBuf,
    /// The line, from one.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a template.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is neither YAML nor JSON.
    #[error("{0}")]
    Syntax(String),
    /// It has no content.
    #[error("the template is empty")]
    Empty,
    /// It is too large, too deep or expands to too much.
    #[error("the template is too large or too deeply nested")]
    TooLarge,
    /// A key that stands twice in a mapping.
    #[error("the key {0} stands here a second time")]
    DuplicateKey(String),
    /// There is nothing to deploy.
    #[error("the template has no AWS::Serverless::Function")]
    NoFunction,
    /// A property of the wrong type or with a value that it cannot have.
    #[error("{property} must be {wanted}, not {found}")]
    Type {
        /// The property with its path.
        property: String,
        /// What it must be.
        wanted: &'static str,
        /// What stands there.
        found: String,
    },
    /// A property whose value only AWS would know.
    #[error("{property} uses {what}, which has no value here")]
    Unresolved {
        /// The property with its path.
        property: String,
        /// The expression.
        what: String,
    },
    /// A property that asks for what offshoot does not do.
    #[error("{property} {why}")]
    Unsupported {
        /// The property with its path.
        property: String,
        /// The rest of the sentence.
        why: &'static str,
    },
}

impl TemplateError {
    /// A problem in a file that is yet to be named.
    pub fn new(line: usize, problem: Problem) -> Self {
        Self {
            file: PathBuf::new(),
            line,
            problem,
        }
    }

    /// Names the file.
    pub fn within(mut self, file: &Path) -> Self {
        self.file = file.to_owned();
        self
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::Unresolved { property, .. } => Some(match property.rsplit_once("Environment.Variables.") {
                Some((_, name)) => format!("give the variable a value with --env {name}=..."),
                None => "write the value itself, give the parameter a Default, or pass --parameter NAME=VALUE"
                    .to_owned(),
            }),
            Problem::NoFunction => {
                Some("name the folder of one function instead, with --handler and --runtime".to_owned())
            }
            _ => None,
        }
    }
}
