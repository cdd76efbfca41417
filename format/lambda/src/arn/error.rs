//! Why an identifier does not name a function or layer here.

use crate::constraint::{Constraint, Shown, TextRule, Violation};
use crate::error::{ApiError, ErrorKind};
use crate::generated::rules;
use crate::limits::FUNCTION_NAME_MAX_CHARS;

/// Why an identifier does not name a function or layer of this installation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not of the form of a function identifier.
    #[error("`{value}` is not a function identifier")]
    Malformed {
        /// What was given, cut to a bounded length.
        value: String,
    },
    /// A well-formed name that is too long.
    #[error("function name `{name}` is longer than 64 characters")]
    NameTooLong {
        /// The name.
        name: String,
    },
    /// Not of the form of a qualifier.
    #[error("`{value}` is not a version or alias")]
    Qualifier {
        /// What was given.
        value: String,
    },
    /// A number that no version can have.
    #[error("there is no version `{version}`")]
    NoSuchVersion {
        /// The digits.
        version: String,
    },
    /// The identifier and the query string name different versions.
    #[error("the identifier's qualifier and the query's differ")]
    QualifierMismatch,
    /// Of another region.
    #[error("the function is of region {region}, this is {home}")]
    OtherRegion {
        /// The region that was named.
        region: String,
        /// The region that was asked.
        home: String,
    },
    /// Of another account or partition.
    #[error("{arn} is of another account")]
    OtherAccount {
        /// The resource.
        arn: String,
    },
    /// Not of the form of a layer name or layer ARN.
    #[error("`{value}` is not a layer identifier")]
    MalformedLayer {
        /// What was given, cut to a bounded length.
        value: String,
    },
}

impl IdError {
    pub(super) fn malformed(value: &str) -> Self {
        Self::Malformed {
            value: value.chars().take(1024).collect(),
        }
    }
}

impl From<IdError> for ApiError {
    fn from(error: IdError) -> Self {
        match error {
            IdError::Malformed { value } => {
                invalid("functionName", &value, &rules::NAMESPACED_FUNCTION_NAME)
            }
            IdError::MalformedLayer { value } => {
                invalid("layerName", &value, &rules::LAYER_NAME_OR_ARN)
            }
            IdError::Qualifier { value } => invalid(
                "qualifier",
                &value,
                &rules::NUMERIC_LATEST_PUBLISHED_OR_ALIAS_QUALIFIER,
            ),
            IdError::NameTooLong { name } => {
                let violation = Violation {
                    value: Shown::text(&name),
                    path: "functionName".into(),
                    constraint: Constraint::MaxLength(FUNCTION_NAME_MAX_CHARS),
                };
                let message = crate::constraint::message([&violation]);
                Self::new(ErrorKind::InvalidParameterValue, message)
            }
            IdError::NoSuchVersion { version } => Self::new(
                ErrorKind::ResourceNotFound,
                format!("Function not found: {version}"),
            ),
            IdError::QualifierMismatch => Self::new(
                ErrorKind::InvalidParameterValue,
                "The derived qualifier from the function name does not match the specified \
                 qualifier.",
            ),
            IdError::OtherRegion { region, home } => Self::new(
                ErrorKind::ResourceNotFound,
                format!("Functions from '{region}' are not reachable in this region ('{home}')"),
            ),
            IdError::OtherAccount { arn } => Self::new(
                ErrorKind::AccessDenied,
                format!("The caller is not authorized to perform this action on resource: {arn}"),
            ),
        }
    }
}

/// AWS's validation message for a value that fails `rule`, or that is refused although the
/// model's rule would take it.
fn invalid(path: &str, value: &str, rule: &TextRule) -> ApiError {
    let mut failing: Vec<Constraint> = rule.failures(value).collect();
    if failing.is_empty() {
        failing.extend(
            rule.pattern
                .as_ref()
                .map(|p| Constraint::Pattern(p.source())),
        );
    }
    let violations: Vec<Violation> = failing
        .into_iter()
        .map(|constraint| Violation {
            value: Shown::text(value),
            path: path.into(),
            constraint,
        })
        .collect();
    ApiError::new(
        ErrorKind::Validation,
        crate::constraint::message(&violations),
    )
}
