//! Threads of the program are made one after another, and none of them runs the program before all exist.
//!
//! ```text
//! main:    make threads ── await_arrivals ── ... ── let_go ── the program
//! thread:      operations ── arrive ── await_go ── the program
//! ```
//!
//! What a thread has written before [`Barrier::arrive`] the main thread sees after [`Barrier::await_arrivals`], and what
//! the main thread has done before [`Barrier::let_go`] each thread sees after [`Barrier::await_go`].
//!
//! `tests/barrier.rs` includes this file and has loom run its interleavings.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};

/// Where threads sleep (`futex(2)`).
pub trait Futex {
    /// Sleeps until somebody wakes the word, unless it is not `expected` any more; may return for no reason.
    fn wait(&self, word: &AtomicU32, expected: u32);
    /// Wakes everybody who sleeps at the word.
    fn wake(&self, word: &AtomicU32);
}

/// Where the threads of a clone meet.
pub struct Barrier {
    /// How many threads have done their operations.
    arrived: AtomicU32,
    /// 0: nobody runs the program; 1: everybody may.
    go: AtomicU32,
}

impl Barrier {
    /// Nobody has arrived.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            arrived: AtomicU32::new(0),
            go: AtomicU32::new(0),
        }
    }

    /// Nobody has arrived.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            arrived: AtomicU32::new(0),
            go: AtomicU32::new(0),
        }
    }

    /// A thread has done its operations; `is_awaited` says whether the main thread waits for that.
    pub fn arrive(&self, futex: &impl Futex, is_awaited: bool) {
        self.arrived.fetch_add(1, Ordering::Release);
        if is_awaited {
            futex.wake(&self.arrived);
        }
    }

    /// The main thread waits until so many threads have arrived.
    pub fn await_arrivals(&self, futex: &impl Futex, threads: u32) {
        loop {
            let arrived = self.arrived.load(Ordering::Acquire);
            if arrived >= threads {
                return;
            }
            futex.wait(&self.arrived, arrived);
        }
    }

    /// The main thread lets all go.
    pub fn let_go(&self, futex: &impl Futex) {
        self.go.store(1, Ordering::Release);
        futex.wake(&self.go);
    }

    /// A thread waits for that.
    pub fn await_go(&self, futex: &impl Futex) {
        while self.go.load(Ordering::Acquire) == 0 {
            futex.wait(&self.go, 0);
        }
    }
}
