//! Do clones of one seed draw the same random values? `tests/engine/uniqueness.py` draws and judges.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::Summary;

const PYTHON: &str = "/usr/bin/python3";
/// Beside the folder of the workloads, as in a source tree.
const SCRIPT: &str = "tests/engine/uniqueness.py";

/// What the script says of one runtime.
#[derive(Debug, Deserialize)]
struct Verdict {
    runtime: String,
    values: u64,
    /// How many of them had been drawn before.
    repeats: u64,
    /// The same where every fix is off.
    unfixed_values: u64,
    unfixed_repeats: u64,
}

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let workloads = bench.args.workloads_dir.canonicalize();
    let workloads = workloads.context("cannot find the folder of the workloads")?;
    let script = workloads.with_file_name(SCRIPT);
    let packages = workloads.join(".build").join("linpack");
    let clones = bench.args.n_or(1000, 20).to_string();
    let mut command = Command::new(PYTHON);
    command.arg(&script).arg("--bin").arg(bench.program());
    command.args(["--json", "--clones", &clones, "--packages"]);
    let output = command.arg(packages).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {}", script.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let verdicts = said.lines().filter(|line| line.starts_with('{'));
    for line in verdicts {
        let verdict: Verdict = serde_json::from_str(line).context("the script says no verdict")?;
        record(&verdict, recorder)?;
    }
    ensure!(output.status.success(), "clones are not unique: {said}");
    Ok(())
}

fn record(verdict: &Verdict, recorder: &mut Recorder) -> anyhow::Result<()> {
    let scenario = format!("unique/{}", verdict.runtime);
    let figures = [
        ("offshoot", verdict.values, verdict.repeats),
        ("unfixed", verdict.unfixed_values, verdict.unfixed_repeats),
    ];
    for (system, values, repeats) in figures {
        let summary = Summary::single(values, repeats as f64);
        recorder.record(&scenario, system, "repeats", "values", summary)?;
    }
    Ok(())
}
