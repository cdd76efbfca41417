//! A semaphore that goes round the functions: one that has many events waiting does not keep those of other functions waiting
//! for all of them.
//!
//! Every second permit goes to the next function in turn, the others to the event that has waited longest. So the first event
//! of a function waits for two permits at most for each function that has events waiting, and none for more than
//! twice as many permits as in the order of coming: by turns alone, busy functions of a machine that is overloaded would wait without bound. Of one
//! function's events the first one that came is the first one served.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Gives out permits by turns.
#[derive(Debug, Clone)]
pub(crate) struct Fair(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    /// None while somebody waits.
    free: usize,
    /// Whose turn it is; each that is in `waiting` is here once.
    turns: VecDeque<Arc<str>>,
    /// Each function's events, with their numbers; none are left if they were served before its turn.
    waiting: HashMap<Arc<str>, VecDeque<(u64, oneshot::Sender<Permit>)>>,
    /// All events in the order of coming, also those that were served in turn.
    arrivals: VecDeque<(u64, Arc<str>)>,
    /// Counts those that had to wait.
    number: u64,
    /// Whether the next permit goes by turns.
    is_by_turns: bool,
}

/// Is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Option<Fair>);

impl Fair {
    pub(crate) fn new(permits: usize) -> Self {
        Self(Arc::new(Mutex::new(Line {
            free: permits,
            turns: VecDeque::new(),
            waiting: HashMap::new(),
            arrivals: VecDeque::new(),
            number: 0,
            is_by_turns: true,
        })))
    }

    /// A permit for an event of a function, as soon as it is its turn. None is lost if the caller gives up waiting.
    pub(crate) async fn acquire(&self, function: &Arc<str>) -> Permit {
        loop {
            let turn = {
                let mut line = self.lock();
                if let Some(permit) = line.take(self) {
                    return permit;
                }
                line.wait(function)
            };
            // Only a sender that was dropped gives none, and none is dropped before it has sent.
            if let Ok(permit) = turn.await {
                return permit;
            }
        }
    }

    /// A permit, if one is free; nobody waits then.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        self.lock().take(self)
    }

    /// Gives a permit to the next one who still waits for it.
    fn hand_on(&self) {
        loop {
            let Some(next) = self.lock().next_or_free() else {
                return;
            };
            // Out of the lock: a receiver that is dropped with the permit in it hands it on in its turn.
            match next.send(Permit(Some(self.clone()))) {
                Ok(()) => return,
                Err(mut unwanted) => unwanted.0 = None,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn take(&mut self, fair: &Fair) -> Option<Permit> {
        self.free = self.free.checked_sub(1)?;
        Some(Permit(Some(fair.clone())))
    }

    fn wait(&mut self, function: &Arc<str>) -> oneshot::Receiver<Permit> {
        let (sender, receiver) = oneshot::channel();
        self.number += 1;
        self.arrivals.push_back((self.number, Arc::clone(function)));
        if !self.waiting.contains_key(function) {
            self.turns.push_back(Arc::clone(function));
        }
        let events = self.waiting.entry(Arc::clone(function)).or_default();
        events.push_back((self.number, sender));
        receiver
    }

    /// Who is served next; without anybody a permit is free.
    fn next_or_free(&mut self) -> Option<oneshot::Sender<Permit>> {
        let is_by_turns = self.is_by_turns;
        self.is_by_turns = !is_by_turns;
        let next = if is_by_turns {
            self.next_in_turn()
        } else {
            self.oldest()
        };
        if next.is_none() {
            self.free += 1;
            self.is_by_turns = true;
            self.arrivals.clear();
            self.turns.clear();
            self.waiting.clear();
        }
        next
    }

    fn next_in_turn(&mut self) -> Option<oneshot::Sender<Permit>> {
        while let Some(function) = self.turns.pop_front() {
            let mut events = self.waiting.remove(&function).unwrap_or_default();
            let next = events.pop_front();
            if !events.is_empty() {
                self.waiting.insert(Arc::clone(&function), events);
                self.turns.push_back(function);
            }
            if let Some((_, next)) = next {
                return Some(next);
            }
        }
        None
    }

    fn oldest(&mut self) -> Option<oneshot::Sender<Permit>> {
        while let Some((number, function)) = self.arrivals.pop_front() {
            let events = self.waiting.get_mut(&function);
            // A later one is in front if this one was served.
            let is_there = |event: &mut (u64, _)| event.0 == number;
            let next = events.and_then(|events| events.pop_front_if(is_there));
            if let Some((_, next)) = next {
                return Some(next);
            }
        }
        None
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(fair) = self.0.take() {
            fair.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::task::{JoinHandle, yield_now};
    use tokio::time::timeout;

    use super::*;

    fn name(function: &str) -> Arc<str> {
        function.into()
    }

    /// Events that wait in this order, each of which says its function's name when it has its turn, and gives it back.
    async fn wait_in_line(
        fair: &Fair,
        functions: &[&str],
        order: &Arc<Mutex<Vec<String>>>,
    ) -> Vec<JoinHandle<()>> {
        let mut events = Vec::new();
        for function in functions {
            let (fair, order, function) = (fair.clone(), Arc::clone(order), name(function));
            events.push(tokio::spawn(async move {
                let _permit = fair.acquire(&function).await;
                order.lock().unwrap().push(function.to_string());
                yield_now().await;
            }));
            yield_now().await;
        }
        events
    }

    #[tokio::test]
    async fn turns_go_round_the_functions_and_every_other_one_to_the_oldest() {
        let fair = Fair::new(1);
        let first = fair.acquire(&name("a")).await;
        let order = Arc::default();
        let events = wait_in_line(&fair, &["a", "a", "a", "b", "c", "b"], &order).await;
        assert!(order.lock().unwrap().is_empty());
        drop(first);
        for event in events {
            event.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["a", "a", "b", "a", "c", "b"]);
        assert!(fair.try_acquire().is_some());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_costs_nobody_a_turn() {
        let fair = Fair::new(1);
        let first = fair.acquire(&name("a")).await;
        let order = Arc::default();
        let events = wait_in_line(&fair, &["a", "b", "a", "b"], &order).await;
        events[0].abort();
        events[1].abort();
        yield_now().await;
        drop(first);
        for event in events {
            let _ = event.await;
        }
        // The two that are gone were passed over one by turns, one as the oldest: `b` has the next turn.
        assert_eq!(*order.lock().unwrap(), ["b", "a"]);
        assert!(fair.try_acquire().is_some());
    }

    proptest! {
        #[test]
        fn none_waits_for_more_than_twice_the_order_of_coming_nor_the_first_for_more_than_two_turns_a_function(
            functions in prop::collection::vec(0_u8..6, 1..200),
        ) {
            let fair = Fair::new(0);
            let mut line = fair.lock();
            let names: Vec<_> = functions.iter().map(|function| name(&function.to_string())).collect();
            let mut events: Vec<_> = names.iter().map(|name| Some(line.wait(name))).collect();
            let mut first = HashSet::new();
            for served in 0..events.len() {
                line.next_or_free().unwrap().send(Permit(None)).unwrap();
                let is_it = |event: &mut Option<oneshot::Receiver<_>>| event.as_mut().is_some_and(|event| event.try_recv().is_ok());
                let came = events.iter_mut().position(is_it).unwrap();
                events[came] = None;
                prop_assert!(served <= 2 * came + 1, "{came} was served as {served}");
                if first.insert(functions[came]) {
                    prop_assert!(served <= 2 * 6, "the first of its function was served as {served}");
                }
            }
            prop_assert!(line.next_or_free().is_none());
            prop_assert_eq!(line.free, 1);
        }
    }

    #[tokio::test]
    async fn a_turn_that_came_too_late_is_handed_on() {
        let fair = Fair::new(1);
        let function = name("a");
        let first = fair.acquire(&function).await;
        let mut late = Box::pin(fair.acquire(&function));
        assert!(timeout(Duration::ZERO, &mut late).await.is_err());
        // It is sent, and nobody looks.
        drop(first);
        assert!(fair.try_acquire().is_none());
        drop(late);
        assert!(fair.try_acquire().is_some());
    }

    #[tokio::test]
    async fn no_more_are_given_than_there_are() {
        let fair = Fair::new(2);
        let all = [fair.try_acquire(), fair.try_acquire(), fair.try_acquire()];
        assert_eq!(all.iter().flatten().count(), 2);
        drop(all);
        let both = [
            fair.acquire(&name("a")).await,
            fair.acquire(&name("a")).await,
        ];
        assert!(fair.try_acquire().is_none());
        drop(both);
        assert!(fair.try_acquire().is_some());
    }
}
