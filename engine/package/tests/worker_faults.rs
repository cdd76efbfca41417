//! Workers that fail or lie, and what an honest one is left with.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use offshoot_package::{Limits, Package, UnpackError, UnpackErrorKind, Worker, WorkerFault};
use support::Arena;
use support::builder::{Archive, Item};

/// Unpacks an honest zip with a shell script as the worker.
fn with_script(script: &str) -> Result<Package, UnpackError> {
    with_script_for(script, 10_000)
}

fn with_script_for(script: &str, timeout_ms: u64) -> Result<Package, UnpackError> {
    let arena = Arena::with_worker(Worker::new("/bin/sh", &["-c", script]));
    let before = arena.snapshot();
    let limits = Limits {
        timeout_ms,
        ..Limits::default()
    };
    let zip = Archive::of([Item::file("f", "x")]).bytes();
    let result = arena.store.unpack(&zip, &limits);
    if let Err(error) = &result {
        assert_eq!(error.kind(), UnpackErrorKind::Io, "{error:?}");
        assert_eq!(arena.snapshot(), before, "{script}: something was left");
    }
    result
}

fn fault(script: &str) -> WorkerFault {
    match with_script(script) {
        Err(UnpackError::Worker { source }) => source,
        other => panic!("{script}: {other:?}"),
    }
}

/// Prints that all went well, with so many bytes and entries.
fn claim(bytes: u64, entries: u32) -> String {
    format!(
        "echo '{{\"Unpacked\":{{\"bytes\":{bytes},\"entries\":{entries},\"landlocked\":true}}}}'"
    )
}

#[test]
fn a_worker_that_dies_leaves_nothing() {
    for script in [
        "exit 3",
        "kill -9 $$",
        "mkdir -p a/b; echo x > a/b/f; kill -SEGV $$",
    ] {
        assert!(
            matches!(fault(script), WorkerFault::Died { .. }),
            "{script}"
        );
    }
}

#[test]
fn a_worker_that_hangs_is_killed_at_its_deadline() {
    for script in [
        "exec sleep 60",
        "exec >&-; exec sleep 60",
        "while :; do :; done",
    ] {
        let started = Instant::now();
        match with_script_for(script, 500) {
            Err(UnpackError::Worker {
                source: WorkerFault::TimedOut { timeout_ms: 500 },
            }) => {}
            other => panic!("{script}: {other:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{script}");
    }
}

#[test]
fn a_worker_that_babbles_is_cut_off() {
    assert!(matches!(fault("echo nonsense"), WorkerFault::BadVerdict));
    assert!(matches!(fault("true"), WorkerFault::BadVerdict));
    let started = Instant::now();
    let babble = with_script_for("while :; do echo nonsense; done", 500).unwrap_err();
    assert_eq!(babble.kind(), UnpackErrorKind::Io);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_worker_that_claims_more_or_less_than_it_made_is_not_believed() {
    for script in [
        claim(1, 1),
        format!("echo x > f; chmod 644 f; {}", claim(1, 1)),
        format!("echo x > f; chmod 644 f; {}", claim(2, 2)),
    ] {
        assert!(
            matches!(fault(&script), WorkerFault::Untrustworthy { .. }),
            "{script}"
        );
    }
    // The control: the right claim is believed.
    let package = with_script(&format!("echo x > f; chmod 644 f; {}", claim(2, 1))).unwrap();
    assert_eq!((package.unzipped_bytes, package.entries), (2, 1));
}

#[test]
fn a_worker_cannot_plant_what_a_package_must_not_hold() {
    let planted = [
        ("mkfifo f", "a special file"),
        ("touch f; chmod 4755 f", "an unexpected file mode"),
        ("touch f; chmod 666 f", "an unexpected file mode"),
        ("mkdir -m 1777 d", "an unexpected file mode"),
        ("ln -s / f", "a link that leaves the package"),
        ("ln -s .. f", "a link that leaves the package"),
        (
            "mkdir -m 755 d; ln -s .. d/up; ln -s d/up/.. f",
            "a link that leaves the package",
        ),
        ("touch a; chmod 644 a; ln a b", "a hard link"),
        (
            "umask 022; d=.; for i in $(seq 70); do d=$d/d; mkdir $d; done",
            "a directory too deep",
        ),
        ("truncate -s 300000000 f; chmod 644 f", "too many bytes"),
    ];
    for (script, what) in planted {
        match fault(&format!("{script}; {}", claim(0, 1))) {
            WorkerFault::Untrustworthy { what: found } => assert_eq!(found, what, "{script}"),
            other => panic!("{script}: {other:?}"),
        }
    }
}

#[test]
fn text_from_the_worker_cannot_reach_a_terminal_raw() {
    let script = r#"printf '{"Refused":{"Failed":{"step":"\\u001b[2J","errno":5}}}'"#;
    let Err(error) = with_script(script) else {
        panic!("accepted")
    };
    assert!(error.to_string().ends_with("(unprintable)"), "{error}");
}

#[test]
fn the_worker_starts_without_privileges_or_environment() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root, to see that it is given up");
        return;
    }
    let listing = "umask 022; exec 2>/dev/null; grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|CapAmb):' \
                   /proc/self/status | tr -s '\\t ' ' ' > status; env | grep -v -e ^PWD= -e ^_= \
                   -e ^OFFSHOOT_UNPACK_LIMITS= > env; cat /etc/shadow > shadow; \
                                      b=$(cat * | wc -c); printf \
                   '{\"Unpacked\":{\"bytes\":%d,\"entries\":3,\"landlocked\":true}}' $b";
    let arena = Arena::with_worker(Worker::new("/bin/sh", &["-c", listing]));
    let zip = Archive::of([Item::file("f", "x")]).bytes();
    let package = arena.store.unpack(&zip, &Limits::default()).unwrap();
    let read = |name: &str| std::fs::read_to_string(package.path.join(name)).unwrap();
    let status = read("status");
    let zeros = "0000000000000000";
    for line in [
        "Uid: 65534 65534 65534 65534",
        "Gid: 65534 65534 65534 65534",
        "Groups:",
        &format!("CapPrm: {zeros}"),
        &format!("CapEff: {zeros}"),
        &format!("CapAmb: {zeros}"),
    ] {
        assert!(
            status.lines().any(|l| l.trim_end() == line),
            "{line} not in {status}"
        );
    }
    assert_eq!(read("env"), "");
    assert_eq!(read("shadow"), "");
}
