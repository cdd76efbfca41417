//! Answers the requests of runtimes.py with tokio: worker threads, an epoll set, timers, a socket pair, and its pool of
//! blocking threads. The digest is FNV-1a.

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, interval, sleep};

fn churn(amount: usize) -> usize {
    let pieces: Vec<Vec<u8>> = (0..amount)
        .map(|round| vec![7; 1 + round * 97 % 50_000])
        .collect();
    pieces.iter().step_by(3).map(Vec::len).sum()
}

fn fnv(text: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    text.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Reads a length and a text, and sends the text's digest back, for ever.
async fn digest_for_ever(mut socket: UnixStream) -> std::io::Result<()> {
    loop {
        let mut text = vec![0; socket.read_u32().await? as usize];
        socket.read_exact(&mut text).await?;
        socket.write_u64(fnv(&text)).await?;
    }
}

async fn answer(
    table: &HashMap<String, u64>,
    socket: &mut UnixStream,
    line: &str,
) -> std::io::Result<String> {
    let (number, text) = line.split_once(' ').expect("two words");
    let asked = Instant::now();
    let work: Vec<_> = (0..4).map(|_| tokio::spawn(async { churn(100) })).collect();
    for one in work {
        one.await?;
    }
    sleep(Duration::from_millis(1)).await;
    assert!(
        asked.elapsed() >= Duration::from_millis(1),
        "the timer was early"
    );
    socket.write_u32(text.len() as u32).await?;
    socket.write_all(text.as_bytes()).await?;
    let digest = socket.read_u64().await?;
    Ok(format!(
        "{} {digest:016x}\n",
        table[&format!("key {number}")]
    ))
}

#[tokio::main(worker_threads = 3)]
async fn main() -> std::io::Result<()> {
    let table: HashMap<String, u64> = (0..20_000).map(|n| (format!("key {n}"), n * n)).collect();
    let (mut socket, other) = UnixStream::pair()?;
    tokio::spawn(digest_for_ever(other));
    tokio::spawn(async {
        let mut ticks = interval(Duration::from_millis(5));
        loop {
            ticks.tick().await;
            std::hint::black_box(churn(5));
        }
    });
    answer(&table, &mut socket, "1 warm").await?;
    println!("ready");
    // Frozen here, in a blocking thread, while the workers wait in epoll and tick.
    tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await??;
    let requests = tokio::task::spawn_blocking(|| std::fs::read_to_string("/proc/self/fd/3"));
    let mut answers = String::new();
    for line in requests.await??.lines() {
        answers += &answer(&table, &mut socket, line).await?;
    }
    std::fs::write("/proc/self/fd/4", answers)
}
