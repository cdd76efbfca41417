//! How many instances are alive in so much memory: clones of one seed, and instances that were started cold.
//!
//! Nothing is extrapolated: instances are added, each kept busy by an event that does not end (`crowd`), until all of the
//! daemon's processes together have the memory that there is. What counts is proportional memory (`smaps_rollup`): a page
//! that ten processes have is a tenth of each. The daemon, its nurseries and the template are part of it.

mod crowd;
mod package;

use std::time::Duration;

use anyhow::Context;

use super::e2e::rung::{Client, Rung, WISH};
use super::processes::Kind;
use crate::bench::{ACTIVE_LIMIT, Bench, Running, invocation_of};
use crate::record::Recorder;
use crate::summary::Summary;
use crowd::{Crowd, Found};

const SCENARIO: &str = "density/python-numpy";
const FUNCTION: &str = "numpy";
const BUDGET_MIB: u64 = 4096;
const QUICK_BUDGET_MIB: u64 = 128;
/// Longer than any run; the daemon ends them at its end.
const HOLD_S: u32 = 800;
/// Neither the account's nor the machine's bound, and no wait for events that do not end.
const SETTINGS: [(&str, &str); 3] = [
    ("OFFSHOOT_LIMITS_ACCOUNT_CONCURRENCY", "100000"),
    ("OFFSHOOT_LIMITS_MAX_INSTANCES", "100000"),
    ("OFFSHOOT_SERVER_DRAIN_TIMEOUT_S", "0"),
];

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let quick = bench.args.quick.then_some(QUICK_BUDGET_MIB);
    let budget_mib = bench.args.replay.budget.or(quick).unwrap_or(BUDGET_MIB);
    let zip = package::zip(&bench.args.workloads_dir)?;
    for (system, rung, kind) in [
        ("cold", Rung::Cold, Kind::Started),
        ("clone", Rung::Clone, Kind::Clone),
    ] {
        let found = fill(bench, rung, kind, &zip, budget_mib << 10);
        let found = found.with_context(|| format!("{SCENARIO} {system}"))?;
        record(system, budget_mib, &found, recorder)?;
    }
    Ok(())
}

fn fill(
    bench: &Bench<'_>,
    rung: Rung,
    kind: Kind,
    zip: &[u8],
    budget_kb: u64,
) -> anyhow::Result<Found> {
    let mut settings = SETTINGS.to_vec();
    settings.extend(rung.settings(false));
    let running = bench.daemon(&settings)?;
    deploy(&running, zip)?;
    let mut client = Client::new(rung, running.connect()?, event(0));
    client.settle()?;
    std::thread::sleep(Duration::from_millis(500));
    let mut crowd = Crowd::new(&running, kind, event(HOLD_S))?;
    let found = crowd.grow(budget_kb)?;
    drop(crowd);
    running.stop()?;
    Ok(found)
}

fn deploy(running: &Running, zip: &[u8]) -> anyhow::Result<()> {
    let client = running.client();
    let function = package::function(FUNCTION);
    running.block_on(async {
        client.create_function(&function, zip).await?;
        client.wait(FUNCTION, ACTIVE_LIMIT).await
    })?;
    Ok(())
}

fn event(hold_s: u32) -> Vec<u8> {
    let event = format!(r#"{{"size":16,"hold_s":{hold_s}}}"#);
    invocation_of(FUNCTION, &[WISH], event.as_bytes())
}

fn record(
    system: &str,
    budget_mib: u64,
    found: &Found,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    if found.is_bounded {
        eprintln!(
            "bench: {SCENARIO} {system}: {} instances are as many as are made here; they have not filled the memory",
            found.instances
        );
    }
    // `n` says in how much memory, in MiB.
    let one = |value: f64| Summary::single(budget_mib, value);
    let figures = [
        ("instances", "instances", found.instances as f64),
        ("used_kb", "KiB", found.used_kb as f64),
        ("kb_each", "KiB", found.kb_each().round()),
        ("machine_kb_each", "KiB", found.machine_kb_each().round()),
    ];
    for (metric, unit, value) in figures {
        recorder.record(SCENARIO, system, metric, unit, one(value))?;
    }
    Ok(())
}
