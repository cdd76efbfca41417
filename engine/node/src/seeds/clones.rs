//! Which clones of which seeds live, and what memory they have: for operators who ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use procfs::process::Process;

/// A clone that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneInfo {
    /// The instance's name.
    pub instance: String,
    /// The image of its seed.
    pub image: String,
    /// Its process, on the daemon's machine.
    pub pid: i32,
}

/// A process's memory, in bytes, as the kernel counts it (`/proc/PID/smaps_rollup`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// Its share, if each page is divided among those who have it.
    pub proportional: u64,
    /// Pages that other processes have too.
    pub shared: u64,
    /// Pages that no other process has.
    pub private: u64,
}

/// The clones that live, by instance.
#[derive(Debug, Default)]
pub(crate) struct Clones(Mutex<BTreeMap<String, CloneInfo>>);

/// A clone's place among them; it is struck off when this is dropped.
#[derive(Debug)]
pub(crate) struct Listed {
    instance: String,
    clones: Arc<Clones>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.clones.lock().remove(&self.instance);
    }
}

impl Clones {
    pub(crate) fn list(self: &Arc<Self>, info: CloneInfo) -> Listed {
        let instance = info.instance.clone();
        self.lock().insert(instance.clone(), info);
        Listed {
            instance,
            clones: Arc::clone(self),
        }
    }

    pub(crate) fn infos(&self) -> Vec<CloneInfo> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, CloneInfo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryUse {
    /// Reads a process's; `None` if it has ended. Takes the kernel some 100 µs, more for large processes.
    pub fn of(pid: i32) -> Option<Self> {
        let rollup = Process::new(pid).ok()?.smaps_rollup().ok()?;
        let fields = &rollup.memory_map_rollup.0.first()?.extension.map;
        let bytes = |names: &[&str]| -> u64 {
            let found = names.iter().filter_map(|name| fields.get(*name));
            found.sum()
        };
        Some(Self {
            proportional: bytes(&["Pss"]),
            shared: bytes(&["Shared_Clean", "Shared_Dirty"]),
            private: bytes(&["Private_Clean", "Private_Dirty"]),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn clone_is_listed_as_long_as_its_place_is_held() {
        let clones = Arc::new(Clones::default());
        let info = CloneInfo {
            instance: "i1".into(),
            image: "seed".into(),
            pid: 7,
        };
        let listed = clones.list(info.clone());
        assert_eq!(clones.infos(), [info]);
        drop(listed);
        assert_eq!(clones.infos(), []);
    }

    #[test]
    fn memory_of_this_process_counts_what_it_has_written() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let before = MemoryUse::of(pid).unwrap();
        let written = vec![1_u8; 64 << 20];
        let after = MemoryUse::of(pid).unwrap();
        assert!(after.private >= before.private + (60 << 20), "{after:?}");
        assert!(after.proportional >= after.private, "{after:?}");
        drop(std::hint::black_box(written));
        assert_eq!(MemoryUse::of(i32::MAX), None);
    }
}
