// A deep stack in a thread with a large one, frozen at the bottom, returns through all its frames.
include!("../fidelity.rs");

fn descend(depth: u64, bottom: &mut dyn FnMut()) -> u64 {
    let frame = std::hint::black_box([depth; 16]);
    if depth == 0 {
        bottom();
        return 0;
    }
    let below = descend(depth - 1, bottom);
    below + frame.iter().sum::<u64>() / 16
}

fn main() {
    let builder = std::thread::Builder::new().stack_size(64 << 20).name("deep".to_owned());
    let deep = builder.spawn(|| descend(20_000, &mut wait_for_clone)).unwrap();
    same(deep.join().unwrap(), 20_000 * 20_001 / 2);
    same(descend(1000, &mut || {}), 1000 * 1001 / 2);
    pass();
}
