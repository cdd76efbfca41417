//! The simulated machine: what is really there, and how much memory it takes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use offshoot_decide::{Backing, Rung};

use crate::load::Load;
use crate::profile::Profile;

/// What exists. Processors are not modelled: a start takes its time however many others there are.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) limit_bytes: u64,
    used_bytes: u64,
    pub(crate) peak_bytes: u64,
    pub(crate) slots: Vec<Slot>,
    /// Sizes of runtimes' seeds that are there.
    pub(crate) level1: HashMap<Arc<str>, u64>,
}

/// What exists of one function.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) profile: Profile,
    /// The one that became idle first is in front.
    pub(crate) idle: VecDeque<Instance>,
    pub(crate) parked: u32,
    pub(crate) template: Option<Backing>,
    pub(crate) has_image: bool,
}

/// An instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instance {
    pub(crate) bytes: u64,
    /// Unique.
    pub(crate) number: u64,
}

impl Machine {
    pub(crate) fn new(load: &Load, limit_bytes: u64) -> Self {
        let slot = |profile| Slot {
            profile,
            idle: VecDeque::new(),
            parked: 0,
            template: None,
            has_image: false,
        };
        let profiles = load
            .functions
            .iter()
            .map(|function| Profile::of(&function.workload));
        Self {
            limit_bytes,
            used_bytes: 0,
            peak_bytes: 0,
            slots: profiles.map(slot).collect(),
            level1: HashMap::new(),
        }
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    pub(crate) fn take(&mut self, bytes: u64) {
        self.used_bytes += bytes;
        self.peak_bytes = self.peak_bytes.max(self.used_bytes);
    }

    pub(crate) fn free(&mut self, bytes: u64) {
        assert!(bytes <= self.used_bytes, "more is freed than was taken");
        self.used_bytes -= bytes;
    }

    /// Starts an instance from a rung, or from the next one that is there. A template that is made for it is of `backing`.
    pub(crate) fn start(
        &mut self,
        function: u32,
        from: Rung,
        backing: Backing,
        runtime: &str,
    ) -> (Rung, Instance, u64) {
        let has_level1 = self.level1.contains_key(runtime);
        let slot = &mut self.slots[function as usize];
        let rung = Rung::ALL
            .into_iter()
            .find(|rung| *rung >= from && slot.has(*rung, has_level1));
        let rung = rung.unwrap_or(Rung::Cold);
        let latency_us = slot.profile.latency_us(rung, slot.template);
        let mut instance = Instance {
            bytes: slot.profile.instance_bytes(rung),
            number: 0,
        };
        match rung {
            Rung::Hot => {
                if let Some(idle) = slot.idle.pop_back() {
                    instance = idle;
                }
            }
            Rung::Parked => slot.parked -= 1,
            Rung::Restore => {
                slot.template = Some(backing);
                let template = slot.profile.template_bytes(backing);
                self.take(instance.bytes + template);
            }
            Rung::Clone | Rung::Level1 | Rung::Cold => self.take(instance.bytes),
        }
        (rung, instance, latency_us)
    }

    pub(crate) fn retire_oldest(&mut self, function: u32) -> bool {
        let idle = self.slots[function as usize].idle.pop_front();
        if let Some(instance) = idle {
            self.free(instance.bytes);
        }
        idle.is_some()
    }

    pub(crate) fn park(&mut self, function: u32, count: u32) {
        let slot = &mut self.slots[function as usize];
        slot.parked += count;
        let bytes = slot.profile.clone_bytes * u64::from(count);
        self.take(bytes);
    }

    pub(crate) fn unpark(&mut self, function: u32, count: u32) {
        let slot = &mut self.slots[function as usize];
        let count = count.min(slot.parked);
        slot.parked -= count;
        let bytes = slot.profile.clone_bytes * u64::from(count);
        self.free(bytes);
    }

    /// Makes, replaces or drops a template.
    pub(crate) fn set_template(&mut self, function: u32, backing: Option<Backing>) {
        let slot = &mut self.slots[function as usize];
        let profile = slot.profile;
        let size = |backing: Option<Backing>| backing.map_or(0, |it| profile.template_bytes(it));
        let (before, after) = (size(slot.template), size(backing));
        slot.template = backing;
        self.take(after);
        self.free(before);
    }
}

impl Slot {
    fn has(&self, rung: Rung, has_level1: bool) -> bool {
        match rung {
            Rung::Hot => !self.idle.is_empty(),
            Rung::Parked => self.parked > 0,
            Rung::Clone => self.template.is_some(),
            Rung::Restore => self.has_image && self.template.is_none(),
            Rung::Level1 => has_level1,
            Rung::Cold => true,
        }
    }
}
