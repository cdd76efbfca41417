// Threads that are parked, and others that wait in join, come to their ends with their values.
include!("../fidelity.rs");

fn main() {
    let parked: Vec<_> = (0..8).map(|i| std::thread::spawn(move || { std::thread::park(); i * 10 })).collect();
    let inner = std::thread::spawn(|| { std::thread::park(); 5 });
    let unpark = inner.thread().clone();
    let joining = std::thread::spawn(move || inner.join().unwrap() + 1);
    settle();
    wait_for_clone();
    unpark.unpark();
    same(joining.join().unwrap(), 6);
    for (i, thread) in parked.into_iter().enumerate() {
        thread.thread().unpark();
        same(thread.join().unwrap(), i * 10);
    }
    let sum: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|i| scope.spawn(move || i)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    same(sum, 6);
    pass();
}
