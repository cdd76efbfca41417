//! What starts cost on the simulated machine. Assumptions, not measurements of this machine: init times and
//! memory as published for these workloads, clones as measured by `offshoot bench clone` in their order of
//! magnitude. All spans are in microseconds, all sizes in bytes.

use offshoot_decide::{Backing, Rung};
use serde::Serialize;

const MB: u64 = 1 << 20;
const MS: u64 = 1000;

/// What starts of one function cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by what they are")]
pub struct Profile {
    pub cold_us: u64,
    /// From the runtime's seed: the function's own init is left.
    pub level1_us: u64,
    /// The image becomes a template, then a clone.
    pub restore_us: u64,
    pub clone_us: u64,
    /// From a template whose pages all come from the pool.
    pub clone_mapped_us: u64,
    pub parked_us: u64,
    pub hot_us: u64,
    /// From the decision until the seed's image is on disk.
    pub seed_us: u64,
    pub cold_bytes: u64,
    pub level1_bytes: u64,
    pub clone_bytes: u64,
    pub template_local_bytes: u64,
    pub template_mapped_bytes: u64,
    /// What the image holds beyond its runtime's.
    pub image_bytes: u64,
}

/// What workloads need beyond a bare interpreter: part of the name, milliseconds of imports, megabytes in all.
const WORKLOADS: [(&str, u64, u64); 10] = [
    ("json", 0, 24),
    ("pyaes", 20, 24),
    ("chameleon", 150, 27),
    ("matmul", 150, 33),
    ("linpack", 150, 33),
    ("image", 120, 40),
    ("video", 400, 120),
    ("lr_", 900, 120),
    ("cnn", 1500, 265),
    ("rnn", 1200, 190),
];
/// A sandbox and an interpreter, cold.
const BARE_MS: u64 = 300;
/// What of it a seed of the runtime leaves.
const LEVEL1_MS: u64 = 20;

impl Profile {
    /// What a workload's starts cost. An unknown one gets the costs of a known one that its name decides.
    pub fn of(workload: &str) -> Self {
        let known = WORKLOADS.iter().find(|(name, ..)| workload.contains(name));
        let by_name = workload
            .bytes()
            .fold(7_usize, |sum, byte| sum * 31 % 1009 + usize::from(byte));
        let (_, import_ms, megabytes) = known.unwrap_or(&WORKLOADS[by_name % WORKLOADS.len()]);
        Self::new(*import_ms, *megabytes)
    }

    fn new(import_ms: u64, megabytes: u64) -> Self {
        let clone_us = MS + 5 * megabytes;
        Self {
            cold_us: (BARE_MS + import_ms) * MS,
            level1_us: (LEVEL1_MS + import_ms) * MS,
            restore_us: 10 * MS + 200 * megabytes,
            clone_us,
            clone_mapped_us: clone_us * 13 / 10,
            parked_us: 150,
            hot_us: 100,
            seed_us: 1000 * MS + 2 * import_ms * MS,
            cold_bytes: megabytes * MB,
            level1_bytes: megabytes * MB * 8 / 10,
            clone_bytes: (megabytes * MB * 13 / 100).max(MB),
            template_local_bytes: megabytes * MB * 3 / 10,
            template_mapped_bytes: megabytes * MB / 20 + MB,
            image_bytes: megabytes * MB * 3 / 10,
        }
    }

    /// How long a start takes.
    pub fn latency_us(&self, rung: Rung, backing: Option<Backing>) -> u64 {
        match rung {
            Rung::Hot => self.hot_us,
            Rung::Parked => self.parked_us,
            Rung::Clone if backing == Some(Backing::Mapped) => self.clone_mapped_us,
            Rung::Clone => self.clone_us,
            Rung::Restore => self.restore_us,
            Rung::Level1 => self.level1_us,
            Rung::Cold => self.cold_us,
        }
    }

    /// Memory of an instance that was started from a rung.
    pub fn instance_bytes(&self, rung: Rung) -> u64 {
        match rung {
            Rung::Cold => self.cold_bytes,
            Rung::Level1 => self.level1_bytes,
            _ => self.clone_bytes,
        }
    }

    /// Memory of a template.
    pub fn template_bytes(&self, backing: Backing) -> u64 {
        match backing {
            Backing::Local => self.template_local_bytes,
            Backing::Mapped => self.template_mapped_bytes,
        }
    }
}
