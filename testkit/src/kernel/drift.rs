//! What differs between two snapshots.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use super::{Group, KernelObjects, Objects, Probe, SnapshotError};

/// How often the objects are counted again while they settle.
const PAUSE: Duration = Duration::from_millis(50);
/// More names than this are not printed.
const SHOWN_NAMES: usize = 5;

/// A group whose number of objects changed.
///
/// Numbers decide, not names: a pool that replaces one object by another has not leaked. The names tell
/// where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// What changed.
    pub group: Group,
    /// How many there were.
    pub before: u64,
    /// How many there are.
    pub after: u64,
    /// Objects that are new.
    pub appeared: Vec<String>,
    /// Objects that are gone.
    pub vanished: Vec<String>,
}

impl Drift {
    /// Whether there are more than before.
    pub fn is_growth(&self) -> bool {
        self.after > self.before
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} became {}", self.group, self.before, self.after)?;
        for (sign, names) in [("+", &self.appeared), ("-", &self.vanished)] {
            for name in names.iter().take(SHOWN_NAMES) {
                write!(f, "; {sign} {name}")?;
            }
            if names.len() > SHOWN_NAMES {
                write!(f, "; {sign} {} more", names.len() - SHOWN_NAMES)?;
            }
        }
        Ok(())
    }
}

/// The groups whose counts differ by more than their slack, in order.
pub fn drift(before: &KernelObjects, after: &KernelObjects) -> Vec<Drift> {
    let mut groups: Vec<_> = before
        .groups()
        .chain(after.groups())
        .map(|(group, _)| group)
        .collect();
    groups.sort();
    groups.dedup();
    let differs = |group: &Group| {
        let (old, new) = (
            before.of(group.kind, &group.of),
            after.of(group.kind, &group.of),
        );
        let beyond = old.count.abs_diff(new.count) > old.slack.max(new.slack);
        beyond.then(|| between(group.clone(), &old, &new))
    };
    groups.into_iter().filter_map(differs).collect()
}

fn between(group: Group, old: &Objects, new: &Objects) -> Drift {
    Drift {
        group,
        before: old.count,
        after: new.count,
        appeared: new.names.difference(&old.names).cloned().collect(),
        vanished: old.names.difference(&new.names).cloned().collect(),
    }
}

/// The drift that is still there after `limit`; returns as soon as there is none. The kernel frees some
/// objects late: control groups, and namespaces after their last process.
pub fn settled_drift(
    before: &KernelObjects,
    probe: &Probe,
    limit: Duration,
) -> Result<Vec<Drift>, SnapshotError> {
    let begun = Instant::now();
    loop {
        let found = drift(before, &KernelObjects::take(probe)?);
        if found.is_empty() || begun.elapsed() >= limit {
            return Ok(found);
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kind;

    fn objects(names: &[&str]) -> Objects {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn with(groups: &[(Kind, &str, Objects)]) -> KernelObjects {
        let mut found = KernelObjects::default();
        for (kind, of, objects) in groups {
            found.put(*kind, *of, objects.clone());
        }
        found
    }

    #[test]
    fn equal_snapshots_do_not_drift() {
        let one = with(&[(Kind::Link, "", objects(&["lo"]))]);
        assert_eq!(drift(&one, &one), []);
    }

    #[test]
    fn a_new_object_is_named() {
        let before = with(&[(Kind::Namespace, "net", objects(&["net:[1]"]))]);
        let after = with(&[(Kind::Namespace, "net", objects(&["net:[1]", "net:[2]"]))]);
        let found = drift(&before, &after);
        assert_eq!(found.len(), 1);
        assert!(found[0].is_growth());
        assert_eq!(
            found[0].to_string(),
            "namespaces (net): 1 became 2; + net:[2]"
        );
    }

    #[test]
    fn a_group_that_only_one_snapshot_has_drifts() {
        let filled = with(&[(Kind::CgroupDir, "/c", objects(&["/c/a"]))]);
        let empty = KernelObjects::default();
        assert_eq!(drift(&empty, &filled).len(), 1);
        let back = drift(&filled, &empty);
        assert_eq!(
            (back[0].before, back[0].after, back[0].is_growth()),
            (1, 0, false)
        );
        assert_eq!(back[0].vanished, ["/c/a"]);
    }

    #[test]
    fn a_replaced_object_is_no_drift() {
        let before = with(&[(Kind::Process, "", objects(&["7 init"]))]);
        let after = with(&[(Kind::Process, "", objects(&["8 init"]))]);
        assert_eq!(drift(&before, &after), []);
    }

    #[test]
    fn a_rough_count_drifts_only_beyond_its_slack() {
        let files = |count| {
            with(&[(
                Kind::OpenFile,
                "",
                Objects {
                    slack: 64,
                    ..Objects::counted(count)
                },
            )])
        };
        assert_eq!(drift(&files(1000), &files(1064)), []);
        assert_eq!(drift(&files(1000), &files(1065)).len(), 1);
    }

    #[test]
    fn a_long_list_of_names_is_cut() {
        let names: Vec<_> = (0..9).map(|n| n.to_string()).collect();
        let many: Objects = names.into_iter().collect();
        let found = drift(&KernelObjects::default(), &with(&[(Kind::Link, "", many)]));
        assert!(found[0].to_string().ends_with("; + 4 more"), "{}", found[0]);
    }
}
