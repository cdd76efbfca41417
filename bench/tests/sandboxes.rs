//! The suite `sandbox` with a real pool, few samples.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use offshoot_bench::{BenchArgs, Report, Suite, run};

/// The example `bench`, which has the nursery of sandboxes. Cargo builds it with the tests and does not tell where.
fn program() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let program = test.parent()?.parent()?.join("examples/bench");
    if rustix::process::geteuid().is_root() && program.exists() {
        return Some(program);
    }
    eprintln!("skipped: wants root and {}", program.display());
    None
}

/// Two of them count what the machine has, so only one runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn measure(bin: PathBuf, steps: &[&str], n: Option<u64>) -> Report {
    run(&BenchArgs {
        suite: Suite::Sandbox,
        json: None,
        workloads: steps.iter().map(|step| (*step).to_owned()).collect(),
        systems: Vec::new(),
        n,
        seconds: Some(2),
        quick: true,
        replay: offshoot_bench::ReplayArgs::default(),
        soak: false,
        untrained: false,
        bin: Some(bin),
        workloads_dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads"),
        doc: PathBuf::new(),
    })
    .unwrap()
}

/// The figure, which must be there.
#[track_caller]
fn figure<'r>(
    report: &'r Report,
    scenario: &str,
    system: &str,
    metric: &str,
) -> &'r offshoot_bench::Measurement {
    let is_it = |one: &&offshoot_bench::Measurement| {
        (
            one.scenario.as_str(),
            one.system.as_str(),
            one.metric.as_str(),
        ) == (scenario, system, metric)
    };
    let found = report.measurements.iter().find(is_it);
    found.unwrap_or_else(|| panic!("no {scenario} {system} {metric}: {report:?}"))
}

#[test]
fn every_step_is_measured_alone_and_at_once() {
    let _alone = alone();
    let Some(program) = program() else {
        return;
    };
    let report = measure(program, &["take", "join", "repurpose", "scratch"], Some(24));
    assert_eq!(report.failures, [], "{report:?}");
    for threads in [1, 24] {
        for step in ["take", "join", "repurpose", "scratch"] {
            let scenario = format!("sandbox/{step}@{threads}");
            let latency = figure(&report, &scenario, "offshoot", "latency_us");
            assert!(
                latency.summary.p50 > 0.0 && latency.summary.n == 24,
                "{latency:?}"
            );
            figure(&report, &scenario, "offshoot", "cpu_us");
        }
        let scratch = format!("sandbox/scratch@{threads}");
        assert!(
            figure(&report, &scratch, "offshoot", "over_take")
                .summary
                .p50
                > 0.0
        );
        let runc = figure(&report, &scratch, "runc", "latency_us");
        assert!(
            runc.absent.is_some() || runc.summary.p50 > 1000.0,
            "{runc:?}"
        );
    }
}

#[test]
fn footprint_counts_the_memory_descriptors_and_processes_of_ghosts() {
    let _alone = alone();
    let Some(program) = program() else {
        return;
    };
    let report = measure(program, &["footprint"], Some(50));
    assert_eq!(report.failures, [], "{report:?}");
    let of = |metric| {
        figure(&report, "sandbox/footprint", "offshoot", metric)
            .summary
            .p50
    };
    // The machine has other work, so that only what each ghost has at least can be asked for.
    assert!(of("descriptors_each") >= 1.0 && of("processes_each") > 0.5);
    figure(&report, "sandbox/footprint", "offshoot", "kb_each");
}

#[test]
fn soak_tells_its_pace_and_what_is_left() {
    let _alone = alone();
    let Some(program) = program() else {
        return;
    };
    let report = measure(program, &["soak"], None);
    let of = |scenario: &str, system: &str, metric: &str| {
        figure(&report, scenario, system, metric).summary.p50
    };
    assert!(of("sandbox/soak", "offshoot", "last_tenth_over_first") > 0.0);
    assert!(of("sandbox/soak", "offshoot", "per_second") > 0.0);
    // The machine has other work, so that the number of left-overs means nothing here.
    figure(&report, "sandbox/drift", "offshoot", "objects");
    assert!(of("sandbox/drift", "planted", "objects") > 0.0);
}

#[test]
fn nursery_that_does_not_start_is_a_failure_and_no_figure() {
    let _alone = alone();
    let report = measure("/bin/false".into(), &["footprint"], Some(1));
    assert_eq!(report.failures.len(), 1, "{report:?}");
    assert_eq!(report.measurements, []);
}
