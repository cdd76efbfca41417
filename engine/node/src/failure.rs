//! How functions and nodes fail, and the error objects that Lambda's callers see.

use bytes::Bytes;
use offshoot_sandbox::Exit;
use offshoot_seed::{ForkError, SeedError};
use serde_json::json;

/// Stands for a request id while an instance initialises: it may be made for nobody in particular.
pub(crate) const INIT_REQUEST: &str = "init";

/// A failure of the function: answered with status 200 and `X-Amz-Function-Error: Unhandled`.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What kind of failure, for metrics and the log.
    pub kind: FailureKind,
    /// Lambda's `errorType`.
    pub error_type: String,
    /// The error object, JSON.
    pub body: Bytes,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The handler (or its init) raised; the runtime described it.
    Raised,
    /// It did not answer in time.
    TimedOut,
    /// Its process ended.
    Exited,
    /// It used more memory than it has.
    OutOfMemory,
    /// Its response was too long.
    TooLarge,
}

impl FailureKind {
    /// The word for it in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::TimedOut => "timeout",
            Self::Exited => "exit",
            Self::OutOfMemory => "oom",
            Self::TooLarge => "response_too_large",
        }
    }
}

impl Failure {
    /// An error object that the runtime itself sent.
    pub fn raised(body: Bytes, error_type: Option<String>) -> Self {
        #[derive(serde::Deserialize)]
        struct Object {
            #[serde(rename = "errorType")]
            error_type: Option<String>,
        }
        let error_type = error_type
            .or_else(|| serde_json::from_slice::<Object>(&body).ok()?.error_type)
            .unwrap_or_else(|| "Unhandled".to_owned());
        Self {
            kind: FailureKind::Raised,
            error_type,
            body,
        }
    }

    /// `Sandbox.Timedout`, after `timeout_s` seconds.
    pub fn timed_out(request_id: &str, timeout_s: f64) -> Self {
        let message =
            format!("RequestId: {request_id} Error: Task timed out after {timeout_s:.2} seconds");
        Self::described(FailureKind::TimedOut, "Sandbox.Timedout", &message)
    }

    /// The process ended before it answered.
    pub fn exited(request_id: &str, exit: Exit, out_of_memory: bool) -> Self {
        let reason = match exit {
            Exit::Exited(0) => "Runtime exited without providing a reason".to_owned(),
            Exit::Exited(status) => format!("Runtime exited with error: exit status {status}"),
            Exit::Signaled(signal) => {
                format!("Runtime exited with error: signal: {}", signal_name(signal))
            }
            Exit::Lost => "Runtime exited with error: the sandbox was lost".to_owned(),
        };
        let message = format!("RequestId: {request_id} Error: {reason}");
        if out_of_memory {
            Self::described(FailureKind::OutOfMemory, "Runtime.OutOfMemory", &message)
        } else {
            Self::described(FailureKind::Exited, "Runtime.ExitError", &message)
        }
    }

    /// The failure of an init, told to the request that waited for it: only our own texts name a request.
    pub(crate) fn of_request(mut self, request_id: &str) -> Self {
        if self.kind != FailureKind::Raised
            && let Ok(text) = std::str::from_utf8(&self.body)
        {
            let ours = format!("RequestId: {INIT_REQUEST} ");
            self.body = text
                .replacen(&ours, &format!("RequestId: {request_id} "), 1)
                .into();
        }
        self
    }

    /// The runtime broke the protocol; its sandbox was ended.
    pub fn broke_protocol(request_id: &str, how: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: Runtime broke the protocol: {how}");
        Self::described(FailureKind::Exited, "Runtime.ExitError", &message)
    }

    /// `Function.ResponseSizeTooLarge`.
    pub fn too_large(len_bytes: u64) -> Self {
        let message = format!(
            "Response payload size ({len_bytes} bytes) exceeded maximum allowed payload size ({} bytes).",
            offshoot_channel::MAX_RESPONSE_BYTES
        );
        Self::described(
            FailureKind::TooLarge,
            "Function.ResponseSizeTooLarge",
            &message,
        )
    }

    fn described(kind: FailureKind, error_type: &str, message: &str) -> Self {
        let body = json!({ "errorType": error_type, "errorMessage": message }).to_string();
        Self {
            kind,
            error_type: error_type.to_owned(),
            body: body.into(),
        }
    }
}

/// Lambda prints Go's signal descriptions (`os.ProcessState`).
fn signal_name(signal: i32) -> String {
    match signal {
        4 => "illegal instruction".to_owned(),
        6 => "aborted".to_owned(),
        7 => "bus error".to_owned(),
        8 => "floating point exception".to_owned(),
        9 => "killed".to_owned(),
        11 => "segmentation fault".to_owned(),
        15 => "terminated".to_owned(),
        31 => "bad system call".to_owned(),
        other => format!("signal {other}"),
    }
}

/// Why no instance could be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateFailure {
    /// The function's own init failed; its caller gets the error object.
    #[error("the function failed to initialise ({})", .0.error_type)]
    Function(Failure),
    /// The node failed; the caller may try again.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why the node could not do its part.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No sandbox.
    #[error("cannot make a sandbox for function {function}")]
    Sandbox {
        /// The function.
        function: String,
        /// Why not.
        #[source]
        source: offshoot_sandbox::CreateError,
    },
    /// No channel or log pipe.
    #[error("cannot make the {what} of an instance of function {function}")]
    Pipe {
        /// Which of its files.
        what: &'static str,
        /// The function.
        function: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No seed, or no template of it.
    #[error("function {function} has no seed to clone")]
    Seed {
        /// The function.
        function: String,
        /// Why not.
        #[source]
        source: Box<SeedError>,
    },
    /// There can be no seed.
    #[error("function {function} cannot be a seed: {why}")]
    Unseedable {
        /// The function.
        function: String,
        /// Why not.
        why: String,
    },
    /// No clone.
    #[error("no clone of function {function}")]
    Fork {
        /// The function.
        function: String,
        /// Why not.
        #[source]
        source: ForkError,
    },
    /// What a clone must be told does not fit into a frame.
    #[error(
        "function {function} has secret variables of {len_bytes} bytes, of which a clone can be told {limit_bytes}"
    )]
    ResumeTooLong {
        /// The function.
        function: String,
        /// Their length as JSON, in bytes.
        len_bytes: usize,
        /// The most that fits.
        limit_bytes: usize,
    },
    /// The node makes no more sandboxes.
    #[error("the node is shut down")]
    ShutDown,
    /// Neither `/var/task/bootstrap` nor `/opt/bootstrap`.
    #[error("function {function} has no executable bootstrap in its package or layers")]
    NoBootstrap {
        /// The function.
        function: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_read_as_on_lambda() {
        let exited = Failure::exited("r", Exit::Exited(3), false);
        assert_eq!(
            exited.body,
            r#"{"errorMessage":"RequestId: r Error: Runtime exited with error: exit status 3","errorType":"Runtime.ExitError"}"#
        );
        let killed = Failure::exited("r", Exit::Signaled(9), true);
        assert_eq!(killed.error_type, "Runtime.OutOfMemory");
    }

    #[test]
    fn a_failed_init_names_the_request_that_waited() {
        let failure = Failure::exited(INIT_REQUEST, Exit::Exited(1), false).of_request("r");
        assert!(String::from_utf8_lossy(&failure.body).contains("RequestId: r Error"));
        let own =
            Failure::raised(Bytes::from_static(b"\"RequestId: init \""), None).of_request("r");
        assert_eq!(own.body, "\"RequestId: init \"");
    }

    #[test]
    fn error_type_comes_from_the_object_when_the_runtime_names_none() {
        let body = Bytes::from_static(br#"{"errorType":"KeyError","errorMessage":"'a'"}"#);
        assert_eq!(Failure::raised(body, None).error_type, "KeyError");
        assert_eq!(
            Failure::raised(Bytes::from_static(b"no json"), None).error_type,
            "Unhandled"
        );
    }
}
