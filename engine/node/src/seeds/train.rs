//! Training: what is to become a seed handles events first, so that clones find code compiled and caches filled.
//!
//! An event runs code of the tenant, whatever that does: no payload that anybody has sent is ever used, and nothing is made up
//! that looks like one. The tenant names the event, in the function's variable [`EVENT`]; without it a seed is not trained.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::activate::activate;
use crate::failure::INIT_REQUEST;
use crate::instance::Instance;
use crate::{Activated, Answer, CreateFailure, Event, Failure, InstanceSpec, Node, Reply};

/// The variable whose value, JSON, is handled by each seed of the function before it is frozen.
const EVENT: &str = "OFFSHOOT_TRAINING_EVENT";
/// How often: CPython 3.11 specialises code after eight runs, and V8 has compiled by then what it compiles early.
const ROUNDS: usize = 16;

/// Has an instance handle its function's training event, if it has one. Errors of the handler are logged, as ever, and no
/// reason against a seed.
pub(super) async fn train(node: &Node, mut instance: Instance) -> Result<Instance, CreateFailure> {
    let Some(event) = event(&instance.spec) else {
        return Ok(instance);
    };
    let function = Arc::clone(&instance.spec.function);
    for _ in 0..ROUNDS {
        let activated = activate(node, instance, event.clone(), Reply::Whole).await;
        let Activated {
            outcome,
            instance: left,
            ..
        } = activated;
        instance = match (left, outcome.answer) {
            (Some(instance), Answer::Failure(failure)) => {
                let why = failure.error_type;
                tracing::warn!(function = &*function, why, "the training event failed");
                return Ok(instance);
            }
            (Some(instance), _) => instance,
            (None, Answer::Failure(failure)) => return Err(CreateFailure::Function(failure)),
            (None, _) => {
                let failure = Failure::broke_protocol(INIT_REQUEST, "it ended in its training");
                return Err(CreateFailure::Function(failure));
            }
        };
    }
    Ok(instance)
}

fn event(spec: &InstanceSpec) -> Option<Event> {
    let payload = spec.env.get(EVENT).filter(|payload| !payload.is_empty())?;
    let (region, account, function) = (&spec.region, &spec.account_id, &spec.function);
    Some(Event {
        request_id: uuid::Uuid::new_v4().to_string().into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        invoked_arn: format!("arn:aws:lambda:{region}:{account}:function:{function}").into(),
        trace_id: None,
        client_context: None,
        cognito_identity: None,
        tenant_id: None,
        wants_tail: false,
        queued: Duration::ZERO,
    })
}
