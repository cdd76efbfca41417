//! Threads that do the same thing at once.

use std::sync::Barrier;
use std::thread;

use anyhow::{Context, anyhow};
use offshoot_sandbox::Hand;

/// Has each member do its work on a thread of its own, which is a hand. They begin together, when all threads are there; the
/// results come in the order of the members.
pub(super) fn at_once<M: Send, T: Send>(
    members: Vec<M>,
    work: impl Fn(&Hand, M) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let together = Barrier::new(members.len());
    let (work, together) = (&work, &together);
    let body = move |member| {
        let hand = Hand::of_this_thread();
        // Even without one, or all others would wait for ever.
        together.wait();
        work(&hand.context("a thread cannot enter sandboxes")?, member)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = members
            .into_iter()
            .map(|member| scope.spawn(move || body(member)))
            .collect();
        let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
        // All are waited for before the first failure is told.
        let ended: Vec<_> = ended
            .map(|result| result.map_err(|_| anyhow!("a thread panicked"))?)
            .collect();
        ended.into_iter().collect()
    })
}

/// Has each member do its work `times` times, each time together with all others: nobody begins anew before all are back. So
/// as many do it at once as there are members, but no more is to be done than that, and no thread is kept from its work
/// because it has used up the time that the scheduler gives to one of many.
pub(super) fn in_step<M: Send, T: Send>(
    members: Vec<M>,
    times: u64,
    work: impl Fn(&Hand, &mut M) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<Vec<T>>> {
    let together = Barrier::new(members.len());
    let (work, together) = (&work, &together);
    at_once(members, move |hand, mut member| {
        let one = |_| {
            together.wait();
            work(hand, &mut member)
        };
        // All of them even if one fails: the others wait.
        let all: Vec<_> = (0..times).map(one).collect();
        all.into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_work_at_the_same_time_and_results_keep_their_order() {
        // None comes through before all are inside, so this ends only if they overlap.
        let inside = Barrier::new(3);
        let found = at_once(vec![1, 2, 3], |_, member| {
            inside.wait();
            Ok(member * 10)
        });
        assert_eq!(found.unwrap(), [10, 20, 30]);
    }

    #[test]
    fn each_time_is_done_together_and_a_failure_keeps_nobody_waiting() {
        let found = in_step(vec![0, 10], 3, |_, member| {
            *member += 1;
            Ok(*member)
        });
        assert_eq!(found.unwrap(), [[1, 2, 3], [11, 12, 13]]);
        let found = in_step(vec![0, 10], 3, |_, member| {
            *member += 1;
            anyhow::ensure!(*member != 1, "the first fails");
            Ok(())
        });
        assert_eq!(found.unwrap_err().to_string(), "the first fails");
    }

    #[test]
    fn failure_of_one_is_told_after_all_have_ended() {
        let found = at_once(vec![1, 2], |_, member| {
            anyhow::ensure!(member != 1, "one fails");
            Ok(())
        });
        assert_eq!(found.unwrap_err().to_string(), "one fails");
    }
}
