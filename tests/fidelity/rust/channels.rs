// Channels with messages under way, a receiver that waits, and a full one whose sender waits.
include!("../fidelity.rs");
use std::sync::mpsc::{channel, sync_channel};

fn main() {
    let (queue, queued) = channel();
    (0..1000).for_each(|i| queue.send(format!("message {i}")).unwrap());
    let (ask, asked) = channel::<u32>();
    let waiter = std::thread::spawn(move || asked.iter().sum::<u32>());
    let (fill, filled) = sync_channel(3);
    let sender = std::thread::spawn(move || (0..10).for_each(|i| fill.send(i).unwrap()));
    settle();
    wait_for_clone();
    if sabotaged() {
        queued.recv().unwrap();
    }
    (0..1000).for_each(|i| same(queued.recv().unwrap(), format!("message {i}")));
    same(queued.try_recv().is_err(), true);
    (1..5).for_each(|i| ask.send(i).unwrap());
    drop(ask);
    same(waiter.join().unwrap(), 10);
    same(filled.iter().collect::<Vec<_>>(), (0..10).collect());
    sender.join().unwrap();
    pass();
}
