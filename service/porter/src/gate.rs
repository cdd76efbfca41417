//! How many starts are under way at once: one for each processor, and more while a processor has nothing to do.
//!
//! An instance that was made and waits for a processor serves nobody sooner, and its memory has left the caches when its
//! turn comes (docs/design/porter.md, Starts and processors). So events wait before theirs is made, fairly between
//! functions. From the beginning of a start until its first answer it has a place; what runs for longer is load like any
//! other, and what sleeps leaves a processor to others. What is made ahead of events comes in after all of these.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::fair::Fair;

/// A start that takes longer has no place any more: those that wait must not depend on a handler's end.
const LONGEST: Duration = Duration::from_millis(100);
/// Who waits looks so often whether a processor has nothing to do.
const LOOK_EACH: Duration = Duration::from_millis(1);
/// What is made ahead looks so often for a place,
const LOOK_LAST_EACH: Duration = Duration::from_millis(5);
/// and for so long: what comes later is better off with it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lets starts in.
#[derive(Debug)]
pub(crate) struct Gate {
    places: usize,
    /// Who has it waits for a place; the others wait for it.
    turn: Fair,
    inside: Mutex<Inside>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    /// Counts those who came in.
    number: u64,
    /// Those who have not left, and since when they have been in.
    each: VecDeque<(u64, Instant)>,
}

/// A start that is under way, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    gate: &'a Gate,
    number: u64,
}

impl Gate {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places,
            turn: Fair::new(1),
            inside: Mutex::default(),
            left: Notify::new(),
        }
    }

    /// Waits for a place for an event of a function, or until `has_idle_processor` says so.
    pub(crate) async fn enter(
        &self,
        function: &Arc<str>,
        has_idle_processor: impl Fn() -> bool,
    ) -> Place<'_> {
        let _turn = self.turn.acquire(function).await;
        loop {
            if let Some(place) = self.take_place() {
                return place;
            }
            tokio::select! {
                () = self.left.notified() => {}
                () = sleep(LOOK_EACH) => if has_idle_processor() {
                    return self.come_in(&mut self.lock());
                }
            }
        }
    }

    /// Waits until there is a place and nobody else waits for one, but not for ever: for what is made ahead.
    pub(crate) async fn enter_last(&self) -> Place<'_> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(_turn) = self.turn.try_acquire()
                && let Some(place) = self.take_place()
            {
                return place;
            }
            sleep(LOOK_LAST_EACH).await;
        }
        self.come_in(&mut self.lock())
    }

    fn take_place(&self) -> Option<Place<'_>> {
        let mut inside = self.lock();
        while let Some((_, since)) = inside.each.front()
            && since.elapsed() >= LONGEST
        {
            inside.each.pop_front();
        }
        (inside.each.len() < self.places).then(|| self.come_in(&mut inside))
    }

    fn come_in(&self, inside: &mut Inside) -> Place<'_> {
        inside.number += 1;
        let number = inside.number;
        inside.each.push_back((number, Instant::now()));
        Place { gate: self, number }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let number = self.number;
        self.gate.lock().each.retain(|(other, _)| *other != number);
        self.gate.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::time::{advance, timeout};

    use super::*;

    /// For an event of the one function.
    async fn enter(gate: &Gate, has_idle_processor: impl Fn() -> bool) -> Place<'_> {
        gate.enter(&"f".into(), has_idle_processor).await
    }

    const SOON: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn who_finds_every_place_taken_waits_until_one_is_left() {
        let gate = Gate::new(2);
        let one = enter(&gate, || false).await;
        let _other = enter(&gate, || false).await;
        assert!(timeout(SOON, enter(&gate, || false)).await.is_err());
        drop(one);
        timeout(SOON, enter(&gate, || false)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_processor_is_a_place_but_not_for_two_at_once() {
        let gate = Gate::new(1);
        let _one = enter(&gate, || true).await;
        let begun = Instant::now();
        let _other = enter(&gate, || true).await;
        let _third = enter(&gate, || true).await;
        assert!((LOOK_EACH * 2..SOON).contains(&begun.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_takes_long_gives_its_place_up() {
        let gate = Gate::new(1);
        let long = enter(&gate, || false).await;
        advance(LONGEST).await;
        let next = timeout(SOON, enter(&gate, || false)).await.unwrap();
        // Its end frees no place of another one.
        drop(long);
        assert!(timeout(SOON, enter(&gate, || false)).await.is_err());
        drop(next);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_made_ahead_comes_in_last_but_comes_in() {
        let gate = Arc::new(Gate::new(1));
        let first = enter(&gate, || false).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let (ahead, done) = (Arc::clone(&gate), Arc::clone(&order));
        let ahead = tokio::spawn(async move {
            let _place = ahead.enter_last().await;
            done.lock().unwrap().push("ahead");
        });
        tokio::task::yield_now().await;
        let (event, done) = (Arc::clone(&gate), Arc::clone(&order));
        let event = tokio::spawn(async move {
            let _place = enter(&event, || false).await;
            sleep(SOON).await;
            done.lock().unwrap().push("event");
        });
        sleep(SOON).await;
        drop(first);
        event.await.unwrap();
        ahead.await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["event", "ahead"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_made_ahead_does_not_wait_for_ever() {
        let gate = Gate::new(0);
        let begun = Instant::now();
        let _place = gate.enter_last().await;
        assert!((PATIENCE..PATIENCE * 2).contains(&begun.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn they_come_in_as_they_came() {
        let gate = Arc::new(Gate::new(1));
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = enter(&gate, || false).await;
        let all: Vec<_> = (0..5)
            .map(|number| {
                let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
                tokio::spawn(async move {
                    let _place = enter(&gate, || false).await;
                    order.lock().unwrap().push(number);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(first);
        for one in all {
            one.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
    }
}
