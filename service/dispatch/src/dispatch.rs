//! Finding and invoking.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offshoot_catalog::{Catalog, CatalogError};
use offshoot_events::Policy;
use offshoot_node::{Event, InstanceSpec, LogBook, Node, Outcome, Reply};
use offshoot_package::PackageStore;
use offshoot_porter::{InvokeError, Porter, Target};
use uuid::Uuid;

use crate::snapshots::{Snapshot, Snapshots};
use crate::{NetworkPolicies, target};

/// What dispatching needs.
pub struct DispatchParts {
    /// The functions.
    pub catalog: Arc<Catalog>,
    /// Who chooses instances.
    pub porter: Arc<Porter<Node>>,
    /// Where packages are unpacked.
    pub packages: Arc<PackageStore>,
    /// What functions print.
    pub logs: Arc<LogBook>,
    /// What functions may reach of the network.
    pub network: NetworkPolicies,
    /// The region that functions are told.
    pub region: Arc<str>,
    /// The account that owns the functions.
    pub account_id: Arc<str>,
}

/// The way from a name to an answer.
pub struct Dispatch {
    pub(crate) parts: DispatchParts,
    targets: Mutex<Targets>,
    snapshots: Snapshots,
}

/// By function name, then by the version's revision and the reservation that it was built with.
type Targets = HashMap<Arc<str>, HashMap<(Uuid, Option<u32>), Arc<Target>>>;

/// A function version, found.
#[derive(Debug, Clone)]
pub struct Found {
    /// What the porter runs.
    pub target: Arc<Target>,
    /// The ARN as it was asked for.
    pub invoked_arn: Arc<str>,
    /// How its asynchronous events are treated.
    pub policy: Policy,
}

impl Found {
    /// `$LATEST` or the number of the version that runs.
    pub fn version(&self) -> &str {
        &self.target.spec.version
    }
}

impl Dispatch {
    /// A dispatch.
    pub fn new(parts: DispatchParts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            targets: Mutex::default(),
            snapshots: Snapshots::default(),
        })
    }

    /// The version that a name and a qualifier mean now; an alias with weights is drawn by chance.
    pub fn find(&self, function: &str, qualifier: Option<&str>) -> Result<Found, CatalogError> {
        // Only an alias is drawn.
        let draw = qualifier.map_or(0.0, |_| draw());
        let resolved = self.parts.catalog.resolve(function, qualifier, draw)?;
        let policy = target::policy(resolved.invoke_config.as_deref());
        let key = (resolved.version.key.revision, resolved.reserved_concurrency);
        let name = &resolved.version.key.function;
        let mut targets = self.lock();
        let known = targets
            .get(name)
            .and_then(|of_function| of_function.get(&key));
        let target = match known {
            Some(target) => Arc::clone(target),
            None => {
                let target = Arc::new(target::build(&self.parts, &resolved));
                let of_function = targets.entry(Arc::clone(name)).or_default();
                of_function.insert(key, Arc::clone(&target));
                target
            }
        };
        Ok(Found {
            target,
            invoked_arn: resolved.invoked_arn,
            policy,
        })
    }

    /// Has an event handled.
    pub async fn invoke(
        &self,
        found: &Found,
        event: Event,
        reply: Reply,
    ) -> Result<Outcome, InvokeError> {
        self.parts
            .porter
            .invoke(Arc::clone(&found.target), event, reply)
            .await
    }

    /// Ends idle instances of a function of which `version` has changed or gone (all of it without one), and the seeds but
    /// one that what the version has become can go on with.
    pub async fn changed(&self, function: &str, version: Option<&str>) {
        let function: Arc<str> = function.into();
        self.lock().remove(&function);
        self.snapshots.forget(&function, version);
        let found = version.and_then(|version| self.find(&function, Some(version)).ok());
        let now = found.map(|found| Arc::clone(&found.target.spec));
        let version = version.map(Arc::from);
        self.parts.porter.retire_function(&function, version, now);
    }

    /// Has the seed of a published version made, before anybody invokes it (Lambda SnapStart). It can be invoked meanwhile.
    pub fn prepare(&self, function: &str, version: &str) -> Result<(), CatalogError> {
        let found = self.find(function, Some(version))?;
        let done = self.snapshots.begin(function, version);
        self.parts.porter.prepare(found.target, done);
        Ok(())
    }

    /// Tells the porter of a version that was deployed: it may make its seed before the first event.
    pub fn deployed(&self, function: &str, version: &str) -> Result<(), CatalogError> {
        let found = self.find(function, Some(version))?;
        self.parts.porter.expect(&found.target);
        Ok(())
    }

    /// Tells the porter of a version that had a template in an earlier daemon: it may have one again before its first event.
    pub fn recall(&self, function: &str, version: &str) -> Result<(), CatalogError> {
        let found = self.find(function, Some(version))?;
        self.parts.porter.recall(&found.target);
        Ok(())
    }

    /// What instances of all versions are made from: seeds of others serve nobody.
    pub fn all_specs(&self) -> Vec<InstanceSpec> {
        let versions = self.parts.catalog.live_versions();
        let specs = versions
            .iter()
            .map(|version| target::spec(&self.parts, version));
        specs.collect()
    }

    /// How far that is.
    pub fn snapshot(&self, function: &str, version: &str) -> Snapshot {
        self.snapshots.of(function, version)
    }

    /// Removes what a deleted function leaves: instances and log.
    pub async fn deleted(&self, function: &str) {
        self.changed(function, None).await;
        if let Err(error) = self.parts.logs.remove(function) {
            tracing::warn!(function, %error, "the log of a deleted function stays");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Targets> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number in [0, 1) for weighted aliases.
fn draw() -> f64 {
    let bits = Uuid::new_v4().as_u128() as u32;
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}
