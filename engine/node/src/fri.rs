//! The Function Runtime Interface.

use std::future::Future;
use std::sync::Arc;

use crate::{
    Activated, CreateFailure, Event, InstanceSpec, MachineReading, Memory, NodeError, Outcome,
    Reply, Rung, RuntimeSeed, Seeding, TemplateInfo,
};

/// What the porter may ask of a node; see the crate's documentation.
pub trait Fri: Send + Sync + 'static {
    /// A share of one running execution environment of a function version: the only one, unless it is [shared](Fri::share).
    type Instance: Send + 'static;

    /// Makes an instance the ordinary way: new sandbox, new process, runtime and user code initialised.
    fn create(
        &self,
        spec: Arc<InstanceSpec>,
    ) -> impl Future<Output = Result<Self::Instance, CreateFailure>> + Send;

    /// Makes an instance as a clone of the version's seed; none if there is no seed. If it is `parked`, everything is done
    /// but to go on. A template that is made for it has its pages where `memory` says.
    fn fork(
        &self,
        spec: Arc<InstanceSpec>,
        parked: bool,
        memory: Memory,
    ) -> impl Future<Output = Result<Option<Self::Instance>, NodeError>> + Send;

    /// Makes the version's seed, if there is none: work of some hundred milliseconds, for the background.
    fn seed(
        &self,
        spec: Arc<InstanceSpec>,
    ) -> impl Future<Output = Result<Seeding, CreateFailure>> + Send;

    /// Makes the version's seed anew. The old one serves until the new one is there; if that fails, there is none.
    fn renew(
        &self,
        spec: Arc<InstanceSpec>,
    ) -> impl Future<Output = Result<Seeding, CreateFailure>> + Send;

    /// Makes the version's template, if it has an image, with its pages where `memory` says; whether it has a template now. One
    /// whose pages live elsewhere serves until its successor is there, and goes on if that fails.
    fn warm(
        &self,
        spec: Arc<InstanceSpec>,
        memory: Memory,
    ) -> impl Future<Output = Result<bool, NodeError>> + Send;

    /// Ends the version's template; its image stays.
    fn chill(&self, spec: &InstanceSpec);

    /// The templates that are at hand, of all versions.
    fn templates(&self) -> Vec<TemplateInfo>;

    /// The seed of a runtime in whose clone a version may begin, whether it is there or not; none if the version begins in none.
    fn runtime_seed(&self, spec: &InstanceSpec) -> Option<RuntimeSeed>;

    /// Makes the seed of a version's runtime anew, if there is one. The old one serves until the new one is there, and goes on if
    /// that fails; its image stays for as long as the image of a version's seed is a difference to it.
    fn renew_runtime(
        &self,
        spec: Arc<InstanceSpec>,
    ) -> impl Future<Output = Result<Seeding, CreateFailure>> + Send;

    /// Waits until some runtime's seed has come or gone since this was last waited for. For one who waits at a time.
    fn runtime_seeds_changed(&self) -> impl Future<Output = ()> + Send;

    /// How much of the disk the version's image takes, in bytes, if one is known to be there; no waiting.
    fn image_bytes(&self, spec: &InstanceSpec) -> Option<u64>;

    /// Ends the seeds of a function's version that has changed or gone, or of all its versions; but not one that serves `now` as
    /// well, which is what the version has become.
    fn forget_seeds(
        &self,
        function: Arc<str>,
        version: Option<Arc<str>>,
        now: Option<Arc<InstanceSpec>>,
    ) -> impl Future<Output = ()> + Send;

    /// Makes two shares of one, so that the instance can handle another event at the same time. Not more of them may be at work
    /// than the specification's `concurrency`. Does not wait; the caller is on a tokio runtime.
    fn share(&self, instance: Self::Instance) -> (Self::Instance, Self::Instance);

    /// Has `instance` handle one event. The share comes back unless the instance takes no more events; others of its shares
    /// finish theirs.
    fn activate(
        &self,
        instance: Self::Instance,
        event: Event,
        reply: Reply,
    ) -> impl Future<Output = Activated<Self::Instance>> + Send;

    /// Ends an instance and everything it owns in the kernel; of one that is shared, when no share is at work. It ends, too, when its
    /// last share is dropped.
    fn retire(&self, instance: Self::Instance) -> impl Future<Output = ()> + Send;

    /// Whether an idle instance still has a live process; cheap, no waiting.
    fn is_alive(&self, instance: &Self::Instance) -> bool;

    /// The rung that the instance's next event starts from: hot, unless that is its first one.
    fn rung(&self, instance: &Self::Instance) -> Rung;

    /// The most memory that the instance used at once, in bytes, without what it shares with its seed; one system call.
    fn own_bytes(&self, instance: &Self::Instance) -> Option<u64>;

    /// What the machine says about memory and processors: a dozen system calls.
    fn read_machine(&self) -> MachineReading;

    /// Whether less wants to run now than there are processors: three system calls.
    fn has_idle_processor(&self) -> bool;

    /// The outcome of an event whose instance failed to initialise: the log lines and the answer that Lambda
    /// gives then.
    fn report_init_failure(
        &self,
        spec: &InstanceSpec,
        event: &Event,
        failure: crate::Failure,
    ) -> Outcome;
}
