//! What is left in the kernel after functions were deployed, invoked and deleted again.
//!
//! The whole machine is counted, so that what escapes from the daemon is seen, too; whatever else begins on the
//! machine meanwhile is counted with it. A second count with leaks planted on purpose shows that the first would
//! have seen one.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use offshoot_testkit::{
    Drift, KernelObjects, LambdaClient, Leak, Planted, Probe, drift, plant, settled_drift,
};

use crate::bench::{Bench, Running};
use crate::record::Recorder;
use crate::summary::Summary;
use crate::workload::Workload;

/// Cycles before the baseline: pools, caches and threads that are made once are there.
const WARM_UP_CYCLES: u64 = 5;
/// Objects that are freed late have so long.
const SETTLE_LIMIT: Duration = Duration::from_secs(2);
/// The baseline is taken once nothing has changed for this long.
const QUIET: Duration = Duration::from_millis(500);
const QUIET_LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let echo = bench.echo()?;
    let zip = echo.zip()?;
    let running = bench.daemon(&[])?;
    let probe = Probe {
        descriptors_of: vec![("daemon".into(), running.pid()?)],
        ..Probe::default()
    };
    cycles(&running, &echo, &zip, WARM_UP_CYCLES)?;
    let before = baseline(&probe)?;
    let n = bench.args.n_or(200, 10);
    cycles(&running, &echo, &zip, n)?;
    let left = settled_drift(&before, &probe, SETTLE_LIMIT)?;
    tell(&left);
    let seen = planted_drift(&probe)?;

    let number = |drifts: usize| Summary::single(n, drifts as f64);
    recorder.record(
        "leak/cycles",
        "offshoot",
        "drift",
        "kinds",
        number(left.len()),
    )?;
    recorder.record("leak/cycles", "planted", "drift", "kinds", number(seen))?;
    running.stop()?;
    ensure!(
        seen > 0,
        "planted leaks were not seen, so the count of real ones means nothing"
    );
    if let Some(first) = left.first() {
        bail!(
            "{} kinds of kernel objects did not come back, such as {first}",
            left.len()
        );
    }
    Ok(())
}

/// Deploys, invokes and deletes a function `n` times.
fn cycles(running: &Running, echo: &Workload, zip: &[u8], n: u64) -> anyhow::Result<()> {
    let client = running.client();
    for round in 0..n {
        running.block_on(cycle(&client, echo, zip, round))?;
    }
    // Its connections close, and the daemon sees it.
    drop(client);
    running.pause(Duration::from_millis(50));
    Ok(())
}

async fn cycle(
    client: &LambdaClient,
    echo: &Workload,
    zip: &[u8],
    round: u64,
) -> anyhow::Result<()> {
    // Always another function, so that whatever is kept by name is seen to grow.
    let mut function = echo.function.clone();
    function.name = format!("cycle-{round}");
    client.create_function(&function, zip).await?;
    client.wait(&function.name, Duration::from_secs(30)).await?;
    let answer = client.invoke(&function.name, echo.event.clone()).await?;
    let text = String::from_utf8_lossy(&answer.payload);
    ensure!(
        answer.function_error().is_none(),
        "{} failed: {text}",
        function.name
    );
    client.delete(&function.name).await?;
    Ok(())
}

/// A snapshot after which nothing changed for a while.
pub(super) fn baseline(probe: &Probe) -> anyhow::Result<KernelObjects> {
    let begun = Instant::now();
    let mut last = KernelObjects::take(probe)?;
    while begun.elapsed() < QUIET_LIMIT {
        std::thread::sleep(QUIET);
        let next = KernelObjects::take(probe)?;
        let changed = drift(&last, &next);
        if changed.is_empty() {
            return Ok(next);
        }
        last = next;
    }
    eprintln!("bench: the machine is not quiet; other work on it will be taken for leaks");
    Ok(last)
}

/// How many kinds of objects drift when one leak of each kind is planted.
fn planted_drift(probe: &Probe) -> anyhow::Result<usize> {
    let before = baseline(probe)?;
    let leaks: Vec<Planted> = Leak::ALL
        .into_iter()
        .map(|leak| plant(leak).with_context(|| format!("cannot plant {leak:?}")))
        .collect::<anyhow::Result<_>>()?;
    let seen = drift(&before, &KernelObjects::take(probe)?);
    drop(leaks);
    Ok(seen.len())
}

fn tell(drifts: &[Drift]) {
    for drift in drifts {
        eprintln!("bench: left behind: {drift}");
    }
}
