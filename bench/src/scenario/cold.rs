//! First invocations of a fresh instance, beside `runc run` of the same handler.
//!
//! A changed configuration ends the instances of a function, so that the next invocation has to make one. Both
//! are measured from the client: the request on a connection that is kept alive until its whole answer is there,
//! and the start of the `runc` process until the response was read from its output.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use offshoot_testkit::HttpConnection;

use super::e2e::rung::{RUNTIME_SEEDS, Rung};
use super::stages;
use crate::baseline::Runc;
use crate::bench::{Bench, Running, invocation};
use crate::record::Recorder;
use crate::summary::Samples;
use crate::workload::Workload;

/// The response says how it came about, and how long each stage took, if the request asks for it.
const STAGES: &str = "x-offshoot-stages";
const START: &str = "x-offshoot-start";
/// Retired instances and containers end before the next measurement begins.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let running = bench.daemon(&Rung::Cold.settings(bench.knows(RUNTIME_SEEDS)))?;
    for workload in bench.workloads()? {
        measure(bench, &running, &workload, recorder)
            .with_context(|| format!("cold/{}", workload.name()))?;
    }
    running.stop()
}

fn measure(
    bench: &Bench<'_>,
    running: &Running,
    workload: &Workload,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    running.deploy(workload)?;
    let mut runc = Runc::prepare(workload)?;
    let (response, _) = runc.run()?;
    workload.check("runc", &response)?;

    let mut ours = First::default();
    let (mut response, mut exit) = (Samples::microseconds(), Samples::microseconds());
    let n = bench.args.n_or(20, 3);
    let limit = Duration::from_secs(bench.args.seconds_or(120, 60));
    let begun = Instant::now();
    let request = invocation(workload, &[(STAGES, "1")]);
    let mut connection = running.connect()?;
    for round in 0..n {
        running.retire_instances(workload, round)?;
        std::thread::sleep(PAUSE);
        ours.invoke(&mut connection, &request)?;
        let (_, times) = runc.run()?;
        response.record(times.response);
        exit.record(times.exit);
        std::thread::sleep(PAUSE);
        if begun.elapsed() > limit {
            break;
        }
    }
    let scenario = format!("cold/{}", workload.name());
    ours.record(&scenario, recorder)?;
    recorder.record(&scenario, "runc", "latency_us", "us", response.summary())?;
    recorder.record(&scenario, "runc", "exit_us", "us", exit.summary())?;
    running.block_on(running.client().delete(workload.name()))?;
    Ok(())
}

/// First invocations, and where their time went.
struct First {
    whole: Samples,
    stages: BTreeMap<String, Samples>,
}

impl Default for First {
    fn default() -> Self {
        Self {
            whole: Samples::microseconds(),
            stages: BTreeMap::new(),
        }
    }
}

impl First {
    fn invoke(&mut self, connection: &mut HttpConnection, request: &[u8]) -> anyhow::Result<()> {
        let sent = Instant::now();
        let answer = connection.exchange(request)?;
        let took = sent.elapsed();
        ensure!(
            answer.status == 200 && answer.header("x-amz-function-error").is_none(),
            "status {}: {}",
            answer.status,
            String::from_utf8_lossy(answer.body)
        );
        let start = answer
            .header(START)
            .with_context(|| format!("no header {START}"))?;
        ensure!(
            start == "cold",
            "the start was {start}, so an old instance was used"
        );
        self.whole.record(took);
        for (stage, micros) in stages(answer.header(STAGES).unwrap_or_default()) {
            let samples = self
                .stages
                .entry(stage)
                .or_insert_with(Samples::microseconds);
            samples.record(Duration::from_micros(micros));
        }
        Ok(())
    }

    fn record(&self, scenario: &str, recorder: &mut Recorder) -> anyhow::Result<()> {
        recorder.record(
            scenario,
            "offshoot-cold",
            "latency_us",
            "us",
            self.whole.summary(),
        )?;
        for (stage, samples) in &self.stages {
            let metric = format!("{stage}_us");
            recorder.record(scenario, "offshoot-cold", &metric, "us", samples.summary())?;
        }
        Ok(())
    }
}
