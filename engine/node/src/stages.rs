//! The stage clock of one invocation.

use std::fmt;

/// How long each stage took, in microseconds. Stages that a hot start skips are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stages {
    /// From the request's arrival until an instance was chosen.
    pub queue_us: u64,
    /// Making the template of a seed that was not resident.
    pub restore_us: u64,
    /// Taking or making the sandbox; of a cold start, until the runtime was executed.
    pub sandbox_us: u64,
    /// Making the clone.
    pub fork_us: u64,
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
            + self.restore_us
            + self.sandbox_us
            + self.fork_us
            + self.runtime_init_us
            + self.user_init_us
            + self.handler_us
            + self.response_us
    }
}

/// `queue=1;restore=0;sandbox=2;fork=0;runtime_init=3;user_init=4;handler=5;response=6`, in microseconds: the value of
/// the `X-Offshoot-Stages` header.
impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "queue={};restore={};sandbox={};fork={};runtime_init={};user_init={};handler={};response={}",
            self.queue_us,
            self.restore_us,
            self.sandbox_us,
            self.fork_us,
            self.runtime_init_us,
            self.user_init_us,
            self.handler_us,
            self.response_us
        )
    }
}
