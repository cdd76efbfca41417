//! A node that does what the core says and counts its memory by itself.

use std::collections::BTreeMap;

use offshoot_decide::{
    Action, Backing, Core, Deed, End, Event, FunctionId, FunctionSpec, NodeReading, Policy,
    Refusal, Rung, SECOND_US, SeedOf, Slo, Started, Ticket, Time,
};

pub const MB: u64 = 1 << 20;
/// What an image stores: less than its template has.
pub const IMAGE_BYTES: u64 = 12 * MB;

/// What exists of one function.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Slot {
    /// Sizes of idle instances, the oldest first.
    pub idle: Vec<u64>,
    pub parked: u32,
    pub template: Option<Backing>,
    pub making: Option<Backing>,
    pub has_image: bool,
    pub makes_seed: bool,
}

pub struct World {
    pub core: Core,
    pub policy: Policy,
    pub now: Time,
    pub limit_bytes: u64,
    pub slots: BTreeMap<FunctionId, Slot>,
    pub busy: Vec<(Ticket, u64)>,
    pub log: Vec<Action>,
    /// A node that ends nothing: for controls.
    pub is_deaf: bool,
    /// Whether the processors have time to spare.
    pub is_idle: bool,
}

pub fn spec(name: &str, account: &str) -> FunctionSpec {
    FunctionSpec {
        name: name.into(),
        group: name.into(),
        account: account.into(),
        runtime: Some("python3.11".into()),
        slo: Slo::default(),
        reserved_concurrency: None,
        memory_bytes: None,
        seed_at_publish: false,
    }
}

/// No level-1 seeds and no ghosts, so that tests see only what they are about.
pub fn policy() -> Policy {
    Policy {
        level1_after: u64::MAX,
        ghosts: (0, 0),
        ..Policy::default()
    }
}

impl World {
    pub fn new(policy: Policy, limit_bytes: u64) -> Self {
        let mut world = Self {
            core: Core::new(policy.clone()),
            policy,
            now: Time(1000 * SECOND_US),
            limit_bytes,
            slots: BTreeMap::new(),
            busy: Vec::new(),
            log: Vec::new(),
            is_deaf: false,
            is_idle: false,
        };
        world.read();
        world
    }

    pub fn add(&mut self, spec: FunctionSpec) -> FunctionId {
        let id = self.core.add(self.now, spec);
        self.slots.insert(id, Slot::default());
        id
    }

    pub fn used_bytes(&self) -> u64 {
        let slots: u64 = self.slots.values().map(|slot| self.slot_bytes(slot)).sum();
        slots + self.busy.iter().map(|(_, bytes)| bytes).sum::<u64>()
    }

    pub fn read(&mut self) {
        let (limit_bytes, used_bytes) = (self.limit_bytes, self.used_bytes());
        self.core.read(NodeReading {
            limit_bytes,
            used_bytes,
            is_idle: self.is_idle,
            ..NodeReading::default()
        });
    }

    /// Begins an event.
    pub fn begin(&mut self, id: FunctionId) -> Result<Rung, Refusal> {
        let mut actions = Vec::new();
        let admitted = self.core.admit(self.now, id, &mut actions);
        self.do_all(actions);
        let mut ticket = admitted?;
        let rung = ticket.rung();
        let bytes = self.take_instance(id, rung, ticket.backing());
        let latency_us = *self.policy.assumed_us.get(rung);
        let started = Started {
            rung,
            latency_us,
            private_bytes: None,
        };
        self.core.started(self.now, &mut ticket, started);
        self.busy.push((ticket, bytes));
        Ok(rung)
    }

    /// Ends the event that began first.
    pub fn end(&mut self) {
        if self.busy.is_empty() {
            return;
        }
        let (ticket, bytes) = self.busy.remove(0);
        self.slots
            .get_mut(&ticket.function())
            .unwrap()
            .idle
            .push(bytes);
        self.core.ended(
            self.now,
            ticket,
            End::Idle {
                private_bytes: bytes,
            },
        );
    }

    /// A whole event, alone.
    pub fn call(&mut self, id: FunctionId) -> Rung {
        let rung = self.begin(id).unwrap();
        self.end();
        rung
    }

    pub fn pass(&mut self, span_us: u64) {
        self.now = self.now.after(span_us);
    }

    pub fn decide(&mut self) -> Vec<Action> {
        let actions = self.core.decide(self.now);
        self.do_all(actions.clone());
        actions
    }

    /// Decides whenever something is due, for so long.
    pub fn live(&mut self, span_us: u64) -> Vec<Action> {
        let (end, from) = (self.now.after(span_us), self.log.len());
        let mut decisions = 0;
        while let Some(due) = self.core.next_due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.decide();
            decisions += 1;
            assert!(decisions < 10_000, "the core is due again and again");
        }
        self.now = end;
        self.log[from..].to_vec()
    }

    /// Finishes templates and seeds that are being made.
    pub fn finish(&mut self) {
        for (id, slot) in &mut self.slots {
            if std::mem::take(&mut slot.makes_seed) {
                slot.has_image = true;
                self.core
                    .seed_ready(self.now, &SeedOf::Function(*id), IMAGE_BYTES);
            }
            if let Some(backing) = slot.making.take() {
                slot.template = Some(backing);
                let bytes = template_bytes(backing);
                self.core
                    .observe(self.now, *id, Event::TemplateReady { backing, bytes });
            }
        }
    }

    /// A function with a seed and a template, and no instance.
    pub fn seeded(&mut self, name: &str) -> FunctionId {
        let id = self.add(FunctionSpec {
            seed_at_publish: true,
            ..spec(name, "a")
        });
        for _ in 0..3 {
            self.decide();
            self.finish();
        }
        assert_eq!(self.slots[&id].template, Some(Backing::Local));
        id
    }

    fn take_instance(&mut self, id: FunctionId, rung: Rung, backing: Backing) -> u64 {
        let slot = self.slots.get_mut(&id).unwrap();
        match rung {
            Rung::Hot => slot.idle.pop().unwrap(),
            Rung::Parked => {
                slot.parked = slot.parked.checked_sub(1).unwrap();
                self.policy.assumed_clone_bytes
            }
            Rung::Clone => {
                assert!(slot.template.is_some(), "a clone of no template");
                self.policy.assumed_clone_bytes
            }
            Rung::Restore => {
                assert!(slot.has_image, "a restore of no image");
                slot.making = Some(slot.making.unwrap_or(backing));
                self.policy.assumed_clone_bytes
            }
            Rung::Level1 | Rung::Cold => self.policy.assumed_cold_bytes,
        }
    }

    fn do_all(&mut self, actions: Vec<Action>) {
        for action in &actions {
            if let Some(id) = action.deed.function().filter(|_| !self.is_deaf) {
                let slot = self.slots.get_mut(&id).unwrap();
                slot.obey(&action.deed);
            }
        }
        self.log.extend(actions);
    }

    fn slot_bytes(&self, slot: &Slot) -> u64 {
        let parked = u64::from(slot.parked) * self.policy.assumed_clone_bytes;
        let template = slot.template.map_or(0, template_bytes);
        // What replaces a template shares the pool with it until it is there.
        let making = slot
            .making
            .filter(|_| slot.template.is_none())
            .map_or(0, template_bytes);
        let seed = if slot.makes_seed {
            self.policy.assumed_cold_bytes
        } else {
            0
        };
        slot.idle.iter().sum::<u64>() + parked + template + making + seed
    }
}

impl Slot {
    fn obey(&mut self, deed: &Deed) {
        match deed {
            Deed::RetireIdle { count, .. } => {
                self.idle.drain(..*count as usize);
            }
            Deed::Park { count, .. } => self.parked += count,
            Deed::Unpark { count, .. } => self.parked = self.parked.checked_sub(*count).unwrap(),
            Deed::MakeTemplate { backing, .. } | Deed::ReplaceTemplate { backing, .. } => {
                self.making = Some(*backing);
            }
            Deed::DropTemplate { .. } => {
                assert!(self.template.take().is_some(), "no template to drop");
            }
            Deed::MakeSeed { .. } | Deed::RotateSeed { .. } => self.makes_seed = true,
            Deed::DropSeed { .. } => self.has_image = false,
            Deed::SetGhosts { .. } | Deed::SetKeepAlive { .. } | Deed::SetKeepAliveCap { .. } => {}
        }
    }
}

pub fn template_bytes(backing: Backing) -> u64 {
    match backing {
        Backing::Local => 16 * MB,
        Backing::Mapped => 4 * MB,
    }
}

/// How many actions are of a kind.
pub fn count(actions: &[Action], is_it: impl Fn(&Deed) -> bool) -> usize {
    actions.iter().filter(|action| is_it(&action.deed)).count()
}
