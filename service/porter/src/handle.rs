//! An event, from its admission to its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use offshoot_decide::End;
use offshoot_node::{Activated, Event, Fri, Outcome, Reply};

use crate::admit::Admitted;
use crate::climb::{Found, NoInstance};
use crate::{InvokeError, Porter, Target};

impl<F: Fri> Porter<F> {
    pub(crate) async fn handle(
        self: &Arc<Self>,
        target: Arc<Target>,
        mut event: Event,
        reply: Reply,
        mut admitted: Admitted<F>,
    ) -> Result<Outcome, InvokeError> {
        let arrived = event.queued;
        loop {
            let begun = Instant::now();
            let found = match admitted.take_ready() {
                Some(ready) => Ok(Found::ready(ready, None, Duration::ZERO)),
                None => self.climb(&target, &mut admitted, arrived, begun).await,
            };
            let found = match found {
                Ok(found) => found,
                Err(NoInstance::Init(failure)) => {
                    event.queued = arrived + begun.elapsed();
                    let outcome = self.node.report_init_failure(&target.spec, &event, failure);
                    target.metrics().handled(&outcome);
                    target.started(&self.starts, &event, &outcome);
                    return Ok(outcome);
                }
                Err(NoInstance::Error(error)) => return Err(error),
            };
            event.queued = arrived + found.waited;
            let activated = self
                .node
                .activate(found.instance, event.clone(), reply.clone())
                .await;
            drop(found.place);
            if activated.undelivered {
                // The rung failed before the handler saw the event: the next one may have it.
                match found.seat {
                    None => self.gone(1),
                    Some(seat) => admitted.lost(seat),
                }
                continue;
            }
            let Activated {
                outcome, instance, ..
            } = activated;
            let is_hot = !outcome.rung.is_first();
            // The place is free before the caller can hear the answer and come again.
            match (found.seat, instance) {
                (Some(seat), share) => self.leave(&target, &mut admitted, seat, share, is_hot),
                (None, Some(instance)) => {
                    self.keep(&target, &mut admitted, instance, found.bytes, is_hot);
                }
                (None, None) => {
                    self.gone(1);
                    admitted.ended(End::Gone, is_hot);
                }
            }
            tracing::Span::current().record("faas.coldstart", !is_hot);
            target.metrics().handled(&outcome);
            target.started(&self.starts, &event, &outcome);
            return Ok(outcome);
        }
    }
}
