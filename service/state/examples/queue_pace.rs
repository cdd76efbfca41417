//! How fast the queue of a state directory is: enqueue and ack by 1, 16, 64 and 256 concurrent callers.
//!
//! `cargo run -p offshoot-state --example queue_pace [DIR]`; the directory's disk is what is measured.
//! The figures in `docs/design/state.md` come from here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hdrhistogram::Histogram;
use offshoot_state::{ClaimId, Event, Queue, StateDir};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const EVENTS: usize = 8_192;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let dir = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    println!(
        "{:>8} {:>8} {:>8} {:>10} {:>10} {:>10}",
        "callers", "call", "n", "p50 us", "p99 us", "per s"
    );
    for callers in [1, 16, 64, 256] {
        // Few when each pays its own fsync.
        let events = if callers == 1 { EVENTS / 8 } else { EVENTS };
        run(&dir.join("queue_pace"), callers, events).await?;
    }
    Ok(())
}

async fn run(dir: &Path, callers: usize, events: usize) -> Result<(), Failure> {
    let _ = std::fs::remove_dir_all(dir);
    let state = StateDir::open(dir).await?;
    let queue: Arc<dyn Queue> = Arc::new(state.queue());

    let (begun, mut calls) = (Instant::now(), Vec::new());
    for caller in 0..callers {
        let queue = Arc::clone(&queue);
        calls.push(tokio::spawn(async move {
            let mut took = Histogram::<u64>::new(3)?;
            for n in 0..events / callers {
                let (begun, event) = (Instant::now(), event(format!("{caller}-{n}")));
                queue.enqueue(vec![event]).await?;
                took.record(begun.elapsed().as_micros() as u64)?;
            }
            Ok::<_, Failure>(took)
        }));
    }
    report("enqueue", callers, begun, calls).await?;

    let claimed = claim_all(&*queue, events).await?;
    let (begun, mut calls) = (Instant::now(), Vec::new());
    for share in claimed.chunks(events / callers) {
        let (queue, share) = (Arc::clone(&queue), share.to_vec());
        calls.push(tokio::spawn(async move {
            let mut took = Histogram::<u64>::new(3)?;
            for claim in share {
                let begun = Instant::now();
                queue.ack(&[claim]).await?;
                took.record(begun.elapsed().as_micros() as u64)?;
            }
            Ok::<_, Failure>(took)
        }));
    }
    report("ack", callers, begun, calls).await?;
    state.close().await;
    Ok(std::fs::remove_dir_all(dir)?)
}

async fn claim_all(queue: &dyn Queue, events: usize) -> Result<Vec<ClaimId>, Failure> {
    let (begun, mut took, mut claimed) = (Instant::now(), Histogram::<u64>::new(3)?, Vec::new());
    while claimed.len() < events {
        let begun = Instant::now();
        claimed.extend(
            queue
                .claim(64, i64::MAX)
                .await?
                .iter()
                .map(|claim| claim.id),
        );
        took.record(begun.elapsed().as_micros() as u64)?;
    }
    print_line(
        "claim64",
        1,
        claimed.len() as f64 / begun.elapsed().as_secs_f64(),
        &took,
    );
    Ok(claimed)
}

async fn report(
    call: &str,
    callers: usize,
    begun: Instant,
    calls: Vec<tokio::task::JoinHandle<Result<Histogram<u64>, Failure>>>,
) -> Result<(), Failure> {
    let mut all = Histogram::<u64>::new(3)?;
    for call in calls {
        all.add(call.await??)?;
    }
    print_line(
        call,
        callers,
        all.len() as f64 / begun.elapsed().as_secs_f64(),
        &all,
    );
    Ok(())
}

fn print_line(call: &str, callers: usize, per_s: f64, took: &Histogram<u64>) {
    let (p50, p99) = (took.value_at_quantile(0.5), took.value_at_quantile(0.99));
    println!(
        "{callers:>8} {call:>8} {:>8} {p50:>10} {p99:>10} {per_s:>10.0}",
        took.len()
    );
}

fn event(request_id: String) -> Event {
    Event {
        request_id,
        function: "resize".into(),
        qualifier: None,
        version: "$LATEST".into(),
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:resize".into(),
        payload: Bytes::from_static(&[b' '; 256]),
        client_context: None,
        trace_id: None,
        accepted_at_ms: 0,
        max_attempts: 3,
        max_age_ms: 21_600_000,
        visible_at_ms: 0,
    }
}
