//! The suite `clone` with the real engine, few samples of one seed.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use offshoot_bench::{BenchArgs, Report, Suite, run};

/// The example `bench`, which has the nursery of templates. Cargo builds it with the tests and does not tell where.
fn program() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let program = test.parent()?.parent()?.join("examples/bench");
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt;
        own.uid() == 0
    });
    if root && program.exists() {
        return Some(program);
    }
    eprintln!("skipped: wants root and {}", program.display());
    None
}

fn measure(bin: PathBuf) -> Report {
    run(&BenchArgs {
        suite: Suite::Clone,
        json: None,
        workloads: vec!["python-json".into()],
        systems: Vec::new(),
        n: Some(2),
        seconds: Some(1),
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

/// Mounts and control groups that are there.
fn left_behind() -> (usize, Vec<PathBuf>) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let own = format!("offshoot-bench-{}", std::process::id());
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
    let groups = hierarchies.map(|hierarchy| hierarchy.path().join(&own));
    let groups = groups.filter(|group| group.exists()).collect();
    (mounts.matches("offshoot-pool").count(), groups)
}

/// One test, as both parts look at what the whole process leaves behind.
#[test]
fn clones_are_measured_and_nothing_is_left_even_if_there_is_no_nursery() {
    let Some(program) = program() else {
        return;
    };
    let before = left_behind();
    let report = measure(program);
    assert_eq!(report.failures, [], "{report:?}");
    let has = |system: &str, metric: &str| {
        let is_it = |one: &&offshoot_bench::Measurement| {
            (one.scenario.as_str(), one.system.as_str()) == ("clone/python-json", system)
                && one.metric == metric
        };
        report
            .measurements
            .iter()
            .any(|one| is_it(&one) && one.summary.p50 > 0.0)
    };
    assert!(has("checkpoint", "freeze_us") && has("fork-yardstick", "fork_us"));
    for system in [
        "template-local",
        "template-mapped",
        "parked",
        "restore",
        "cold",
    ] {
        assert!(has(system, "to_response_us"), "{system}: {report:?}");
        assert!(has(&format!("{system}-idle"), "to_response_us"), "{system}");
        assert!(has(system, "private_kb"), "{system}: {report:?}");
    }
    assert_eq!(left_behind(), before);

    let report = measure("/bin/false".into());
    assert_eq!(report.failures.len(), 1, "{report:?}");
    assert_eq!(left_behind(), before);
}
