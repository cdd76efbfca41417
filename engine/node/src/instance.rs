//! One running execution environment.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use offshoot_sandbox::Sandbox;
use offshoot_seed::Seed;

use crate::alarm::Alarm;
use crate::capture::OutputPipe;
use crate::credentials::Endpoint;
use crate::crowd::Crowd;
use crate::logs::{Scribe, Start};
use crate::secrets::ClonesOwn;
use crate::seeds::{Listed, Version};
use crate::transport::Transport;
use crate::{InstanceSpec, Node, Rung};

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
    /// Wakes a parked clone; taken by its first event.
    pub(crate) wake: Option<OwnedFd>,
    /// The seed that it is a clone of, and its number there.
    pub(crate) origin: Option<(Arc<Seed>, u64)>,
    /// Its place among the clones that live, if it is one.
    pub(crate) listed: Option<Listed>,
    /// The seed that learns of it, if it is a watched clone.
    pub(crate) watched: Option<Arc<Version>>,
    /// What a clone is told before its first event; taken by that.
    pub(crate) own: ClonesOwn,
    /// Answers for the credentials of its role, if they are known. Closed before the sandbox is given back.
    pub(crate) credentials: Option<Endpoint>,
}

/// A share of an instance, which has one event at a time.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an instance that is alone costs no allocation for each event"
)]
pub enum Share {
    /// The only one.
    Alone(Instance),
    /// One of several; the instance belongs to the task behind.
    OfMany(Arc<Crowd>),
}

impl Share {
    /// Makes two of one.
    pub(crate) fn share(self, node: &Node) -> (Self, Self) {
        let crowd = match self {
            Self::Alone(instance) => Crowd::begin(node, instance),
            Self::OfMany(crowd) => crowd,
        };
        (Self::OfMany(Arc::clone(&crowd)), Self::OfMany(crowd))
    }
}

/// How long the stages of making an instance took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Birth {
    /// The rung that it came from.
    pub(crate) rung: Rung,
    /// Making the template.
    pub(crate) restore: Duration,
    pub(crate) sandbox: Duration,
    /// Making the clone.
    pub(crate) fork: Duration,
    pub(crate) runtime_init: Duration,
    pub(crate) user_init: Duration,
}

impl Birth {
    /// What Lambda calls Init Duration: runtime and user code; of a clone, Restore Duration: its template, if that was
    /// made, and itself. A parked one was made before anybody asked for it.
    pub(crate) fn start(&self) -> Start {
        match self.rung {
            Rung::Hot | Rung::Level1 | Rung::Cold => {
                Start::Init(self.runtime_init + self.user_init)
            }
            Rung::Parked => Start::Restore(Duration::ZERO),
            Rung::Clone | Rung::Restore => Start::Restore(self.restore + self.fork),
        }
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
