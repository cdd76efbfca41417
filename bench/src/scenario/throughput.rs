//! Warm invocations per second: sixteen clients, each on a connection of its own, as fast as they can.
//!
//! All clients share one thread, which leaves the rest of the machine to the daemon and its instances.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, ensure};
use offshoot_testkit::Head;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until};

use crate::bench::{Bench, invocation};
use crate::record::Recorder;
use crate::summary::Samples;

const CLIENTS: usize = 16;
const WINDOW: Duration = Duration::from_secs(1);

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let echo = bench.echo()?;
    let running = bench.daemon(&[])?;
    running.deploy(&echo)?;
    let request: Rc<[u8]> = invocation(&echo, &[]).into();
    let warm_up = Duration::from_secs(if bench.args.quick { 1 } else { 3 });
    let windows = bench.args.seconds_or(10, 2);
    let address = running.daemon.address();
    let measured = LocalSet::new();
    let samples =
        running.block_on(measured.run_until(measure(address, request, warm_up, windows)))?;
    recorder.record(
        "throughput/hot-echo",
        "offshoot",
        "per_second",
        "1/s",
        samples.summary(),
    )?;
    running.stop()
}

/// Answers in each window of one second after the warm-up.
async fn measure(
    address: SocketAddr,
    request: Rc<[u8]>,
    warm_up: Duration,
    windows: u64,
) -> anyhow::Result<Samples> {
    let answered = Rc::new(Cell::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn_local(client(address, Rc::clone(&request), Rc::clone(&answered)));
    }
    let mut samples = Samples::numbers();
    let mut next = Instant::now() + warm_up;
    let mut before = 0;
    // The first end of a window only ends the warm-up.
    for window in 0..=windows {
        tokio::select! {
            () = sleep_until(next) => {}
            ended = clients.join_next() => {
                let ended = ended.context("there are no clients")?;
                ended.context("a client panicked")??;
            }
        }
        if window > 0 {
            samples.record_number(answered.get() - before);
        }
        before = answered.get();
        next += WINDOW;
    }
    Ok(samples)
}

/// Sends one request after the other; only ends with an error.
async fn client(
    address: SocketAddr,
    request: Rc<[u8]>,
    answered: Rc<Cell<u64>>,
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 << 10];
    loop {
        stream.write_all(&request).await?;
        read_answer(&mut stream, &mut buffer).await?;
        answered.set(answered.get() + 1);
    }
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        let read = stream.read(&mut buffer[filled..]).await?;
        ensure!(read > 0, "the daemon ended the connection");
        filled += read;
        if let Some(head) = Head::parse(&buffer[..filled])?
            && filled >= head.end()
        {
            let body = String::from_utf8_lossy(&buffer[head.body_at..head.end()]);
            ensure!(head.status == 200, "status {}: {body}", head.status);
            return Ok(());
        }
    }
}
