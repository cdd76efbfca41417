// Threads that spin on atomics, and one that counts without end.
include!("../fidelity.rs");
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn main() {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut mine = 0;
                while !stop.load(Ordering::Relaxed) {
                    count.fetch_add(1, Ordering::Relaxed);
                    mine += 1;
                }
                mine
            })
        })
        .collect();
    settle();
    wait_for_clone();
    let now = count.load(Ordering::Relaxed);
    while count.load(Ordering::Relaxed) < now + 1000 {
        std::thread::yield_now();
    }
    stop.store(true, Ordering::Relaxed);
    let sum: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    same(sum, count.load(Ordering::Relaxed));
    pass();
}
