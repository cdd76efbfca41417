//! What a program inside reaches of the kernel, measured from inside for each ABI, is what is published.
#![allow(clippy::unwrap_used)]
#![cfg(target_arch = "x86_64")]

mod common;

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Command;

use common::{launcher, lines, program};
use libc::c_long;
use offshoot_sandbox::seccomp::table::UNFILTERED;
use offshoot_sandbox::seccomp::{Answer, answer, reachable};

const PROBE: &str = include_str!("programs/probe.py");
/// Beyond the newest number of any kernel, and the numbers that x32 has for itself (512 to 547).
const NUMBERS: &str = "0-599";
/// The user nobody.
const NOBODY: u32 = 65534;

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Result(i64),
    /// The caller did not live to tell.
    Ended,
}

type Outcomes = BTreeMap<(String, c_long), Outcome>;

fn parse(text: &[String]) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for line in text {
        let words: Vec<&str> = line.split(' ').collect();
        let outcome = match words[2] {
            "ended" => Outcome::Ended,
            result => Outcome::Result(result.parse().unwrap()),
        };
        outcomes.insert((words[0].to_owned(), words[1].parse().unwrap()), outcome);
    }
    outcomes
}

/// Whether a call with the probe's arguments was carried out. No call that is allowed answers these with an errno that
/// the filter gives; those that the filter answers "done" are known by it, but `sync` to which nothing else can happen.
fn was_carried_out(number: c_long, outcome: Outcome) -> bool {
    let refusals = [
        libc::EPERM,
        libc::ENOSYS,
        libc::EOPNOTSUPP,
        libc::EAFNOSUPPORT,
    ];
    let done = answer(number) == Answer::Errno(0);
    match outcome {
        Outcome::Ended => true,
        Outcome::Result(0) => !done,
        Outcome::Result(result) => !refusals.iter().any(|errno| result == -i64::from(*errno)),
    }
}

fn carried_out(outcomes: &Outcomes, abi: &str) -> Vec<c_long> {
    let of_abi = outcomes.iter().filter(|((of, _), _)| of == abi);
    of_abi
        .filter(|((_, number), outcome)| was_carried_out(*number, **outcome))
        .map(|((_, number), _)| *number)
        .collect()
}

/// The same program outside of any sandbox, without rights: the positive control.
fn outside(asked: &[&str]) -> Outcomes {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-c", PROBE]).args(asked);
    let output = command.uid(NOBODY).gid(NOBODY).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    parse(&lines)
}

#[tokio::test]
async fn what_is_reached_in_three_abis_is_what_is_published() {
    let Some((_, launcher)) = launcher("reach").await else {
        return;
    };
    let asked = ["native", "x32", "i386"].map(|abi| format!("{abi}:{NUMBERS}"));
    let mut argv = vec!["/usr/bin/python3", "-I", "-S", "-c", PROBE];
    argv.extend(asked.iter().map(String::as_str));
    let inside = parse(&lines(&launcher, program("a", &argv)).await);
    assert_eq!(inside.len(), 3 * 600);
    for ((abi, number), outcome) in &inside {
        let expected = match (abi.as_str(), answer(*number)) {
            ("native", _) if is_unfiltered(*number) => continue,
            ("native", Answer::Errno(errno)) => -i64::from(errno),
            ("native", _) => continue,
            ("x32", _) => -i64::from(libc::EPERM),
            _ => -i64::from(libc::ENOSYS),
        };
        assert_eq!(*outcome, Outcome::Result(expected), "{abi} {number}");
    }
    let mut reached = carried_out(&inside, "native");
    reached.retain(|number| !is_unfiltered(*number));
    let mut published = reachable();
    published.retain(|number| !is_unfiltered(*number));
    assert_eq!(reached, published);
    assert_eq!(carried_out(&inside, "x32"), Vec::<c_long>::new());
    assert_eq!(carried_out(&inside, "i386"), Vec::<c_long>::new());
    launcher.shutdown().await;
}

/// Carried out or not there, by the kernel's version; never refused.
fn is_unfiltered(number: c_long) -> bool {
    UNFILTERED
        .iter()
        .any(|(unfiltered, _)| *unfiltered == number)
}

#[test]
fn same_probe_reaches_more_outside_of_a_sandbox() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: becoming nobody needs root");
        return;
    }
    let outside = outside(&["native:0-599", "i386:20-20", "i386:24-24", "x32:39-39"]);
    let reached = carried_out(&outside, "native");
    let published = reachable();
    let more: Vec<&c_long> = reached
        .iter()
        .filter(|number| !published.contains(number))
        .collect();
    for call in [
        libc::SYS_ptrace,
        libc::SYS_shmget,
        libc::SYS_add_key,
        libc::SYS_unshare,
    ] {
        assert!(more.contains(&&call), "{call} is not among {more:?}");
    }
    // Kernels may be built without the other ABIs.
    for (abi, number) in [("i386", 20), ("x32", 39)] {
        match outside[&(abi.to_owned(), number)] {
            Outcome::Result(result) if result == -i64::from(libc::ENOSYS) => {
                eprintln!("no control for {abi}: this kernel has not got it");
            }
            outcome => assert!(was_carried_out(number, outcome), "{abi} {outcome:?}"),
        }
    }
}
