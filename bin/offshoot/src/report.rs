//! The one door where errors become what a user reads: a message, its causes, a hint, an exit code.

use std::error::Error;
use std::process::ExitCode;

use crate::api::ApiError;
use crate::config::ConfigError;
use crate::console::{Console, OutputError};

/// What kind of failure it is; scripts tell them apart by the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The thing asked for was tried and failed.
    Failed,
    /// The command line or an input file is wrong.
    Usage,
    /// The machine or the daemon is not ready for it.
    Environment,
    /// What was named does not exist.
    NotFound,
    /// It exists already, or is being changed by someone else.
    Conflict,
    /// The reader of our output went away; nobody is left to tell.
    ReaderGone,
}

impl Kind {
    /// The exit code, as `offshoot --help` lists them.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Environment => "environment",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::ReaderGone => "reader-gone",
        }
    }
}

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// What kind.
    pub kind: Kind,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// A failure with a message of its own.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
        }
    }

    /// A failure that `error` explains, sources included.
    pub fn from_error(kind: Kind, error: &dyn Error) -> Self {
        let mut failure = Self::new(kind, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            failure.causes.push(cause.to_string());
            source = cause.source();
        }
        // Libraries like to repeat their source in their own message.
        failure.causes.dedup();
        failure
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts `context` before the message, such as which of several functions it is about.
    pub fn within(mut self, context: &str) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Tells the user and gives the exit code.
    pub fn report(&self, console: &Console) -> ExitCode {
        if self.kind == Kind::ReaderGone {
            return ExitCode::SUCCESS;
        }
        if console.json_was_asked_for() {
            let error = serde_json::json!({ "error": {
                "kind": self.kind.name(),
                "message": self.message,
                "causes": self.causes,
                "hint": self.hint,
            }});
            crate::console::say(&error.to_string());
        } else {
            console.error(&self.message);
            for cause in &self.causes {
                crate::console::say(&format!("  because: {}", crate::console::visible(cause)));
            }
            if let Some(hint) = &self.hint {
                console.hint(hint);
            }
        }
        ExitCode::from(self.kind.exit_code())
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        let kind = if error.reader_is_gone() {
            Kind::ReaderGone
        } else {
            Kind::Failed
        };
        Self::from_error(kind, &error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let failure = Self::from_error(Kind::Usage, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let kind = match &error {
            ApiError::Endpoint { .. } => Kind::Usage,
            ApiError::Unreachable { .. } | ApiError::Sign(_) => Kind::Environment,
            ApiError::Refused { status, .. } => match status.as_u16() {
                401 | 403 => Kind::Environment,
                404 => Kind::NotFound,
                409 | 412 => Kind::Conflict,
                _ => Kind::Failed,
            },
            ApiError::TimedOut { .. } | ApiError::Cut { .. } | ApiError::Malformed { .. } => {
                Kind::Failed
            }
        };
        let failure = Self::from_error(kind, &error);
        match api_hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn api_hint(error: &ApiError) -> Option<&'static str> {
    match error {
        ApiError::Unreachable { .. } => {
            Some("start the daemon with `offshoot serve`, or name another with --endpoint")
        }
        ApiError::Refused { status, .. } => match status.as_u16() {
            401 | 403 => Some(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a pair of the daemon's [auth] access_keys, \
                 and --region to its region",
            ),
            413 => Some("a zip may have 50 MB; move large dependencies into layers"),
            429 => Some(
                "try again in a moment; [limits] in offshoot.toml sets how much may run at once",
            ),
            _ => None,
        },
        ApiError::Cut { .. } => Some("see what the daemon said about it in its log"),
        _ => None,
    }
}

impl From<crate::template::TemplateError> for Failure {
    fn from(error: crate::template::TemplateError) -> Self {
        let failure = Self::from_error(Kind::Usage, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<crate::deploy::PlanError> for Failure {
    fn from(error: crate::deploy::PlanError) -> Self {
        use crate::deploy::PlanError;
        let kind = match &error {
            PlanError::Missing { .. } => Kind::NotFound,
            PlanError::Read { .. } => Kind::Failed,
            _ => Kind::Usage,
        };
        let failure = Self::from_error(kind, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<crate::deploy::BundleError> for Failure {
    fn from(error: crate::deploy::BundleError) -> Self {
        let failure = Self::from_error(Kind::Failed, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<crate::deploy::InstallError> for Failure {
    fn from(error: crate::deploy::InstallError) -> Self {
        let kind = if error.lacks_a_tool() {
            Kind::Environment
        } else {
            Kind::Failed
        };
        let failure = Self::from_error(kind, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn each_refusal_has_its_exit_code() {
        let code = |status| {
            Failure::from(ApiError::Refused {
                operation: "Invoke",
                status,
                kind: String::new(),
                message: String::new(),
            })
            .kind
            .exit_code()
        };
        assert_eq!(code(StatusCode::NOT_FOUND), 4);
        assert_eq!(code(StatusCode::CONFLICT), 5);
        assert_eq!(code(StatusCode::FORBIDDEN), 3);
        assert_eq!(code(StatusCode::BAD_REQUEST), 1);
    }
}
