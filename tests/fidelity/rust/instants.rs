// Instant and SystemTime never go back; durations and sleeps are right.
include!("../fidelity.rs");
use std::time::{Duration, Instant, SystemTime};

fn main() {
    let (instant, system) = (Instant::now(), SystemTime::now());
    let sleeper = std::thread::spawn(|| {
        let began = Instant::now();
        std::thread::sleep(Duration::from_millis(500));
        began.elapsed()
    });
    settle();
    wait_for_clone();
    let before = instant.elapsed();
    same(before >= Duration::from_millis(30) && before < Duration::from_secs(600), true);
    same(system.elapsed().is_ok(), true);
    same(sleeper.join().unwrap() >= Duration::from_millis(500), true);
    let mut last = Instant::now();
    for _ in 0..10_000 {
        let now = Instant::now();
        same(now >= last, true);
        last = now;
    }
    pass();
}
