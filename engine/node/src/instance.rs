//! One running execution environment.

use std::sync::Arc;
use std::time::Duration;

use offshoot_sandbox::Sandbox;

use crate::InstanceSpec;
use crate::alarm::Alarm;
use crate::capture::OutputPipe;
use crate::logs::Scribe;
use crate::transport::Transport;

/// An instance; owned by whoever it works for, so that it has one event at a time.
#[derive(Debug)]
pub struct Instance {
    pub(crate) spec: Arc<InstanceSpec>,
    pub(crate) sandbox: Sandbox,
    pub(crate) transport: Transport,
    pub(crate) output: OutputPipe,
    pub(crate) scribe: Scribe,
    pub(crate) alarm: Alarm,
    /// How it was made; taken by its first event.
    pub(crate) birth: Option<Birth>,
}

/// How long the stages of making an instance took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Birth {
    pub(crate) sandbox: Duration,
    pub(crate) runtime_init: Duration,
    pub(crate) user_init: Duration,
}

impl Birth {
    /// What Lambda calls Init Duration: runtime and user code.
    pub(crate) fn init(&self) -> Duration {
        self.runtime_init + self.user_init
    }
}

impl Instance {
    /// What it was made from.
    pub fn spec(&self) -> &Arc<InstanceSpec> {
        &self.spec
    }

    /// Its name in logs.
    pub fn id(&self) -> &str {
        self.scribe.stream()
    }
}
