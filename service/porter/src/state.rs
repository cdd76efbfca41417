//! What is under the porter's one lock: the core, and what waits for events.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use offshoot_decide::{
    Backing, Core, Event, FunctionId, FunctionSpec, Rung, SeedOf, Slo, Started, Ticket, Time,
};
use offshoot_node::{Fri, InstanceSpec, Memory, RuntimeSeed, TemplateInfo};

use crate::Target;
use crate::resident::Resident;
use crate::shares::{Left, Seat, Shares};
use crate::slots::{Slots, Waiting};

pub(crate) struct State<I> {
    pub(crate) core: Core,
    pub(crate) slots: Slots<I>,
    pub(crate) shares: Shares<I>,
    /// When the driver wakes; never, if there is none.
    pub(crate) alarm: Option<Time>,
    /// When the machine was last read.
    pub(crate) read_at: Option<Time>,
    /// Events that wait for memory.
    pub(crate) waiting: usize,
    /// Templates that the core was told of.
    pub(crate) resident: Resident,
    /// Memory of templates that are of no function, as runtimes have them.
    pub(crate) other_templates_bytes: u64,
    /// Versions whose template may not be what the core was told.
    pub(crate) unsure: Vec<FunctionId>,
    /// Runtimes whose seed the core reckons with, each with a version that may begin in its clones.
    pub(crate) runtimes: HashMap<Arc<str>, Arc<Target>>,
}

/// An instance that was found waiting.
pub(crate) struct Ready<I> {
    pub(crate) waiting: Waiting<I>,
    pub(crate) rung: Rung,
    /// Its event's place, if the instance may have several.
    pub(crate) seat: Option<Seat>,
}

impl<I> Ready<I> {
    fn new(waiting: Waiting<I>, rung: Rung) -> Self {
        Self {
            waiting,
            rung,
            seat: None,
        }
    }
}

impl<I> State<I> {
    pub(crate) fn new(core: Core) -> Self {
        Self {
            core,
            slots: Slots::default(),
            shares: Shares::default(),
            alarm: None,
            read_at: None,
            waiting: 0,
            resident: Resident::default(),
            other_templates_bytes: 0,
            unsure: Vec::new(),
            runtimes: HashMap::new(),
        }
    }

    /// The version that a target means; one that is not known becomes known, with the image that `node` has of it.
    pub(crate) fn version<F: Fri<Instance = I>>(
        &mut self,
        node: &F,
        now: Time,
        target: &Arc<Target>,
    ) -> FunctionId {
        let reserved = target.reserved_concurrency;
        if let Some(id) = self.slots.find(target) {
            if let Some(slot) = self.slots.get_mut(id)
                && slot.reserved != reserved
            {
                slot.reserved = reserved;
                self.core.set_reserved(id, reserved);
            }
            return id;
        }
        let runtime = node.runtime_seed(&target.spec);
        let name = runtime.as_ref().map(|runtime| Arc::clone(&runtime.name));
        let spec = function_spec(&target.spec, reserved, name);
        let id = self.core.add(now, spec);
        self.slots.add(id, Arc::clone(target));
        if let Some(RuntimeSeed { name, image_bytes }) = runtime {
            self.core.observe_runtime(now, &name, image_bytes);
            self.runtimes.insert(name, Arc::clone(target));
        }
        if let (Some(bytes), Some(slot)) = (node.image_bytes(&target.spec), self.slots.get_mut(id))
        {
            slot.has_seed = true;
            self.core.seed_ready(now, &SeedOf::Function(id), bytes);
        }
        id
    }

    /// Tells the core which runtimes have a seed.
    pub(crate) fn learn_runtimes<F: Fri<Instance = I>>(&mut self, node: &F, now: Time) {
        let known = self.runtimes.values();
        let found: Vec<_> = known
            .filter_map(|target| node.runtime_seed(&target.spec))
            .collect();
        for RuntimeSeed { name, image_bytes } in found {
            self.core.observe_runtime(now, &name, image_bytes);
        }
    }

    /// An idle instance that lives, else a parked one; dead ones that come up go to `dead`.
    pub(crate) fn take_ready<F: Fri<Instance = I>>(
        &mut self,
        node: &F,
        id: FunctionId,
        dead: &mut Vec<Waiting<I>>,
    ) -> Option<Ready<I>> {
        while let Some(waiting) = self.slots.take_idle(id) {
            if node.is_alive(&waiting.instance) {
                return Some(Ready::new(waiting, Rung::Hot));
            }
            dead.push(waiting);
        }
        while let Some(waiting) = self.slots.take_parked(id) {
            if node.is_alive(&waiting.instance) {
                return Some(Ready::new(waiting, Rung::Parked));
            }
            dead.push(waiting);
        }
        None
    }

    /// Lets an event into an instance at work.
    pub(crate) fn join<F: Fri<Instance = I>>(&mut self, node: &F, seat: Seat) -> Option<Ready<I>> {
        let (instance, bytes) = self.shares.join(seat, |instance| node.share(instance))?;
        let waiting = self.slots.waiting(instance, bytes);
        Some(Ready {
            seat: Some(seat),
            ..Ready::new(waiting, Rung::Hot)
        })
    }

    /// An event is the first one in an instance that may have several: its share of that, and its place.
    pub(crate) fn begin<F: Fri<Instance = I>>(
        &mut self,
        node: &F,
        ticket: &mut Ticket,
        instance: I,
        bytes: u64,
    ) -> (I, Option<Seat>) {
        let id = ticket.function();
        let most = self.concurrency(id);
        if most < 2 {
            return (instance, None);
        }
        let (kept, given) = node.share(instance);
        let hold = ticket.part_with_hold();
        let seat = self.shares.begin(id, kept, bytes, hold, most);
        (given, Some(seat))
    }

    /// An event leaves an instance that may have others, whose hold it gets if it was the last one.
    pub(crate) fn leave(
        &mut self,
        seat: Seat,
        ends: bool,
        ticket: Option<&mut Ticket>,
    ) -> Option<Left<I>> {
        let mut left = self.shares.leave(seat, ends)?;
        if let (Left::Nobody(vacant), Some(ticket)) = (&mut left, ticket)
            && let Some(hold) = vacant.hold.take()
        {
            ticket.bear(hold);
        }
        Some(left)
    }

    /// How many events an instance of a version has at most; 1 if the version has gone.
    pub(crate) fn concurrency(&self, id: FunctionId) -> u32 {
        let slot = self.slots.get(id);
        slot.map_or(1, |slot| slot.target.spec.concurrency)
    }

    /// Tells the core how an event's instance was found, and what else was found to be different from what it thought.
    pub(crate) fn started(&mut self, now: Time, ticket: &mut Ticket, started: Started) {
        let expected = ticket.rung();
        self.core.started(now, ticket, started);
        let id = ticket.function();
        let is_other = started.rung != expected && matches!(expected, Rung::Clone | Rung::Restore);
        // One that outlived a change of its function.
        let has_outlived =
            started.rung.is_clone() && self.slots.get(id).is_some_and(|slot| !slot.has_seed);
        if is_other || has_outlived || started.rung == Rung::Restore {
            self.unsure.push(id);
        }
        self.reconcile(now, id);
    }

    /// Has the core count what is there.
    pub(crate) fn reconcile(&mut self, now: Time, id: FunctionId) {
        let (Some((idle, parked)), Some(slot)) = (self.core.counts(id), self.slots.get(id)) else {
            return;
        };
        let there = slot.idle.len() as u32;
        if there < idle {
            self.core.observe(now, id, Event::IdleGone(idle - there));
        }
        let there = slot.parked.len() as u32 + slot.parking;
        if there < parked {
            self.core
                .observe(now, id, Event::ParkedGone(parked - there));
        } else if there > parked {
            self.core
                .observe(now, id, Event::ParkedMore(there - parked));
        }
    }

    /// Tells the core which templates there are, and of the seeds that they show. `unsure` are versions of which it may
    /// think wrongly.
    pub(crate) fn learn_templates(
        &mut self,
        now: Time,
        templates: &[TemplateInfo],
        unsure: &[FunctionId],
    ) {
        let mut gone: HashSet<FunctionId> =
            self.resident.ids().chain(unsure.iter().copied()).collect();
        for id in unsure {
            self.resident.remove(*id);
        }
        self.other_templates_bytes = 0;
        for template in templates {
            let labelled = self.slots.labelled(&template.function, &template.version);
            let Some((id, slot)) = labelled.and_then(|id| Some((id, self.slots.get_mut(id)?)))
            else {
                self.other_templates_bytes += template.own_bytes;
                continue;
            };
            gone.remove(&id);
            if !std::mem::replace(&mut slot.has_seed, true) {
                let seed = SeedOf::Function(id);
                self.core.seed_ready(now, &seed, template.image_bytes);
            }
            let (backing, bytes) = (backing(template.memory), template.own_bytes);
            if self.resident.insert(id, backing, bytes) != Some(backing) {
                let ready = Event::TemplateReady { backing, bytes };
                self.core.observe(now, id, ready);
            }
        }
        for id in gone {
            self.resident.remove(id);
            self.core.observe(now, id, Event::TemplateGone);
        }
    }

    /// An image that the core counts on is not there.
    pub(crate) fn lose_seed(&mut self, now: Time, id: FunctionId) {
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        slot.has_seed = false;
        self.resident.remove(id);
        self.core.observe(now, id, Event::TemplateGone);
        self.core.observe(now, id, Event::SeedGone);
    }

    /// The size of an instance: as it was measured now, else as others of its kind last were.
    pub(crate) fn size(&mut self, id: FunctionId, rung: Rung, measured: Option<u64>) -> u64 {
        let Some(slot) = self.slots.get_mut(id) else {
            return measured.unwrap_or(0);
        };
        // However a clone of the version's seed came about, it is as large.
        let kind = if rung.is_clone() { Rung::Clone } else { rung };
        let known = slot.sizes.get_mut(kind);
        *known = measured.or(*known);
        known.unwrap_or(0)
    }

    /// The function, and after a colon the version if that is not the latest.
    pub(crate) fn name(&self, id: FunctionId) -> String {
        let spec = self.core.spec(id);
        spec.map_or_else(String::new, |spec| spec.name.to_string())
    }
}

fn function_spec(
    spec: &InstanceSpec,
    reserved_concurrency: Option<u32>,
    runtime: Option<Arc<str>>,
) -> FunctionSpec {
    let name = match &*spec.version {
        "$LATEST" => Arc::clone(&spec.function),
        version => format!("{}:{version}", spec.function).into(),
    };
    FunctionSpec {
        name,
        group: Arc::clone(&spec.function),
        account: Arc::clone(&spec.account_id),
        runtime,
        slo: Slo::default(),
        reserved_concurrency,
        memory_bytes: Some(u64::from(spec.memory_mb) << 20),
        seed_at_publish: false,
    }
}

/// The core's word for where pages live in the node's.
pub(crate) const fn memory(backing: Backing) -> Memory {
    match backing {
        Backing::Local => Memory::Local,
        Backing::Mapped => Memory::Mapped,
    }
}

const fn backing(memory: Memory) -> Backing {
    match memory {
        Memory::Local => Backing::Local,
        Memory::Mapped => Backing::Mapped,
    }
}

/// The node's rung in the core's words.
pub(crate) const fn rung(rung: offshoot_node::Rung) -> Rung {
    match rung {
        offshoot_node::Rung::Hot => Rung::Hot,
        offshoot_node::Rung::Parked => Rung::Parked,
        offshoot_node::Rung::Clone => Rung::Clone,
        offshoot_node::Rung::Restore => Rung::Restore,
        offshoot_node::Rung::Level1 => Rung::Level1,
        offshoot_node::Rung::Cold => Rung::Cold,
    }
}
