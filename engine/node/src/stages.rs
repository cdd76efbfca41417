//! The stage clock of one invocation.

use std::fmt;

/// How long each stage took, in microseconds. Stages that a hot start skips are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stages {
    /// From the request's arrival until an instance was chosen.
    pub queue_us: u64,
    /// Making the sandbox, until the runtime was executed.
    pub sandbox_us: u64,
    /// From there until the language runtime was up.
    pub runtime_init_us: u64,
    /// Loading and initialising the user's code.
    pub user_init_us: u64,
    /// From the event's delivery to the response's first byte.
    pub handler_us: u64,
    /// From there until the whole response was there.
    pub response_us: u64,
}

impl Stages {
    /// All stages together, in microseconds.
    pub const fn total_us(&self) -> u64 {
        self.queue_us
            + self.sandbox_us
            + self.runtime_init_us
            + self.user_init_us
            + self.handler_us
            + self.response_us
    }
}

/// `queue=1;sandbox=2;runtime_init=3;user_init=4;handler=5;response=6`, in microseconds: the value of the
/// `X-Offshoot-Stages` header.
impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "queue={};sandbox={};runtime_init={};user_init={};handler={};response={}",
            self.queue_us,
            self.sandbox_us,
            self.runtime_init_us,
            self.user_init_us,
            self.handler_us,
            self.response_us
        )
    }
}
