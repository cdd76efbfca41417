//! Rules under any course of events.

use std::collections::BTreeMap;

use offshoot_decide::{Action, Deed, FunctionId, FunctionSpec, Policy, Reason, Refusal, SECOND_US};
use proptest::prelude::*;

use crate::world::{MB, World, policy, spec, template_bytes};

const FUNCTIONS: usize = 6;
const LIMIT: u64 = 600 * MB;

#[derive(Debug, Clone)]
enum Op {
    Begin(usize),
    End,
    Pass(u64),
    Decide,
    Finish,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (0..FUNCTIONS).prop_map(Op::Begin),
        5 => Just(Op::End),
        3 => (1_u64..30_000).prop_map(|milliseconds| Op::Pass(milliseconds * 1000)),
        3 => Just(Op::Decide),
        1 => Just(Op::Finish),
    ];
    proptest::collection::vec(op, 1..300)
}

/// Runs the operations; the most memory that was in use, and refusals that were not necessary.
fn run(world: &mut World, ops: &[Op]) -> (u64, u32) {
    let ids: Vec<_> = (0..FUNCTIONS)
        .map(|number| {
            let seed_at_publish = number % 2 == 0;
            world.add(FunctionSpec {
                seed_at_publish,
                ..spec(&format!("f{number}"), "a")
            })
        })
        .collect();
    let (mut peak, mut needless) = (0, 0);
    for op in ops {
        match op {
            Op::Begin(function) => {
                let id = ids[*function];
                let refused = world.begin(id);
                if let Err(Refusal::Memory { needed_bytes, .. }) = refused {
                    let least = world.used_bytes() - spare_bytes(world, id);
                    needless += u32::from(least + needed_bytes <= LIMIT);
                }
            }
            Op::End => world.end(),
            Op::Pass(span_us) => world.pass(*span_us),
            Op::Decide => {
                world.decide();
            }
            Op::Finish => world.finish(),
        }
        peak = peak.max(world.used_bytes());
    }
    (peak, needless)
}

/// What others could have given up.
fn spare_bytes(world: &World, id: FunctionId) -> u64 {
    let others = world.slots.iter().filter(|(other, _)| **other != id);
    let spare = others.map(|(_, slot)| {
        // A template that is being replaced is neither here nor there.
        let template = slot.template.filter(|_| slot.making.is_none());
        slot.idle.iter().sum::<u64>()
            + u64::from(slot.parked) * world.policy.assumed_clone_bytes
            + template.map_or(0, template_bytes)
    });
    spare.sum()
}

/// Pairs of actions on one function of which the second undoes the first within the hysteresis, though nothing
/// but the core's own mind has changed.
fn flaps(log: &[Action], hysteresis_us: u64) -> usize {
    let mut last: BTreeMap<(FunctionId, &str), &Action> = BTreeMap::new();
    let mut found = 0;
    for action in log {
        let Some(function) = action.deed.function() else {
            continue;
        };
        let (kind, undoes) = match action.deed {
            Deed::Park { .. } => ("park", "unpark"),
            Deed::Unpark { .. } => ("unpark", "park"),
            Deed::MakeTemplate { .. } => ("make", "drop"),
            Deed::DropTemplate { .. } => ("drop", "make"),
            _ => continue,
        };
        let demanded = matches!(action.reason, Reason::Memory { .. } | Reason::Stale);
        let before = last.get(&(function, undoes));
        let is_soon = before.is_some_and(|before| action.at.since(before.at) < hysteresis_us);
        found += usize::from(is_soon && !demanded);
        last.insert((function, kind), action);
    }
    found
}

proptest! {
    #[test]
    fn memory_is_not_exceeded_and_nobody_is_refused_needlessly(ops in ops()) {
        let mut world = World::new(policy(), LIMIT);
        let (peak, needless) = run(&mut world, &ops);
        prop_assert!(peak <= LIMIT, "{} MB", peak / MB);
        prop_assert_eq!(needless, 0);
        prop_assert_eq!(world.core.used_bytes(), world.used_bytes());
    }

    #[test]
    fn the_same_input_gives_the_same_output(ops in ops()) {
        let (mut one, mut other) = (World::new(policy(), LIMIT), World::new(policy(), LIMIT));
        run(&mut one, &ops);
        run(&mut other, &ops);
        prop_assert_eq!(one.log, other.log);
    }

    #[test]
    fn nothing_is_undone_within_the_hysteresis_but_by_demand(ops in ops()) {
        let mut world = World::new(slow_clones(), LIMIT);
        run(&mut world, &ops);
        prop_assert_eq!(flaps(&world.log, world.policy.hysteresis_us), 0);
    }

    #[test]
    fn a_quiet_node_comes_to_rest(ops in ops()) {
        let mut world = World::new(policy(), LIMIT);
        run(&mut world, &ops);
        while !world.busy.is_empty() {
            world.end();
        }
        for _ in 0..10 {
            world.finish();
            world.live(24 * 3600 * SECOND_US);
        }
        prop_assert_eq!(world.core.next_due(), None);
        prop_assert_eq!(world.used_bytes(), 0);
    }
}

/// Clones miss the median target, so that parked ones come and go.
fn slow_clones() -> Policy {
    let mut policy = Policy {
        parked_idle_us: 90 * SECOND_US,
        ..policy()
    };
    *policy.assumed_us.get_mut(offshoot_decide::Rung::Clone) = 10_000;
    policy
}

/// Controls: the checks above see what they look for.
#[test]
fn a_deaf_node_exceeds_its_memory() {
    let mut world = World::new(policy(), LIMIT);
    world.is_deaf = true;
    let ops: Vec<Op> = (0..60)
        .flat_map(|at| {
            [
                Op::Begin(at % FUNCTIONS),
                Op::Begin((at + 1) % FUNCTIONS),
                Op::End,
            ]
        })
        .collect();
    let (peak, _) = run(&mut world, &ops);
    assert!(peak > LIMIT, "{} MB", peak / MB);
}

#[test]
fn without_hysteresis_it_flaps() {
    let mut world = World::new(
        Policy {
            hysteresis_us: 0,
            parked_idle_us: SECOND_US,
            ..slow_clones()
        },
        LIMIT,
    );
    let id = world.seeded("f");
    for _ in 0..5 {
        world.call(id);
        world.live(5 * SECOND_US);
    }
    assert!(flaps(&world.log, 60 * SECOND_US) > 0);
}

#[test]
fn another_input_gives_another_output() {
    let ops = [Op::Begin(1), Op::End, Op::Pass(700 * SECOND_US), Op::Decide];
    let (mut one, mut other) = (World::new(policy(), LIMIT), World::new(policy(), LIMIT));
    run(&mut one, &ops);
    run(&mut other, &ops[..2]);
    assert_ne!(one.log, other.log);
}
