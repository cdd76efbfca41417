//! Every scenario against a stand-in for the daemon: figures come out, and faults are found.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use offshoot_bench::{BenchArgs, Report, Suite, run};
use tempfile::TempDir;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// A run of one suite with few samples; `fault` is what the stand-in does wrong.
fn bench(suite: Suite, n: Option<u64>, fault: &str) -> (Report, Vec<String>) {
    bench_some(suite, "echo", n, fault)
}

/// The same of one workload, or attack.
fn bench_some(suite: Suite, name: &str, n: Option<u64>, fault: &str) -> (Report, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let args = BenchArgs {
        suite,
        json: Some(json.clone()),
        workloads: vec![name.into()],
        systems: Vec::new(),
        n,
        seconds: None,
        quick: true,
        replay: offshoot_bench::ReplayArgs::default(),
        soak: false,
        untrained: false,
        bin: Some(stand_in(&folder, fault)),
        workloads_dir: Path::new(CRATE).join("../workloads"),
        doc: PathBuf::new(),
    };
    let report = run(&args).unwrap();
    let lines = fs::read_to_string(&json).unwrap();
    (report, lines.lines().map(str::to_owned).collect())
}

/// The stand-in as a program that takes the fault with it.
fn stand_in(folder: &TempDir, fault: &str) -> PathBuf {
    let bin = folder.path().join("offshoot");
    let script =
        format!("#!/bin/sh\nSTAND_IN_FAULT={fault} exec {CRATE}/tests/stand_in.py \"$@\"\n");
    fs::write(&bin, script).unwrap();
    fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
    bin
}

fn p50(report: &Report, scenario: &str, system: &str, metric: &str) -> f64 {
    let wanted = |one: &&offshoot_bench::Measurement| {
        (
            one.scenario.as_str(),
            one.system.as_str(),
            one.metric.as_str(),
        ) == (scenario, system, metric)
    };
    let found = report.measurements.iter().find(wanted);
    found
        .unwrap_or_else(|| panic!("no {scenario} {system} {metric}: {report:?}"))
        .summary
        .p50
}

#[track_caller]
fn reason(report: &Report) -> &str {
    assert_eq!(report.failures.len(), 1, "{report:?}");
    &report.failures[0].1
}

#[test]
fn hot_measures_both_systems_in_one_run() {
    let (report, lines) = bench(Suite::Hot, Some(50), "");
    assert_eq!(report.failures, []);
    for system in ["offshoot", "unix-socket"] {
        assert!(p50(&report, "hot/echo", system, "latency_us") > 0.0);
    }
    assert_eq!(report.measurements[0].summary.n, 50);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with(r#"{"scenario":"hot/echo","system":"offshoot","metric""#));
}

#[test]
fn wrong_answer_is_not_measured() {
    let (report, lines) = bench(Suite::Hot, Some(10), "wrong");
    assert!(
        reason(&report).contains("offshoot gave a wrong answer for echo"),
        "{report:?}"
    );
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn throughput_counts_answers_of_whole_windows() {
    let (report, _) = bench(Suite::Throughput, None, "");
    assert!(p50(&report, "throughput/hot-echo", "offshoot", "per_second") > 10.0);
    assert_eq!(report.measurements[0].summary.n, 2);
}

#[test]
fn idle_measures_daemon_and_nursery() {
    let (report, _) = bench(Suite::Idle, None, "");
    for system in ["offshoot", "offshoot-nursery"] {
        assert!(p50(&report, "idle", system, "rss_kb") > 100.0);
        assert!(p50(&report, "idle", system, "wakeups_per_s") >= 0.0);
    }
}

#[test]
fn async_finds_all_events_after_kills() {
    let (report, _) = bench(Suite::Async, Some(300), "");
    assert_eq!(report.failures, []);
    assert_eq!(p50(&report, "async/kill", "offshoot", "lost"), 0.0);
    assert!(p50(&report, "async/kill", "offshoot", "most_runs") >= 1.0);
}

#[test]
fn async_finds_lost_events() {
    let (report, lines) = bench(Suite::Async, Some(300), "lose");
    assert!(
        reason(&report).ends_with("accepted events were lost"),
        "{report:?}"
    );
    assert!(p50(&report, "async/kill", "offshoot", "lost") > 0.0);
    assert!(lines.iter().any(|line| line.contains(r#""metric":"lost""#)));
}

fn privileged() -> bool {
    let root =
        fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    let runc = Path::new("/usr/sbin/runc").exists() || Path::new("/usr/bin/runc").exists();
    if !(root && runc) {
        eprintln!("skipped: this needs root and runc");
    }
    root && runc
}

#[test]
fn cold_measures_both_systems_and_the_stages() {
    if !privileged() {
        return;
    }
    let (report, _) = bench(Suite::Cold, None, "");
    assert_eq!(report.failures, []);
    assert!(p50(&report, "cold/echo", "offshoot-cold", "latency_us") > 0.0);
    let stage = p50(&report, "cold/echo", "offshoot-cold", "sandbox_us");
    assert!((1999.0..=2002.0).contains(&stage), "{stage}");
    let answered = p50(&report, "cold/echo", "runc", "latency_us");
    assert!(answered > 1000.0);
    assert!(p50(&report, "cold/echo", "runc", "exit_us") > answered);
}

#[test]
fn hot_start_is_not_taken_for_a_cold_one() {
    if !privileged() {
        return;
    }
    let (report, _) = bench(Suite::Cold, None, "warm");
    assert!(reason(&report).contains("the start was hot"), "{report:?}");
}

#[test]
fn leak_sees_what_was_planted_and_what_was_left() {
    if !privileged() {
        return;
    }
    // Other tests run at the same time, so that only what must be there can be asked for.
    let (report, _) = bench(Suite::Leak, Some(8), "leak");
    assert!(p50(&report, "leak/cycles", "planted", "drift") > 0.0);
    assert!(p50(&report, "leak/cycles", "offshoot", "drift") > 0.0);
    assert!(reason(&report).contains("did not come back"), "{report:?}");
}

#[test]
fn noise_measures_three_systems_with_and_without_the_attack() {
    if !privileged() {
        return;
    }
    let (report, lines) = bench_some(Suite::Noise, "fork", Some(2), "");
    assert_eq!(report.failures, []);
    for system in ["neighbour", "daemon", "floor"] {
        for with in ["", "-idle"] {
            let system = format!("{system}{with}");
            assert!(p50(&report, "noise/fork", &system, "latency_us") > 0.0);
            assert!(p50(&report, "noise/fork", &system, "wait_us") >= 0.0);
        }
        assert!(p50(&report, "noise/fork", system, "p99_over_idle") > 0.0);
    }
    assert!(p50(&report, "noise/fork", "attacker", "refused_per_s") > 0.0);
    assert!(lines.iter().all(|line| !line.contains("noise/log")));
}

#[test]
fn attack_that_gets_nothing_or_ends_early_gives_no_figures() {
    if !privileged() {
        return;
    }
    for (fault, said) in [
        ("harmless", "the attack was none: it has no forks"),
        (
            "early",
            "the attack did not run in all of the measured time",
        ),
    ] {
        let (report, lines) = bench_some(Suite::Noise, "fork", None, fault);
        assert!(reason(&report).contains(said), "{report:?}");
        assert_eq!(lines, Vec::<String>::new());
    }
}

#[test]
fn unknown_attack_is_refused_with_the_names_of_all() {
    let (report, _) = bench_some(Suite::Noise, "forks", None, "");
    let said =
        "there is no attack forks; there are: fork, memory, inodes, descriptors, log, cache, cpu";
    assert_eq!(reason(&report), said);
}
