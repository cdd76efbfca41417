// Threads that wait for a Condvar and for a Mutex held by main.
include!("../fidelity.rs");
use std::sync::{Arc, Condvar, Mutex};

fn main() {
    let shared = Arc::new((Mutex::new(0_u32), Condvar::new(), Mutex::new(0_u32)));
    let threads: Vec<_> = (0..6)
        .map(|i| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                if i % 2 == 0 {
                    let mut go = shared.0.lock().unwrap();
                    while *go == 0 {
                        go = shared.1.wait(go).unwrap();
                    }
                }
                *shared.2.lock().unwrap() += 1;
            })
        })
        .collect();
    let held = shared.2.lock().unwrap();
    let before = *held;
    settle();
    wait_for_clone();
    same(*held, before);
    drop(held);
    *shared.0.lock().unwrap() = 1;
    shared.1.notify_all();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    same(*shared.2.lock().unwrap(), if sabotaged() { 7 } else { 6 });
    pass();
}
