// Thread-local values are each thread's own, and are dropped when it ends.
include!("../fidelity.rs");
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

static DROPPED: AtomicU32 = AtomicU32::new(0);

struct Kept(u32);

impl Drop for Kept {
    fn drop(&mut self) {
        DROPPED.fetch_add(self.0, Ordering::SeqCst);
    }
}

thread_local!(static MINE: RefCell<Option<Kept>> = const { RefCell::new(None) });

fn main() {
    let threads: Vec<_> = (1..5)
        .map(|i| {
            std::thread::spawn(move || {
                MINE.with(|mine| *mine.borrow_mut() = Some(Kept(i)));
                std::thread::park();
                MINE.with(|mine| mine.borrow().as_ref().unwrap().0 == i)
            })
        })
        .collect();
    settle();
    wait_for_clone();
    same(DROPPED.load(Ordering::SeqCst), 0);
    for thread in threads {
        thread.thread().unpark();
        same(thread.join().unwrap(), true);
    }
    same(DROPPED.load(Ordering::SeqCst), 10);
    pass();
}
