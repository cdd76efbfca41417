//! The seed of a language runtime: a process that is up and has no function yet. Level 1 of the tree of seeds.

use std::sync::Arc;

use offshoot_sandbox::{CodeDirs, SandboxSpec};

use super::make::{Seeding, ensure};
use super::{Seeds, State, Version, name};
use crate::conversation::{Silence, hear};
use crate::create::{sandbox_spec, start};
use crate::credentials::Purpose;
use crate::failure::INIT_REQUEST;
use crate::instance::Instance;
use crate::message::Message;
use crate::{CreateFailure, Failure, InstanceSpec, Node, NodeError, environment};

/// The seed of a runtime, as the porter knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeSeed {
    /// Its name: the same for all functions that may begin in a clone of it.
    pub name: Arc<str>,
    /// How much of the disk its image takes, in bytes: 0 if that is not known. None if there is no image.
    pub image_bytes: Option<u64>,
}

/// Stands in the place of a version.
pub(super) const LABEL: &str = "runtime";

impl Seeds {
    /// The seed of the runtime of a function, whatever is known of it; none if the function cannot begin in one.
    pub(crate) fn runtime(&self, spec: &InstanceSpec) -> Option<Arc<Version>> {
        if !self.of_runtimes || !environment::begins_in_runtime_seed(spec) {
            return None;
        }
        let name = name::of_runtime(spec).ok()?;
        Some(self.known(name, 0, || (spec.runtime.name().into(), LABEL.into())))
    }

    /// What the porter is told of it.
    pub(crate) fn runtime_info(&self, spec: &InstanceSpec) -> Option<RuntimeSeed> {
        let runtime = self.runtime(spec)?;
        Some(RuntimeSeed {
            name: runtime.name.as_str().into(),
            image_bytes: match runtime.state() {
                State::Resident(templates) => Some(templates.first().stored_bytes()),
                State::Stored => Some(0),
                State::Unknown | State::Absent | State::Refused(_) => None,
            },
        })
    }

    /// Waits until the seed of a runtime has come or gone.
    pub(crate) async fn runtimes_changed(&self) {
        self.runtimes_changed.notified().await;
    }
}

/// Makes the seed of a function's runtime, unless there is one or it is known that there cannot be one.
///
/// # Errors
/// Why it failed this time.
pub(crate) async fn make(
    node: &Node,
    seeds: &Seeds,
    spec: Arc<InstanceSpec>,
) -> Result<Seeding, CreateFailure> {
    let Some(runtime) = seeds.runtime(&spec) else {
        return Ok(Seeding::Refused(
            "the function needs a start of its own".into(),
        ));
    };
    ensure(
        node,
        seeds,
        &runtime,
        &spec,
        seeds.rules().shapes(),
        async || begin(node, Arc::clone(&spec)).await,
    )
    .await
}

/// A runtime that waits for a function.
pub(super) async fn begin(node: &Node, spec: Arc<InstanceSpec>) -> Result<Instance, CreateFailure> {
    let mut instance = start(node, spec, furnish, Purpose::Runtime).await?;
    let broken = |how: &str| Failure::broke_protocol(INIT_REQUEST, how);
    let failure = match hear(&mut instance).await {
        Ok(Message::Booted) => return Ok(instance),
        Ok(Message::InitError { error_type, body }) => Failure::raised(body, error_type),
        Ok(_) => broken("it did not say that it is up"),
        Err(Silence::Exited(exit)) => Failure::exited(INIT_REQUEST, exit, false),
        Err(Silence::Protocol(how)) => broken(&how),
    };
    node.end(instance);
    Err(CreateFailure::Function(failure))
}

/// The sandbox of a function, without anything of the function.
fn furnish(spec: &InstanceSpec, id: String, stream: &str) -> Result<SandboxSpec, NodeError> {
    Ok(SandboxSpec {
        env: environment::runtime_variables(spec.runtime),
        code: CodeDirs {
            task: None,
            layers: Vec::new(),
        },
        ..sandbox_spec(spec, id, stream)?
    })
}
