//! Several events in one instance: places are counted for each, memory once.

use offshoot_decide::{Core, End, Event, FunctionId, Policy, Refusal, Rung, Started, Ticket, Time};

use crate::world::{MB, World, policy, spec};

/// A function with one instance at work, of so many megabytes, and its first event's ticket.
fn at_work(megabytes: u64, concurrency: u32) -> (Core, FunctionId, Ticket, Time) {
    let policy = Policy {
        concurrency,
        ..policy()
    };
    let World { mut core, now, .. } = World::new(policy, 1 << 40);
    let id = core.add(now, spec("f", "a"));
    let mut ticket = core.admit(now, id, &mut Vec::new()).unwrap();
    let started = Started {
        rung: Rung::Cold,
        latency_us: 1,
        private_bytes: Some(megabytes * MB),
    };
    core.started(now, &mut ticket, started);
    (core, id, ticket, now)
}

#[test]
fn an_event_that_joins_takes_a_place_and_no_memory() {
    let (mut core, id, _first, now) = at_work(40, 2);
    let before = core.used_bytes();
    let second = core.join(now, id).unwrap();
    assert_eq!((second.rung(), core.used_bytes()), (Rung::Hot, before));
    let full = Refusal::Full {
        in_flight: 2,
        limit: 2,
    };
    assert_eq!(core.join(now, id).unwrap_err(), full);
    core.ended(now, second, End::Shared);
    assert!(core.join(now, id).is_ok());
}

#[test]
fn an_instance_is_counted_until_its_last_event_leaves_whichever_that_is() {
    let (mut core, id, mut first, now) = at_work(40, 10);
    let with_one = core.used_bytes();
    let hold = first.part_with_hold().unwrap();
    let mut second = core.join(now, id).unwrap();
    core.ended(now, first, End::Shared);
    assert_eq!(core.used_bytes(), with_one);
    assert_eq!(core.counts(id), Some((0, 0)));
    second.bear(hold);
    let private_bytes = 30 * MB;
    core.ended(now, second, End::Idle { private_bytes });
    assert_eq!(core.used_bytes(), with_one - 10 * MB);
    assert_eq!(core.counts(id), Some((1, 0)));
    core.observe(now, id, Event::IdleGone(1));
    assert_eq!(core.used_bytes(), with_one - 40 * MB);
}

#[test]
fn an_event_that_finds_room_after_all_gives_back_what_was_meant_for_it() {
    let (mut core, id, _first, now) = at_work(40, 10);
    let before = core.used_bytes();
    let mut late = core.admit(now, id, &mut Vec::new()).unwrap();
    assert!(core.used_bytes() > before);
    core.joined(now, &mut late, 5);
    assert_eq!((late.rung(), core.used_bytes()), (Rung::Hot, before));
    core.ended(now, late, End::Shared);
    assert_eq!(core.used_bytes(), before);
}

#[test]
fn an_event_that_loses_the_instance_it_joined_is_counted_with_one_of_its_own() {
    let (mut core, id, mut first, now) = at_work(40, 10);
    let hold = first.part_with_hold().unwrap();
    let mut second = core.join(now, id).unwrap();
    first.bear(hold);
    core.ended(now, first, End::Gone);
    let without = core.used_bytes();
    let started = Started {
        rung: Rung::Cold,
        latency_us: 1,
        private_bytes: Some(20 * MB),
    };
    core.started(now, &mut second, started);
    assert_eq!(core.used_bytes(), without + 20 * MB);
    let private_bytes = 20 * MB;
    core.ended(now, second, End::Idle { private_bytes });
    assert_eq!(core.used_bytes(), without + 20 * MB);
    assert_eq!(core.counts(id), Some((1, 0)));
}

#[test]
fn parked_clones_are_wanted_for_instances_at_once_and_not_for_events() {
    let peak = |joins: bool| {
        let (mut core, id, first, now) = at_work(40, 100);
        let others: Vec<Ticket> = (0..20)
            .map(|_| match joins {
                true => core.join(now, id).unwrap(),
                false => core.admit(now, id, &mut Vec::new()).unwrap(),
            })
            .collect();
        let seen = core.explain(now, id).unwrap();
        for ticket in others {
            core.ended(now, ticket, if joins { End::Shared } else { End::Gone });
        }
        core.ended(now, first, End::Gone);
        let left = core.explain(now, id).unwrap().busy;
        (seen.busy, seen.peak, left)
    };
    assert_eq!(peak(true), (1, 1, 0));
    assert_eq!(peak(false), (21, 21, 0));
}
