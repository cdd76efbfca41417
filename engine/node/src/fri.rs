//! The Function Runtime Interface.

use std::future::Future;
use std::sync::Arc;

use crate::{Activated, CreateFailure, Event, InstanceSpec, Outcome, Reply};

/// What the porter may ask of a node; see the crate's documentation.
pub trait Fri: Send + Sync + 'static {
    /// One running execution environment of a function version.
    type Instance: Send + 'static;

    /// Makes an instance the ordinary way: new sandbox, new process, runtime and user code initialised.
    fn create(
        &self,
        spec: Arc<InstanceSpec>,
    ) -> impl Future<Output = Result<Self::Instance, CreateFailure>> + Send;

    /// Has `instance` handle one event. The instance comes back unless the event was its end.
    fn activate(
        &self,
        instance: Self::Instance,
        event: Event,
        reply: Reply,
    ) -> impl Future<Output = Activated<Self::Instance>> + Send;

    /// Ends an instance and everything it owns in the kernel.
    fn retire(&self, instance: Self::Instance) -> impl Future<Output = ()> + Send;

    /// Whether an idle instance still has a live process; cheap, no waiting.
    fn is_alive(&self, instance: &Self::Instance) -> bool;

    /// The outcome of an event whose instance failed to initialise: the log lines and the answer that Lambda
    /// gives then.
    fn report_init_failure(
        &self,
        spec: &InstanceSpec,
        event: &Event,
        failure: crate::Failure,
    ) -> Outcome;
}
