//! Running asynchronous events.

use std::sync::Arc;
use std::time::Duration;

use offshoot_events::{Policy, Ran, Runner};
use offshoot_node::{Answer, Event, Reply};
use offshoot_state::Event as QueuedEvent;

use crate::Dispatch;

/// Runs queued events through the same door as synchronous ones.
pub struct AsyncRunner {
    dispatch: Arc<Dispatch>,
}

impl AsyncRunner {
    /// A runner.
    pub fn new(dispatch: Arc<Dispatch>) -> Self {
        Self { dispatch }
    }
}

impl Runner for AsyncRunner {
    async fn run(&self, queued: &QueuedEvent) -> Ran {
        let Ok(found) = self
            .dispatch
            .find(&queued.function, queued.qualifier.as_deref())
        else {
            return Ran::Gone;
        };
        let event = Event {
            request_id: queued.request_id.as_str().into(),
            payload: queued.payload.clone(),
            invoked_arn: queued.invoked_arn.as_str().into(),
            trace_id: queued.trace_id.clone(),
            client_context: queued.client_context.clone(),
            cognito_identity: None,
            tenant_id: None,
            wants_tail: false,
            queued: Duration::ZERO,
        };
        let executed_version = found.version().to_owned();
        let outcome = match self.dispatch.invoke(&found, event, Reply::Whole).await {
            Ok(outcome) => outcome,
            Err(error) => {
                return Ran::Refused {
                    why: error.to_string(),
                };
            }
        };
        // Before the event leaves the queue, from which moment on its log is all that tells of it.
        outcome.log.write();
        match outcome.answer {
            Answer::Response(response) => Ran::Succeeded {
                response,
                executed_version,
            },
            Answer::Streamed => Ran::Succeeded {
                response: Default::default(),
                executed_version,
            },
            Answer::Failure(failure) => Ran::Failed {
                error_type: failure.error_type,
                response: failure.body,
                executed_version,
            },
        }
    }

    fn policy(&self, queued: &QueuedEvent) -> Policy {
        let found = self
            .dispatch
            .find(&queued.function, queued.qualifier.as_deref());
        found.map(|found| found.policy).unwrap_or_default()
    }
}
