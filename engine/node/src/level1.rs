//! Making an instance as a clone of its runtime's seed: the language runtime is up, and user code initialises in the clone.
//!
//! 1. [`create`] is the porter's `create`: it tries this rung and then the cold one.
//! 2. The runtime's seed is made in the background, after the first cold start that it could have spared
//!    ([`crate::seeds::runtime`]).
//! 3. A clone that ends before its function has said anything (a module of the function's own in the place of one that is
//!    loaded already) costs the cold start that it would have been, and no error. An error that user code raised is its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use offshoot_channel::ResumeMeta;

use crate::create::await_ready;
use crate::credentials::Purpose;
use crate::failure::INIT_REQUEST;
use crate::fork::{Wanted, fork_of};
use crate::instance::{Birth, Instance};
use crate::{
    CreateFailure, Failure, FailureKind, InstanceSpec, Memory, Node, NodeError, Rung, create,
    environment,
};

/// Makes an instance in which user code is initialised, in a clone of its runtime if that has a seed.
pub(crate) async fn create(
    node: &Node,
    spec: Arc<InstanceSpec>,
    purpose: Purpose,
) -> Result<Instance, CreateFailure> {
    if let Some(made) = try_create(node, &spec, purpose).await {
        return made;
    }
    let cold = create::create(node, Arc::clone(&spec), purpose).await;
    if cold.is_ok() {
        node.seed_runtime(spec);
    }
    cold
}

/// None if this rung has failed, or is not there.
async fn try_create(
    node: &Node,
    spec: &Arc<InstanceSpec>,
    purpose: Purpose,
) -> Option<Result<Instance, CreateFailure>> {
    let seeds = node.seeds()?;
    let runtime = seeds.runtime(spec)?;
    let wanted = Wanted {
        purpose,
        parked: false,
        // Every function of the runtime begins in its clones.
        memory: Memory::Local,
    };
    let forked = fork_of(node, seeds, &runtime, Arc::clone(spec), wanted).await;
    let mut instance = match forked {
        Ok(forked) => forked?,
        Err(error) => {
            fell(spec, &error);
            return None;
        }
    };
    match initialise(&mut instance).await {
        Ok(birth) => {
            instance.birth = Some(birth);
            Some(Ok(instance))
        }
        Err(failure) => {
            node.end(instance);
            if failure.kind == FailureKind::Exited {
                let why = String::from_utf8_lossy(&failure.body);
                let (function, runtime) = (&*spec.function, spec.runtime.name());
                tracing::info!(function, runtime, %why, "a clone of the runtime ended in init; it starts cold");
                return None;
            }
            Some(Err(CreateFailure::Function(failure)))
        }
    }
}

/// Gives a clone of the runtime its function, and waits until that is initialised.
async fn initialise(instance: &mut Instance) -> Result<Birth, Failure> {
    let begun = Instant::now();
    let variables = environment::variables(&instance.spec, instance.scribe.stream());
    let own = std::mem::take(&mut instance.own);
    let env: BTreeMap<&str, Option<&str>> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), Some(value.as_str())))
        .chain(own.variables())
        .collect();
    let sent = instance.transport.send_resume(&ResumeMeta { env }).await;
    sent.map_err(|error| Failure::broke_protocol(INIT_REQUEST, &error.to_string()))?;
    await_ready(instance).await?;
    Ok(Birth {
        rung: Rung::Level1,
        user_init: begun.elapsed(),
        ..instance.birth.take().unwrap_or_default()
    })
}

fn fell(spec: &InstanceSpec, error: &NodeError) {
    let error: &dyn std::error::Error = error;
    let (function, runtime) = (&*spec.function, spec.runtime.name());
    tracing::warn!(
        function,
        runtime,
        error,
        "no clone of the runtime; it starts cold"
    );
}
