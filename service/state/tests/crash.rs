//! What a SIGKILL leaves: every event whose enqueue returned, none whose ack returned.
//!
//! The test runs its own binary again as the victim. The victim prints one line per returned call, and is
//! killed at a random moment; the lines are the oracle. (A killed process loses nothing that it wrote
//! with write(2), so this checks ordering and atomicity; power cuts are SQLite's `synchronous=FULL`.)
#![allow(clippy::unwrap_used)]

mod suite;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use offshoot_state::{Queue, StateDir};
use suite::event;

const VICTIM_DIR: &str = "OFFSHOOT_TEST_VICTIM_DIR";
const VICTIM_ROUND: &str = "OFFSHOOT_TEST_VICTIM_ROUND";
const ROUNDS: u32 = 20;

#[tokio::test]
async fn no_promised_event_is_lost_by_sigkill() {
    if let Ok(dir) = std::env::var(VICTIM_DIR) {
        return victim(dir.as_ref()).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut promised, mut acked, mut maybe_acked) = Default::default();
    for round in 0..ROUNDS {
        run_and_kill(
            dir.path(),
            round,
            &mut promised,
            &mut acked,
            &mut maybe_acked,
        );
        check(dir.path(), &promised, &acked, &maybe_acked).await;
    }
    assert!(promised.len() > 100, "the victim did nothing");
    assert!(acked.len() > 20, "the victim acked nothing");
}

async fn check(
    dir: &Path,
    promised: &HashSet<String>,
    acked: &HashSet<String>,
    maybe_acked: &HashSet<String>,
) {
    let state = StateDir::open(dir).await.unwrap();
    let queue = state.queue();
    queue.reclaim_all().await.unwrap();
    let mut found = HashSet::new();
    loop {
        let claims = queue.claim(256, i64::MAX).await.unwrap();
        if claims.is_empty() {
            break;
        }
        for claim in claims {
            assert_eq!(claim.attempt, 0);
            found.insert(claim.event.request_id);
        }
    }
    assert_eq!(
        queue.depth().await.unwrap().dead,
        0,
        "a payload is missing or damaged"
    );
    for id in promised.difference(maybe_acked) {
        assert!(found.contains(id), "{id} was promised and is lost");
    }
    for id in acked {
        assert!(!found.contains(id), "{id} was acked and is back");
    }
    state.close().await;
}

fn run_and_kill(
    dir: &Path,
    round: u32,
    promised: &mut HashSet<String>,
    acked: &mut HashSet<String>,
    maybe_acked: &mut HashSet<String>,
) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "no_promised_event_is_lost_by_sigkill",
            "--nocapture",
        ])
        .env(VICTIM_DIR, dir)
        .env(VICTIM_ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut count = 0;
    for line in lines {
        let Ok(line) = line else { break };
        match line.split_once(' ') {
            Some(("promised", id)) => _ = promised.insert(id.into()),
            Some(("acking", id)) => _ = maybe_acked.insert(id.into()),
            Some(("acked", id)) => _ = acked.insert(id.into()),
            _ => continue,
        }
        count += 1;
        if count == 10 + round * 7 {
            // Somewhere within the next few commits.
            std::thread::sleep(Duration::from_micros(u64::from(round) * 137 % 1500));
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
}

async fn victim(dir: &Path) {
    let round = std::env::var(VICTIM_ROUND).unwrap();
    let state = StateDir::open(dir).await.unwrap();
    let queue = state.queue();
    queue.reclaim_all().await.unwrap();
    let producers = (0..4).map(|producer| produce(&queue, format!("{round}-{producer}")));
    let produce_all = futures_util::future::join_all(producers);
    tokio::join!(produce_all, consume(&queue));
}

async fn produce(queue: &dyn Queue, name: String) {
    for n in 0.. {
        let id = format!("{name}-{n}");
        let mut event = event(&id, n);
        if n % 5 == 0 {
            event.payload = Bytes::from(vec![n as u8; 80_000]);
        }
        queue.enqueue(vec![event]).await.unwrap();
        say("promised", &id);
    }
}

async fn consume(queue: &dyn Queue) {
    loop {
        let claims = queue.claim(3, i64::MAX).await.unwrap();
        let ids: Vec<_> = claims.iter().map(|claim| claim.id).collect();
        claims
            .iter()
            .for_each(|claim| say("acking", &claim.event.request_id));
        queue.ack(&ids).await.unwrap();
        claims
            .iter()
            .for_each(|claim| say("acked", &claim.event.request_id));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn say(what: &str, id: &str) {
    // One write(2) per line, past the test harness's capture.
    std::io::stdout()
        .write_all(format!("{what} {id}\n").as_bytes())
        .unwrap();
}
