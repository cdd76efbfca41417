//! Who decides on the simulated machine: the core, or a keep-alive window alone.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use offshoot_decide::{
    Action, Backing, Core, Deed, End, Event, FunctionId, FunctionSpec, NodeReading, Policy, Rung,
    SeedOf, Slo, Started, Ticket, Time,
};

use crate::load::Load;
use crate::machine::{Instance, Machine};
use crate::profile::Profile;

/// All functions run on it: level-1 seeds are of runtimes.
const RUNTIME: &str = "python3.11";

/// Something that takes time, and what is told when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    Template(u32, Backing),
    Seed(SeedOf),
}

/// A call that has an instance.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) function: u32,
    pub(crate) rung: Rung,
    pub(crate) instance: Instance,
    pub(crate) latency_us: u64,
    ticket: Option<Ticket>,
}

/// Decides.
pub(crate) trait Porter {
    /// An instance for a call, or none: it waits.
    fn start(&mut self, now: Time, machine: &mut Machine, function: u32) -> Option<Running>;
    /// The instance has the event, `latency_us` after its arrival.
    fn started(&mut self, now: Time, running: &mut Running, latency_us: u64);
    /// The handler has returned.
    fn ended(&mut self, now: Time, machine: &mut Machine, running: Running);
    /// Does what is due; gives work that takes so many microseconds.
    fn decide(&mut self, now: Time, machine: &mut Machine) -> Vec<(u64, Work)>;
    /// Work is over.
    fn done(&mut self, now: Time, machine: &mut Machine, work: Work);
    /// When to decide next.
    fn next_due(&self) -> Option<Time>;
}

/// Every instance stays for a while; if memory is short, the one that has been idle for longest goes.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    window_us: u64,
    /// In the order in which they became idle; those that were taken since are not in `idle`.
    order: VecDeque<(Time, u32, u64)>,
    idle: HashSet<u64>,
    next: u64,
}

impl KeepAlive {
    pub(crate) fn new(window_us: u64) -> Self {
        Self {
            window_us,
            order: VecDeque::new(),
            idle: HashSet::new(),
            next: 0,
        }
    }

    fn retire_oldest(&mut self, machine: &mut Machine) -> bool {
        while let Some((_, function, number)) = self.order.pop_front() {
            if self.idle.remove(&number) {
                return machine.retire_oldest(function);
            }
        }
        false
    }
}

impl Porter for KeepAlive {
    fn start(&mut self, _now: Time, machine: &mut Machine, function: u32) -> Option<Running> {
        let slot = &machine.slots[function as usize];
        let needed = if slot.idle.is_empty() {
            slot.profile.cold_bytes
        } else {
            0
        };
        while machine.used_bytes() + needed > machine.limit_bytes && needed > 0 {
            if !self.retire_oldest(machine) {
                return None;
            }
        }
        let (rung, instance, latency_us) =
            machine.start(function, Rung::Hot, Backing::Local, RUNTIME);
        self.idle.remove(&instance.number);
        Some(Running {
            function,
            rung,
            instance,
            latency_us,
            ticket: None,
        })
    }

    fn started(&mut self, _now: Time, _running: &mut Running, _latency_us: u64) {}

    fn ended(&mut self, now: Time, machine: &mut Machine, mut running: Running) {
        self.next += 1;
        running.instance.number = self.next;
        self.idle.insert(self.next);
        self.order.push_back((now, running.function, self.next));
        machine.slots[running.function as usize]
            .idle
            .push_back(running.instance);
    }

    fn decide(&mut self, now: Time, machine: &mut Machine) -> Vec<(u64, Work)> {
        while self.next_due().is_some_and(|due| due <= now) {
            if let Some((_, function, number)) = self.order.pop_front()
                && self.idle.remove(&number)
            {
                machine.retire_oldest(function);
            }
        }
        Vec::new()
    }

    fn done(&mut self, _now: Time, _machine: &mut Machine, _work: Work) {}

    fn next_due(&self) -> Option<Time> {
        self.order
            .front()
            .map(|(since, ..)| since.after(self.window_us))
    }
}

/// The core, and the hands that do what it says.
#[derive(Debug)]
pub(crate) struct Driven {
    pub(crate) core: Core,
    ids: Vec<FunctionId>,
    numbers: std::collections::HashMap<FunctionId, u32>,
    /// Actions that `admit` gave, whose work is still to be scheduled.
    pending: Vec<(u64, Work)>,
    runtime: Arc<str>,
}

impl Driven {
    pub(crate) fn new(load: &Load, policy: Policy, seeds_at_publish: bool) -> Self {
        let mut core = Core::new(policy);
        let runtime: Arc<str> = RUNTIME.into();
        let mut add = |function: &crate::load::LoadFunction| {
            let spec = FunctionSpec {
                name: function.name.clone(),
                group: function.name.clone(),
                account: function.account.clone(),
                runtime: Some(runtime.clone()),
                slo: Slo::default(),
                reserved_concurrency: None,
                memory_bytes: Some(memory_limit(&function.workload)),
                seed_at_publish: seeds_at_publish,
            };
            core.add(Time(0), spec)
        };
        let ids: Vec<_> = load.functions.iter().map(&mut add).collect();
        let numbers = ids
            .iter()
            .zip(0..)
            .map(|(id, number)| (*id, number))
            .collect();
        Self {
            core,
            ids,
            numbers,
            pending: Vec::new(),
            runtime,
        }
    }

    /// Makes what is asked for at publication, before the load begins.
    pub(crate) fn publish(&mut self, machine: &mut Machine) {
        loop {
            let work = self.decide(Time(0), machine);
            if work.is_empty() {
                return;
            }
            for (_, work) in work {
                self.done(Time(0), machine, work);
            }
        }
    }

    fn do_all(&mut self, machine: &mut Machine, actions: Vec<Action>) {
        for action in actions {
            let function = action.deed.function().map(|id| self.numbers[&id]);
            match (action.deed, function) {
                (Deed::RetireIdle { count, .. }, Some(function)) => {
                    (0..count).for_each(|_| {
                        machine.retire_oldest(function);
                    });
                }
                (Deed::Park { count, .. }, Some(function)) => machine.park(function, count),
                (Deed::Unpark { count, .. }, Some(function)) => machine.unpark(function, count),
                (Deed::DropTemplate { .. }, Some(function)) => machine.set_template(function, None),
                (
                    Deed::MakeTemplate { backing, .. } | Deed::ReplaceTemplate { backing, .. },
                    Some(function),
                ) => {
                    let restore_us = machine.slots[function as usize].profile.restore_us;
                    self.pending
                        .push((restore_us, Work::Template(function, backing)));
                }
                (Deed::MakeSeed { seed } | Deed::RotateSeed { seed }, function) => {
                    self.begin_seed(machine, seed, function);
                }
                (Deed::DropSeed { .. }, Some(function)) => {
                    machine.slots[function as usize].has_image = false;
                }
                // Ghosts are free here, and windows are the core's own.
                _ => {}
            }
        }
    }

    /// A seed is made from an instance of its own, which takes memory for as long.
    fn begin_seed(&mut self, machine: &mut Machine, seed: SeedOf, function: Option<u32>) {
        let (bytes, seed_us) = seed_cost(machine, function);
        machine.take(bytes);
        self.pending.push((seed_us, Work::Seed(seed)));
    }
}

/// What somebody would configure who knows the function: whole 64 MiB, at least 128.
fn memory_limit(workload: &str) -> u64 {
    const STEP: u64 = 64 << 20;
    Profile::of(workload)
        .cold_bytes
        .next_multiple_of(STEP)
        .max(2 * STEP)
}

/// Memory while a seed is made, and how long that takes.
fn seed_cost(machine: &Machine, function: Option<u32>) -> (u64, u64) {
    match function {
        Some(function) => {
            let profile = machine.slots[function as usize].profile;
            (profile.cold_bytes, profile.seed_us)
        }
        None => (LEVEL1_BYTES, LEVEL1_US),
    }
}

/// A runtime's template, for as long as the machine runs.
const LEVEL1_BYTES: u64 = 12 << 20;
const LEVEL1_US: u64 = 1_000_000;

impl Porter for Driven {
    fn start(&mut self, now: Time, machine: &mut Machine, function: u32) -> Option<Running> {
        let mut actions = Vec::new();
        let id = self.ids[function as usize];
        let ticket = self.core.admit(now, id, &mut actions);
        self.do_all(machine, actions);
        let ticket = ticket.ok()?;
        let had_template = machine.slots[function as usize].template.is_some();
        let (rung, instance, latency_us) =
            machine.start(function, ticket.rung(), ticket.backing(), RUNTIME);
        if !had_template && machine.slots[function as usize].template.is_some() {
            self.pending
                .push((latency_us, Work::Template(function, ticket.backing())));
        }
        Some(Running {
            function,
            rung,
            instance,
            latency_us,
            ticket: Some(ticket),
        })
    }

    fn started(&mut self, now: Time, running: &mut Running, latency_us: u64) {
        if let Some(ticket) = &mut running.ticket {
            let started = Started {
                rung: running.rung,
                latency_us,
                private_bytes: Some(running.instance.bytes),
            };
            self.core.started(now, ticket, started);
        }
    }

    fn ended(&mut self, now: Time, machine: &mut Machine, running: Running) {
        machine.slots[running.function as usize]
            .idle
            .push_back(running.instance);
        if let Some(ticket) = running.ticket {
            self.core.ended(
                now,
                ticket,
                End::Idle {
                    private_bytes: running.instance.bytes,
                },
            );
        }
    }

    fn decide(&mut self, now: Time, machine: &mut Machine) -> Vec<(u64, Work)> {
        // At the beginning nothing waits for others to change as well.
        let is_due = self.core.next_due().is_some_and(|due| due <= now);
        if is_due || now == Time(0) {
            let reading = NodeReading {
                limit_bytes: machine.limit_bytes,
                used_bytes: machine.used_bytes(),
                // Processors are not modelled.
                is_idle: true,
                ..NodeReading::default()
            };
            self.core.read(reading);
            let actions = self.core.decide(now);
            self.do_all(machine, actions);
        }
        std::mem::take(&mut self.pending)
    }

    fn done(&mut self, now: Time, machine: &mut Machine, work: Work) {
        match work {
            Work::Template(function, backing) => {
                machine.set_template(function, Some(backing));
                let bytes = machine.slots[function as usize]
                    .profile
                    .template_bytes(backing);
                let id = self.ids[function as usize];
                self.core
                    .observe(now, id, Event::TemplateReady { backing, bytes });
            }
            Work::Seed(seed) => {
                let function = match &seed {
                    SeedOf::Function(id) => Some(self.numbers[id]),
                    SeedOf::Runtime(_) => None,
                };
                let (bytes, _) = seed_cost(machine, function);
                let image_bytes = match function {
                    Some(function) => {
                        machine.free(bytes);
                        let slot = &mut machine.slots[function as usize];
                        slot.has_image = true;
                        slot.profile.image_bytes
                    }
                    None => {
                        machine.level1.insert(self.runtime.clone(), bytes);
                        bytes
                    }
                };
                self.core.seed_ready(now, &seed, image_bytes);
            }
        }
    }

    fn next_due(&self) -> Option<Time> {
        self.core.next_due()
    }
}
