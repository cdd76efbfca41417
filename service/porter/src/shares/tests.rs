#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;
use std::sync::Arc;

use offshoot_decide::{Core, FunctionSpec, Policy, Slo, Time};
use proptest::prelude::*;

use super::*;

fn versions() -> [FunctionId; 2] {
    let mut core = Core::new(Policy::default());
    let spec = |name: &str| FunctionSpec {
        name: name.into(),
        group: name.into(),
        account: "a".into(),
        runtime: Some("nodejs20.x".into()),
        slo: Slo::default(),
        reserved_concurrency: None,
        memory_bytes: None,
        seed_at_publish: false,
    };
    [core.add(Time(0), spec("f")), core.add(Time(0), spec("g"))]
}

/// A share of an instance is one more reference.
type Instance = Arc<u32>;

fn share(instance: Instance) -> (Instance, Instance) {
    (Arc::clone(&instance), instance)
}

/// What a test knows of an instance.
#[derive(Debug)]
struct Known {
    version: usize,
    events: u32,
    /// It takes no more events.
    is_closed: bool,
    /// One of its events has said that it ended.
    ends: bool,
    is_dead: bool,
}

#[derive(Debug, Clone)]
enum Step {
    /// An event comes: it joins an instance, or begins another.
    Come { version: usize },
    /// One of the events at work leaves.
    Leave {
        which: prop::sample::Index,
        ends: bool,
    },
    /// One of the instances dies, and its events have not noticed yet.
    Die { which: prop::sample::Index },
    /// A version changes.
    Forget { version: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (0..2_usize).prop_map(|version| Step::Come { version }),
        6 => (index(), prop::bool::weighted(0.1)).prop_map(|(which, ends)| Step::Leave { which, ends }),
        1 => index().prop_map(|which| Step::Die { which }),
        1 => (0..2_usize).prop_map(|version| Step::Forget { version }),
    ]
}

/// Shares, and beside them what must be true of them.
struct World {
    shares: Shares<Instance>,
    ids: [FunctionId; 2],
    most: u32,
    known: BTreeMap<Seat, Known>,
    /// Events at work, each with its share.
    events: Vec<(Seat, Instance)>,
    begun: u32,
    vacated: u32,
}

impl World {
    fn new(most: u32) -> Self {
        Self {
            shares: Shares::default(),
            ids: versions(),
            most,
            known: BTreeMap::new(),
            events: Vec::new(),
            begun: 0,
            vacated: 0,
        }
    }

    fn come(&mut self, version: usize) {
        let dead: Vec<u32> = (self.events.iter())
            .filter(|(seat, _)| self.known[seat].is_dead)
            .map(|(_, instance)| **instance)
            .collect();
        let id = self.ids[version];
        let found = self
            .shares
            .with_room(id, |instance| !dead.contains(instance));
        let has_room = |it: &Known| {
            it.version == version && !it.is_closed && !it.is_dead && it.events < self.most
        };
        assert_eq!(found.is_some(), self.known.values().any(has_room));
        // Those that were found dead take no more.
        for it in self.known.values_mut().filter(|it| it.version == version) {
            it.is_closed |= it.is_dead && found.is_none();
        }
        match found {
            Some(seat) => {
                assert!(has_room(&self.known[&seat]), "{:?}", self.known[&seat]);
                let (instance, _) = self.shares.join(seat, share).unwrap();
                self.known.get_mut(&seat).unwrap().events += 1;
                self.events.push((seat, instance));
            }
            None => {
                self.begun += 1;
                let (kept, given) = share(Arc::new(self.begun));
                let seat = self.shares.begin(id, kept, 0, None, self.most);
                let known = Known {
                    version,
                    events: 1,
                    is_closed: false,
                    ends: false,
                    is_dead: false,
                };
                assert!(self.known.insert(seat, known).is_none());
                self.events.push((seat, given));
            }
        }
    }

    fn leave(&mut self, at: usize, ends: bool) {
        let (seat, instance) = self.events.swap_remove(at);
        let known = self.known.get_mut(&seat).unwrap();
        known.events -= 1;
        known.ends |= ends;
        known.is_closed |= ends;
        let left = self.shares.leave(seat, ends).unwrap();
        if known.events > 0 {
            assert_eq!(left, Left::Others);
            return;
        }
        let Left::Nobody(vacant) = left else {
            panic!("the last event left others behind");
        };
        assert_eq!(
            (vacant.id, &vacant.instance),
            (self.ids[known.version], &instance)
        );
        assert!(vacant.ends >= known.ends && vacant.ends <= (known.ends || known.is_dead));
        self.known.remove(&seat);
        self.vacated += 1;
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Come { version } => self.come(version),
            Step::Leave { which, ends } if !self.events.is_empty() => {
                self.leave(which.index(self.events.len()), ends);
            }
            Step::Die { which } if !self.events.is_empty() => {
                let (seat, _) = &self.events[which.index(self.events.len())];
                self.known.get_mut(seat).unwrap().is_dead = true;
            }
            Step::Forget { version } => {
                self.shares.forget(self.ids[version]);
                let known = self.known.values_mut();
                known
                    .filter(|it| it.version == version)
                    .for_each(|it| it.is_closed = true);
            }
            Step::Leave { .. } | Step::Die { .. } => {}
        }
        for (seat, it) in &self.known {
            assert!(it.events <= self.most, "{} events in one", it.events);
            let shares = self.events.iter().filter(|(at, _)| at == seat);
            assert_eq!(shares.count() as u32, it.events, "an event was lost");
        }
    }
}

proptest! {
    #[test]
    fn no_instance_has_too_many_events_and_none_is_lost(
        most in 1..5_u32,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut world = World::new(most);
        steps.into_iter().for_each(|step| world.step(step));
        while !world.events.is_empty() {
            world.leave(0, false);
        }
        prop_assert_eq!(world.begun, world.vacated);
        prop_assert!(world.shares.at_work.is_empty() && world.shares.open.is_empty());
    }
}

#[test]
fn so_many_wait_for_an_instance_in_the_making_as_it_has_room_for() {
    let [id, other] = versions();
    let mut shares = Shares::<Instance>::default();
    let need = |shares: &mut Shares<Instance>, id, may_wait| match shares.need(id, 3, may_wait) {
        Need::Wait(done) => Ok(done),
        Need::Make(number) => Err(number),
    };
    let first = need(&mut shares, id, true).unwrap_err();
    let waits = [(); 2].map(|()| need(&mut shares, id, true).unwrap());
    assert!(need(&mut shares, id, true).is_err(), "it is full");
    assert!(
        need(&mut shares, other, true).is_err(),
        "it is another version's"
    );
    assert!(need(&mut shares, id, false).is_err(), "it may not wait");
    assert!(waits.iter().all(|done| !done.is_cancelled()));
    shares.made(id, first);
    assert!(waits.iter().all(CancellationToken::is_cancelled));
}

#[test]
fn who_waits_is_told_when_the_version_goes() {
    let [id, _] = versions();
    let mut shares = Shares::<Instance>::default();
    let Need::Make(number) = shares.need(id, 2, true) else {
        panic!("there is none to wait for");
    };
    let Need::Wait(done) = shares.need(id, 2, true) else {
        panic!("it has room");
    };
    shares.forget(id);
    assert!(done.is_cancelled());
    shares.made(id, number);
    assert!(shares.making.is_empty());
}
