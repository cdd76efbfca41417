//! How far the snapshots are that were asked for at publish.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far a version's snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// It is being made.
    Pending,
    /// It is there; or it was made by an earlier daemon.
    On,
    /// There cannot be one: the log says why. The version starts in the ordinary way.
    Off,
}

/// Function and version.
type Key = (String, String);

/// The snapshots of this daemon's life.
#[derive(Debug, Default)]
pub(crate) struct Snapshots(Arc<Mutex<HashMap<Key, Snapshot>>>);

impl Snapshots {
    /// One is being made; the result is to be called when it is known whether it is there.
    pub(crate) fn begin(
        &self,
        function: &str,
        version: &str,
    ) -> impl FnOnce(bool) + Send + 'static + use<> {
        let key = (function.to_owned(), version.to_owned());
        lock(&self.0).insert(key.clone(), Snapshot::Pending);
        let all = Arc::clone(&self.0);
        move |is_there| {
            // Unless the version has gone meanwhile.
            if let Some(snapshot) = lock(&all).get_mut(&key) {
                *snapshot = if is_there {
                    Snapshot::On
                } else {
                    Snapshot::Off
                };
            }
        }
    }

    pub(crate) fn of(&self, function: &str, version: &str) -> Snapshot {
        let key = (function.to_owned(), version.to_owned());
        lock(&self.0).get(&key).copied().unwrap_or(Snapshot::On)
    }

    /// Forgets a version, or all of a function.
    pub(crate) fn forget(&self, function: &str, version: Option<&str>) {
        lock(&self.0).retain(|(of, label), _| {
            *of != function || version.is_some_and(|version| version != label)
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_is_pending_until_it_is_there_or_cannot_be() {
        let all = Snapshots::default();
        let (first, second) = (all.begin("f", "1"), all.begin("f", "2"));
        assert_eq!(all.of("f", "1"), Snapshot::Pending);
        first(true);
        second(false);
        assert_eq!(
            (all.of("f", "1"), all.of("f", "2")),
            (Snapshot::On, Snapshot::Off)
        );
        all.forget("f", Some("2"));
        assert_eq!(all.of("f", "2"), Snapshot::On, "nothing is known of it");
    }

    #[test]
    fn version_that_has_gone_does_not_come_back() {
        let all = Snapshots::default();
        let done = all.begin("f", "1");
        all.forget("f", None);
        done(false);
        assert_eq!(all.of("f", "1"), Snapshot::On);
    }
}
