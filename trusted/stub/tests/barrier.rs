//! The barrier of a clone's threads under the memory model (loom): with one thread besides the main thread in all
//! interleavings, with two in all that interrupt threads at most [`PREEMPTIONS`] times.
//!
//!     RUSTFLAGS="--cfg loom" cargo test --release -p offshoot-stub --test barrier
//!
//! Without `--cfg loom` there is nothing here.
#![cfg(loom)]
// Loom's own `Arc` panics again while a control's panic unwinds, so it is std's, with cells that are only meant to be Sync.
#![allow(clippy::unwrap_used, clippy::arc_with_non_send_sync)]

#[path = "../stub/barrier.rs"]
mod barrier;

use barrier::{Barrier, Futex};
use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;

/// Most interruptions in a run with two threads; without a bound it takes many minutes.
const PREEMPTIONS: usize = 3;

/// The kernel's futex: comparing and going to sleep are one step, for whoever wakes. One queue serves for both words,
/// so who sleeps may be woken for no reason.
#[derive(Default)]
struct Queue {
    lock: Mutex<()>,
    sleepers: Condvar,
    /// What is wrong with it.
    fault: Fault,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Fault {
    #[default]
    None,
    /// Goes to sleep without comparing.
    SleepsAnyway,
    /// Compares, and goes to sleep a little later.
    ComparesBefore,
    /// Wakes nobody.
    WakesNobody,
}

impl Futex for Queue {
    fn wait(&self, word: &AtomicU32, expected: u32) {
        let has_changed = || word.load(Ordering::Relaxed) != expected;
        if self.fault == Fault::ComparesBefore && has_changed() {
            return;
        }
        let guard = self.lock.lock().unwrap();
        let compares = self.fault == Fault::None || self.fault == Fault::WakesNobody;
        if compares && has_changed() {
            return;
        }
        drop(self.sleepers.wait(guard).unwrap());
    }

    fn wake(&self, _: &AtomicU32) {
        if self.fault != Fault::WakesNobody {
            let _guard = self.lock.lock().unwrap();
            self.sleepers.notify_all();
        }
    }
}

/// A clone. Loom fails if two threads touch a cell without an order between them.
struct Clone {
    barrier: Barrier,
    queue: Queue,
    /// What each thread writes, and the main thread reads when all have arrived.
    ids: Vec<UnsafeCell<()>>,
    /// What the main thread writes, and each thread reads when it may go.
    made: UnsafeCell<()>,
}

/// A clone becomes the program; `awaited` is how many threads its main thread waits for.
fn become_program(fault: Fault, threads: usize, awaited: usize) {
    let clone = Arc::new(Clone {
        barrier: Barrier::new(),
        queue: Queue {
            fault,
            ..Queue::default()
        },
        ids: (0..threads).map(|_| UnsafeCell::new(())).collect(),
        made: UnsafeCell::new(()),
    });
    let run = |index| {
        let clone = clone.clone();
        thread::spawn(move || run_thread(&clone, index, awaited > 0))
    };
    let threads: Vec<_> = (0..threads).map(run).collect();
    if awaited > 0 {
        clone.barrier.await_arrivals(&clone.queue, awaited as u32);
        clone.ids.iter().for_each(|id| id.with(|_| ()));
    }
    clone.made.with_mut(|_| ());
    clone.barrier.let_go(&clone.queue);
    for thread in threads {
        thread.join().unwrap();
    }
}

fn run_thread(clone: &Clone, index: usize, is_awaited: bool) {
    clone.ids[index].with_mut(|_| ());
    clone.barrier.arrive(&clone.queue, is_awaited);
    clone.barrier.await_go(&clone.queue);
    clone.made.with(|_| ());
}

fn model(fault: Fault, threads: usize, awaited: usize) {
    let mut model = Builder::new();
    model.preemption_bound = (threads > 1).then_some(PREEMPTIONS);
    model.check(move || become_program(fault, threads, awaited));
}

#[test]
fn all_go_after_all_have_arrived() {
    model(Fault::None, 1, 1);
    model(Fault::None, 2, 2);
}

#[test]
fn all_go_when_nobody_is_awaited() {
    model(Fault::None, 1, 0);
    model(Fault::None, 2, 0);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_futex_that_wakes_nobody_is_found() {
    model(Fault::WakesNobody, 1, 1);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_futex_that_sleeps_without_comparing_is_found() {
    model(Fault::SleepsAnyway, 1, 1);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_futex_that_compares_before_it_sleeps_is_found() {
    model(Fault::ComparesBefore, 1, 1);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_main_thread_that_waits_for_one_too_few_is_found() {
    model(Fault::None, 2, 1);
}
