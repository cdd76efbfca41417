//! How long processes wait for a processor: runnable, and not running (`/proc/PID/schedstat`).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use procfs::process::{self, Process};

const NAME_VARIABLE: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The processes of a function that descend from the daemon: another daemon of the machine may have one of that name.
pub(super) fn of_function(name: &str, daemon: i32) -> anyhow::Result<Vec<i32>> {
    let all: Vec<Process> = process::all_processes()?.filter_map(Result::ok).collect();
    let parents = all
        .iter()
        .filter_map(|process| Some((process.pid, process.stat().ok()?.ppid)))
        .collect();
    let is_of_it = |process: &&Process| {
        let environment = process.environ().unwrap_or_default();
        environment
            .get(OsStr::new(NAME_VARIABLE))
            .is_some_and(|found| found == name)
            && descends(process.pid, daemon, &parents)
    };
    Ok(all
        .iter()
        .filter(is_of_it)
        .map(|process| process.pid)
        .collect())
}

fn descends(mut pid: i32, from: i32, parents: &BTreeMap<i32, i32>) -> bool {
    // No chain is longer than there are processes, even if ids were used again while they were read.
    for _ in 0..=parents.len() {
        if pid == from {
            return true;
        }
        let Some(parent) = parents.get(&pid) else {
            return false;
        };
        pid = *parent;
    }
    false
}

/// What all threads of the processes have waited so far.
pub(super) fn waited(pids: &[i32]) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for pid in pids {
        let folder = format!("/proc/{pid}/task");
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
            sum += of_thread(&entry?.path()).unwrap_or_default();
        }
    }
    Ok(sum)
}

/// None of a thread that has ended.
fn of_thread(folder: &Path) -> Option<Duration> {
    let text = fs::read_to_string(folder.join("schedstat")).ok()?;
    let nanos = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn own_threads_have_waited_and_a_dead_process_is_an_error() {
        let me = std::process::id() as i32;
        assert!(waited(&[me]).unwrap() > Duration::ZERO);
        assert!(waited(&[i32::MAX]).is_err());
        assert!(of_function("no such function", me).unwrap().is_empty());
    }

    #[test]
    fn descendants_are_told_from_others() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (9, 1), (7, 8), (8, 7)]);
        assert!(descends(4, 2, &parents) && descends(2, 2, &parents));
        for other in [9, 1, 7, 5] {
            assert!(!descends(other, 2, &parents), "{other}");
        }
    }
}
