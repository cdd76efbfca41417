//! Answers the requests of runtimes.py in Rust: threads, channels, a condition variable, memory that comes and goes.
//! The digest is FNV-1a, because the standard library has no SHA-256.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

fn churn(amount: usize) -> usize {
    let pieces: Vec<Vec<u8>> = (0..amount)
        .map(|round| vec![7; 1 + round * 97 % 50_000])
        .collect();
    pieces.iter().step_by(3).map(Vec::len).sum()
}

fn fnv(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

fn digester() -> Sender<(String, Sender<u64>)> {
    let (ask, asked) = channel::<(String, Sender<u64>)>();
    thread::spawn(move || {
        for (text, answer) in asked {
            answer.send(fnv(&text)).expect("somebody waits");
        }
    });
    ask
}

/// Four threads that all have worked when this returns.
fn churn_everywhere(amount: usize) {
    let done = Arc::new((Mutex::new(0), Condvar::new()));
    for _ in 0..4 {
        let done = Arc::clone(&done);
        thread::spawn(move || {
            std::hint::black_box(churn(amount));
            *done.0.lock().expect("nobody panics") += 1;
            done.1.notify_one();
        });
    }
    let count = done.0.lock().expect("nobody panics");
    drop(
        done.1
            .wait_while(count, |count| *count < 4)
            .expect("nobody panics"),
    );
}

fn main() {
    let table: HashMap<String, u64> = (0..20_000).map(|n| (format!("key {n}"), n * n)).collect();
    let ask = digester();
    churn_everywhere(500);
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]); // frozen here
    let requests = File::open("/proc/self/fd/3").expect("requests can be opened");
    let mut answers = File::create("/proc/self/fd/4").expect("answers can be opened");
    for line in BufReader::new(requests).lines() {
        let line = line.expect("requests can be read");
        let (number, text) = line.split_once(' ').expect("two words");
        churn_everywhere(100);
        let (answer, answered) = channel();
        ask.send((text.into(), answer)).expect("the thread lives");
        let digest = answered.recv().expect("the thread answers");
        writeln!(answers, "{} {digest:016x}", table[&format!("key {number}")]).expect("answers");
    }
}
