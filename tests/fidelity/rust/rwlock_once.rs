// RwLock, OnceLock, LazyLock and Barrier, some of them with waiters.
include!("../fidelity.rs");
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, LazyLock, OnceLock, RwLock};

static LOCK: RwLock<u32> = RwLock::new(5);
static ONCE: OnceLock<u32> = OnceLock::new();
static MADE: AtomicU32 = AtomicU32::new(0);
static LAZY: LazyLock<u32> = LazyLock::new(|| MADE.fetch_add(1, Ordering::SeqCst) + 7);
static BARRIER: Barrier = Barrier::new(4);

fn main() {
    let read = LOCK.read().unwrap();
    let writer = std::thread::spawn(|| *LOCK.write().unwrap() += 1);
    let comers: Vec<_> = (0..3).map(|_| std::thread::spawn(|| BARRIER.wait().is_leader())).collect();
    let getter = std::thread::spawn(|| *ONCE.wait());
    same(*LAZY, 7);
    settle();
    wait_for_clone();
    same(*read, 5);
    drop(read);
    writer.join().unwrap();
    same(*LOCK.read().unwrap(), 6);
    let mut leaders = u32::from(BARRIER.wait().is_leader());
    comers.into_iter().for_each(|comer| leaders += u32::from(comer.join().unwrap()));
    same(leaders, 1);
    ONCE.set(9).unwrap();
    same(getter.join().unwrap(), 9);
    same(*LAZY, 7);
    same(MADE.load(Ordering::SeqCst), 1);
    pass();
}
