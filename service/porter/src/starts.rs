//! Starts as operators see them: how many of each kind, how long they took, and the stages of the latest ones.
//!
//! Written by every event, read only by who looks: no timer, one short lock of the function's own, and no allocation but for
//! the first event of a kind. Of hot starts the stages of one in [`HOT_SAMPLE`] are kept.
//! Bounded: a function has at most one [`KindHistory`] for each rung, with [`KEPT`] starts; it goes when the function is
//! deleted.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use offshoot_node::{Answer, Event, Fri, InstanceSpec, Outcome, Rung, Stages};

use crate::Porter;

/// Starts of a kind whose stages are kept, for each function.
const KEPT: usize = 16;
/// One hot start in so many is kept.
const HOT_SAMPLE: u64 = 16;
/// Longest time that the distributions tell apart, in microseconds: beyond Lambda's longest time-out of 15 minutes.
const LONGEST_US: u64 = 1_000_000_000;

/// One start whose stages were kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Counts the function's starts in this daemon's life, from 1.
    pub number: u64,
    /// When it ended, in milliseconds since 1970.
    pub at_ms: i64,
    /// Where its instance came from.
    pub rung: Rung,
    /// `$LATEST` or a number.
    pub version: Arc<str>,
    /// The request.
    pub request_id: Arc<str>,
    /// Whether the function failed.
    pub failed: bool,
    /// How long each stage took.
    pub stages: Stages,
}

/// All starts of a function of one kind.
#[derive(Debug, Clone)]
pub struct KindHistory {
    /// Which kind.
    pub rung: Rung,
    /// From a request's arrival to its whole answer, in microseconds, within 6 %.
    pub latency_us: Histogram<u32>,
    /// The latest ones whose stages were kept, oldest first.
    pub recent: VecDeque<Start>,
}

/// The starts of one function.
#[derive(Debug, Clone)]
pub struct FunctionHistory {
    /// Its name.
    pub function: Arc<str>,
    /// Its kinds of start, best rung first.
    pub kinds: Vec<KindHistory>,
}

/// The histories of all functions.
#[derive(Debug, Default)]
pub struct StartBook(Mutex<HashMap<Arc<str>, Arc<Chapter>>>);

/// A function's place in the book.
#[derive(Debug, Default)]
pub(crate) struct Chapter(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    starts: u64,
    latest_ms: i64,
    kinds: Vec<KindHistory>,
}

impl StartBook {
    /// The histories of the `most` functions of which a start was kept last, newest first, and how many there are in all.
    pub fn latest(&self, most: usize) -> (Vec<FunctionHistory>, usize) {
        let chapters = lock(&self.0).clone();
        let mut by_time: Vec<_> = chapters
            .iter()
            .map(|(function, chapter)| (lock(&chapter.0).latest_ms, function, chapter))
            .collect();
        by_time.sort_by(|one, other| (other.0, other.1).cmp(&(one.0, one.1)));
        let latest = by_time.into_iter().take(most);
        let histories = latest.map(|(_, function, chapter)| chapter.read(function));
        (histories.collect(), chapters.len())
    }

    /// Whether a function was ever started.
    pub fn has(&self, function: &str) -> bool {
        lock(&self.0).contains_key(function)
    }

    /// The history of one function, if it was ever started.
    pub fn of(&self, function: &str) -> Option<FunctionHistory> {
        let (function, chapter) = {
            let book = lock(&self.0);
            let (function, chapter) = book.get_key_value(function)?;
            (Arc::clone(function), Arc::clone(chapter))
        };
        Some(chapter.read(&function))
    }

    pub(crate) fn chapter(&self, function: &Arc<str>) -> Arc<Chapter> {
        Arc::clone(lock(&self.0).entry(Arc::clone(function)).or_default())
    }

    pub(crate) fn forget(&self, function: &str) {
        lock(&self.0).remove(function);
    }
}

impl<F: Fri> Porter<F> {
    /// What is remembered of starts, for operators.
    pub fn starts(&self) -> &StartBook {
        &self.starts
    }

    /// Clones that wait for their first event.
    pub fn parked(&self) -> usize {
        self.lock().slots.parked()
    }
}

impl Chapter {
    /// Notes that an event was handled.
    pub(crate) fn write(&self, spec: &InstanceSpec, event: &Event, outcome: &Outcome) {
        let mut written = lock(&self.0);
        written.starts += 1;
        let number = written.starts;
        let kind = written.kind(outcome.rung);
        let seen = kind.latency_us.len();
        kind.latency_us
            .saturating_record(outcome.stages.total_us().max(1));
        if !outcome.rung.is_first() && !seen.is_multiple_of(HOT_SAMPLE) {
            return;
        }
        if kind.recent.len() == KEPT {
            kind.recent.pop_front();
        }
        let at_ms = now_ms();
        kind.recent.push_back(Start {
            number,
            at_ms,
            rung: outcome.rung,
            version: Arc::clone(&spec.version),
            request_id: Arc::clone(&event.request_id),
            failed: matches!(outcome.answer, Answer::Failure(_)),
            stages: outcome.stages,
        });
        written.latest_ms = at_ms;
    }

    fn read(&self, function: &Arc<str>) -> FunctionHistory {
        let mut kinds = lock(&self.0).kinds.clone();
        kinds.sort_by_key(|kind| kind.rung);
        FunctionHistory {
            function: Arc::clone(function),
            kinds,
        }
    }
}

impl Written {
    fn kind(&mut self, rung: Rung) -> &mut KindHistory {
        let at = self.kinds.iter().position(|kind| kind.rung == rung);
        let at = at.unwrap_or_else(|| {
            self.kinds.push(KindHistory::new(rung));
            self.kinds.len() - 1
        });
        &mut self.kinds[at]
    }
}

impl KindHistory {
    fn new(rung: Rung) -> Self {
        // These bounds are fine, so there is no error.
        let latency_us = Histogram::new_with_bounds(1, LONGEST_US, 1)
            .unwrap_or_else(|_| unreachable!("1 µs to 1000 s with one digit"));
        Self {
            rung,
            latency_us,
            recent: VecDeque::with_capacity(KEPT),
        }
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_millis() as i64)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
