//! An event's end, and its instance's way back.

use std::sync::atomic::Ordering;

use offshoot_decide::{End, FunctionId, Rung, Ticket};
use offshoot_node::Fri;

use crate::admit::Admitted;
use crate::shares::{Left, Seat, Vacant};
use crate::state::State;
use crate::{Porter, Target};

impl<F: Fri> Porter<F> {
    /// Ends an event whose instance may have others. When it was the last one, the instance is kept, or ends.
    pub(crate) fn leave(
        &self,
        target: &Target,
        admitted: &mut Admitted<F>,
        seat: Seat,
        share: Option<F::Instance>,
        is_hot: bool,
    ) {
        let measured = match &share {
            Some(share) if !is_hot && target.measures() => self.node.own_bytes(share),
            _ => None,
        };
        let born = admitted.rung().unwrap_or(Rung::Cold);
        let Some(mut ticket) = admitted.take_ticket() else {
            return;
        };
        let unkept = {
            let mut state = self.lock();
            let now = self.clock.now();
            if !is_hot {
                let bytes = state.size(ticket.function(), born, measured);
                state.shares.measured(seat, bytes);
            }
            let left = state.leave(seat, share.is_none(), Some(&mut ticket));
            let unkept = match left {
                Some(Left::Nobody(vacant)) => self.vacated(&mut state, ticket, vacant),
                Some(Left::Others) | None => {
                    state.core.ended(now, ticket, End::Shared);
                    None
                }
            };
            self.note(&mut state, !is_hot);
            unkept
        };
        if let Some((instance, bytes)) = unkept {
            self.end(instance, bytes);
        }
        self.count_instances();
    }

    /// The last event has left an instance: gives it back if it is not kept.
    fn vacated(
        &self,
        state: &mut State<F::Instance>,
        ticket: Ticket,
        vacant: Vacant<F::Instance>,
    ) -> Option<(F::Instance, u64)> {
        let now = self.clock.now();
        let Vacant {
            id,
            instance,
            bytes,
            ends,
            ..
        } = vacant;
        if ends {
            self.gone(1);
            state.core.ended(now, ticket, End::Gone);
            return None;
        }
        self.give_back(state, ticket, id, instance, bytes)
    }

    /// An instance without events is kept, or given back to be ended.
    fn give_back(
        &self,
        state: &mut State<F::Instance>,
        ticket: Ticket,
        id: FunctionId,
        instance: F::Instance,
        bytes: u64,
    ) -> Option<(F::Instance, u64)> {
        let (now, private_bytes) = (self.clock.now(), bytes);
        // Early destroy (AFaaS §4.1): clones are cheap, idle instances are not.
        if self.config.keep_alive.is_zero() {
            let end = match private_bytes {
                0 => End::Gone,
                private_bytes => End::Retired { private_bytes },
            };
            state.core.ended(now, ticket, end);
            return Some((instance, bytes));
        }
        state.core.ended(now, ticket, End::Idle { private_bytes });
        let unkept = state.slots.put_idle(id, instance, bytes).err();
        unkept.map(|instance| (instance, bytes))
    }

    fn count_instances(&self) {
        let idle = self.lock().slots.idle();
        let alive = self.alive.load(Ordering::Relaxed);
        self.metrics.set(idle, alive.saturating_sub(idle));
    }

    /// Ends the event, and keeps its instance or ends it.
    pub(crate) fn keep(
        &self,
        target: &Target,
        admitted: &mut Admitted<F>,
        instance: F::Instance,
        bytes: u64,
        is_hot: bool,
    ) {
        let measured = match is_hot {
            true => None,
            false => target.measures().then(|| self.node.own_bytes(&instance)),
        };
        let born = admitted.rung().unwrap_or(Rung::Cold);
        let Some(ticket) = admitted.take_ticket() else {
            return;
        };
        let id: FunctionId = ticket.function();
        let (unkept, idle) = {
            let mut state = self.lock();
            let bytes = match is_hot {
                true => bytes,
                false => state.size(id, born, measured.flatten()),
            };
            let unkept = self.give_back(&mut state, ticket, id, instance, bytes);
            self.note(&mut state, !is_hot);
            (unkept, state.slots.idle())
        };
        if let Some((instance, bytes)) = unkept {
            // In the background: the caller's answer does not wait for the kernel to tidy up.
            self.end(instance, bytes);
        }
        let alive = self.alive.load(Ordering::Relaxed);
        self.metrics.set(idle, alive.saturating_sub(idle));
    }
}
