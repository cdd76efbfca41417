//! Which accepted events were run, judged from the function's log alone.
//!
//! The daemon writes `START RequestId: ID …` when it delivers an event to an instance and `END RequestId: ID` when
//! the instance has answered, both at once and into a file, which a killed daemon does not take back.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

const START: &str = "START RequestId: ";
const END: &str = "END RequestId: ";

/// How often an event was begun and finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) starts: u64,
    pub(super) ends: u64,
}

/// All runs, by request id.
#[derive(Debug, Default)]
pub(super) struct Witness {
    runs: HashMap<String, Runs>,
}

/// What became of the accepted events.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Accepted and never finished.
    pub(super) lost: Vec<String>,
    /// Begun more often than faults explain.
    pub(super) excess: Vec<String>,
    /// The most that one event was begun.
    pub(super) most_starts: u64,
    /// How many starts there were beyond the first of each event.
    pub(super) repeats: u64,
}

impl Witness {
    /// Reads every log below a folder.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut witness = Self::default();
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    witness.add(&String::from_utf8_lossy(&fs::read(&path)?));
                }
            }
        }
        Ok(witness)
    }

    /// Counts the lines of a log. A line that a kill has torn may run into the next one, so that the marks are
    /// looked for anywhere.
    fn add(&mut self, log: &str) {
        for id in ids_after(log, START) {
            self.runs.entry(id.to_owned()).or_default().starts += 1;
        }
        for id in ids_after(log, END) {
            self.runs.entry(id.to_owned()).or_default().ends += 1;
        }
    }

    /// Judges the accepted events: each must have finished, and none may have begun more than `most` times.
    pub(super) fn judge(&self, accepted: &[String], most: u64) -> Verdict {
        let mut verdict = Verdict::default();
        for id in accepted {
            let runs = self.runs.get(id).copied().unwrap_or_default();
            if runs.ends == 0 {
                verdict.lost.push(id.clone());
            }
            if runs.starts > most {
                verdict.excess.push(id.clone());
            }
            verdict.most_starts = verdict.most_starts.max(runs.starts);
            verdict.repeats += runs.starts.saturating_sub(1);
        }
        verdict
    }

    /// What is known of one event.
    pub(super) fn runs(&self, id: &str) -> Runs {
        self.runs.get(id).copied().unwrap_or_default()
    }
}

fn ids_after<'a>(log: &'a str, mark: &str) -> impl Iterator<Item = &'a str> {
    log.split(mark)
        .skip(1)
        .filter_map(|rest| rest.split_ascii_whitespace().next())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn witness(log: &str) -> Witness {
        let mut witness = Witness::default();
        witness.add(log);
        witness
    }

    fn ids(of: &[&str]) -> Vec<String> {
        of.iter().map(|id| (*id).to_owned()).collect()
    }

    const LOG: &str = "2026-01-01T00:00:00Z\tplatform\tSTART RequestId: a Version: $LATEST\n\
                       2026-01-01T00:00:00Z\tplatform\tEND RequestId: a\n\
                       2026-01-01T00:00:00Z\tplatform\tREPORT RequestId: a\tDuration: 1 ms\n\
                       2026-01-01T00:00:00Z\tplatform\tSTART RequestId: b Version: $LATEST\n";

    #[test]
    fn finished_event_is_not_lost() {
        let verdict = witness(LOG).judge(&ids(&["a"]), 1);
        assert_eq!(
            verdict,
            Verdict {
                most_starts: 1,
                ..Verdict::default()
            }
        );
    }

    #[test]
    fn event_that_never_finished_or_never_began_is_lost() {
        assert_eq!(
            witness(LOG).judge(&ids(&["a", "b", "c"]), 1).lost,
            ids(&["b", "c"])
        );
    }

    #[test]
    fn event_begun_too_often_is_excess() {
        let again = format!("{LOG}{LOG}");
        let verdict = witness(&again).judge(&ids(&["a"]), 1);
        assert_eq!(verdict.excess, ids(&["a"]));
        assert_eq!((verdict.most_starts, verdict.repeats), (2, 1));
        assert_eq!(witness(&again).judge(&ids(&["a"]), 2).excess, ids(&[]));
    }

    #[test]
    fn torn_line_does_not_hide_the_next() {
        let torn =
            "x\tplatform\tSTART Requx\tplatform\tSTART RequestId: a V\nx\tEND RequestId: a\n";
        let expected = Runs { starts: 1, ends: 1 };
        assert_eq!(witness(torn).runs("a"), expected);
    }

    #[test]
    fn all_segments_of_all_functions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for (function, segment) in [
            ("echo", "current.log"),
            ("echo", "previous.log"),
            ("b", "c.log"),
        ] {
            let at = folder.path().join(function);
            fs::create_dir_all(&at).unwrap();
            fs::write(at.join(segment), LOG).unwrap();
        }
        let found = Witness::read(folder.path()).unwrap();
        assert_eq!(found.runs("a"), Runs { starts: 3, ends: 3 });
    }
}
