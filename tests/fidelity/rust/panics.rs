// Panics, caught and in other threads, unwind after the clone, and poison what they held.
include!("../fidelity.rs");
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

struct Counts<'a>(&'a mut u32);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        *self.0 += 1;
    }
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let shared = Arc::new(Mutex::new(1));
    let held = Arc::clone(&shared);
    let thread = std::thread::spawn(move || {
        let guard = held.lock().unwrap();
        std::thread::park();
        same(*guard, 1);
        panic!("in a thread");
    });
    let mut dropped = 0;
    settle();
    wait_for_clone();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _counts = Counts(&mut dropped);
        panic!("value {}", std::hint::black_box(5));
    }));
    same(*caught.unwrap_err().downcast::<String>().unwrap(), "value 5".to_owned());
    same(dropped, 1);
    thread.thread().unpark();
    same(thread.join().is_err(), true);
    same(shared.is_poisoned(), true);
    same(catch_unwind(|| Vec::<u32>::new()[3]).is_err(), true);
    pass();
}
