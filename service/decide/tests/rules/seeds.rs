use offshoot_decide::{
    Backing, Deed, Event, FunctionSpec, HOUR_US, MINUTE_US, Policy, Rung, SeedOf, SeedState, Time,
};

use crate::world::{IMAGE_BYTES, MB, World, count, policy, spec};

fn makes_seed(deed: &Deed) -> bool {
    matches!(
        deed,
        Deed::MakeSeed {
            seed: SeedOf::Function(_)
        }
    )
}

fn rotates(deed: &Deed) -> bool {
    matches!(deed, Deed::RotateSeed { .. })
}

/// After how many invocations a seed was asked for, in 100 of them.
fn asked_after(policy: Policy) -> Vec<u32> {
    let mut world = World::new(policy, 8192 * MB);
    let id = world.add(spec("f", "a"));
    let mut asked = Vec::new();
    for invocation in 1..=100 {
        world.call(id);
        let seeds = count(&world.decide(), makes_seed);
        asked.extend((0..seeds).map(|_| invocation));
        if invocation == 40 {
            world.finish();
        }
    }
    asked
}

#[test]
fn a_seed_is_made_after_the_16th_invocation_and_once() {
    assert_eq!(asked_after(policy()), [16]);
    // Control: it is the policy's number, not one that the test cannot miss.
    assert_eq!(
        asked_after(Policy {
            seed_after: 23,
            ..policy()
        }),
        [23]
    );
    assert!(
        asked_after(Policy {
            seed_after: 101,
            ..policy()
        })
        .is_empty()
    );
}

#[test]
fn a_seed_that_failed_is_tried_again_later_each_time() {
    let mut world = World::new(policy(), 8192 * MB);
    let id = world.add(spec("f", "a"));
    let mut asked = Vec::new();
    for invocation in 1..=100 {
        world.call(id);
        if count(&world.decide(), makes_seed) > 0 {
            asked.push(invocation);
            world.slots.get_mut(&id).unwrap().makes_seed = false;
            world.core.seed_failed(world.now, &SeedOf::Function(id));
        }
    }
    assert_eq!(asked, [16, 32, 64]);
}

#[test]
fn published_seeds_are_made_a_few_at_a_time_without_a_call() {
    let mut world = World::new(
        Policy {
            seeds_at_once: 3,
            ..policy()
        },
        8192 * MB,
    );
    for number in 0..10 {
        world.add(FunctionSpec {
            seed_at_publish: true,
            ..spec(&format!("f{number}"), "a")
        });
    }
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(count(&world.decide(), makes_seed));
        world.finish();
    }
    assert_eq!(made, [3, 3, 3, 1, 0]);
}

#[test]
fn a_seed_is_rotated_after_its_clones() {
    let mut world = World::new(
        Policy {
            rotate_after_clones: 20,
            ..policy()
        },
        8192 * MB,
    );
    let id = world.seeded("f");
    let mut rotations = Vec::new();
    for clone in 1..=50 {
        assert!(world.begin(id).unwrap() != Rung::Cold);
        if count(&world.decide(), rotates) > 0 {
            rotations.push(clone);
            world.finish();
            world.decide();
            world.finish();
        }
    }
    assert_eq!(rotations, [20, 40]);
}

#[test]
fn a_template_is_replaced_after_its_seed_was() {
    let mut world = World::new(
        Policy {
            rotate_after_clones: 1,
            ..policy()
        },
        8192 * MB,
    );
    let id = world.seeded("f");
    world.begin(id).unwrap();
    assert_eq!(count(&world.decide(), rotates), 1);
    world.finish();
    let replaced = |deed: &Deed| matches!(deed, Deed::ReplaceTemplate { .. });
    assert_eq!(count(&world.decide(), replaced), 1);
    world.finish();
    assert_eq!(count(&world.decide(), replaced), 0);
}

#[test]
fn an_old_seed_is_rotated_if_it_is_used() {
    let day = 25 * HOUR_US;
    let mut world = World::new(policy(), 8192 * MB);
    let id = world.seeded("used");
    world.call(id);
    assert_eq!(count(&world.live(day), rotates), 1);
    // Control: one that nobody used gives nothing away.
    let mut world = World::new(policy(), 8192 * MB);
    world.seeded("unused");
    assert_eq!(count(&world.live(day), rotates), 0);
}

#[test]
fn unused_templates_and_images_go_in_that_order() {
    let mut world = World::new(policy(), 8192 * MB);
    let id = world.seeded("f");
    let log = world.live(8 * 24 * HOUR_US);
    let at = |is_it: fn(&Deed) -> bool| log.iter().find(|action| is_it(&action.deed)).unwrap().at;
    let template = at(|deed| matches!(deed, Deed::DropTemplate { .. }));
    let image = at(|deed| matches!(deed, Deed::DropSeed { .. }));
    assert!(Time(0) < template && template < image);
    let decision = world.core.explain(world.now, id).unwrap();
    assert_eq!(decision.seed, SeedState::Absent);
    assert_eq!(world.core.next_due(), None);
}

#[test]
fn images_above_the_disk_budget_go_the_least_used_first() {
    let disk_budget_bytes = 3 * IMAGE_BYTES;
    let mut world = World::new(
        Policy {
            disk_budget_bytes,
            ..policy()
        },
        8192 * MB,
    );
    let ids = ["a", "b", "c"].map(|name| world.seeded(name));
    world.call(ids[0]);
    world.call(ids[2]);
    world.live(2 * MINUTE_US);
    world.add(FunctionSpec {
        seed_at_publish: true,
        ..spec("d", "a")
    });
    world.decide();
    world.finish();
    let dropped = world.decide();
    let seeds = dropped
        .iter()
        .filter(|it| matches!(it.deed, Deed::DropSeed { .. }));
    let functions: Vec<_> = seeds
        .map(|action| action.deed.function().unwrap())
        .collect();
    assert_eq!(functions, [ids[1]]);
}

/// After how many invocations a seed was asked for, if there is time to spare from the 6th on.
fn asked_early_after(early: u64) -> Option<u32> {
    let mut world = World::new(
        Policy {
            seed_early_after: early,
            ..policy()
        },
        8192 * MB,
    );
    let id = world.add(spec("f", "a"));
    (1..=100).find(|invocation| {
        world.is_idle = *invocation > 5;
        world.call(id);
        world.pass(MINUTE_US);
        world.read();
        count(&world.decide(), makes_seed) > 0
    })
}

#[test]
fn a_seed_is_made_early_in_an_idle_moment_only() {
    assert_eq!(asked_early_after(2), Some(6));
    assert_eq!(asked_early_after(9), Some(9));
    // Control: without early seeds it is the 16th.
    assert_eq!(asked_early_after(u64::MAX), Some(16));
}

#[test]
fn an_image_that_has_gone_is_made_again_later() {
    let mut world = World::new(policy(), 8192 * MB);
    let id = world.add(spec("f", "a"));
    for _ in 0..16 {
        world.call(id);
    }
    world.decide();
    world.finish();
    assert!(world.core.explain(world.now, id).unwrap().seed != SeedState::Absent);
    world.core.observe(world.now, id, Event::SeedGone);
    assert_eq!(
        world.core.explain(world.now, id).unwrap().seed,
        SeedState::Absent
    );
    for _ in 0..15 {
        world.call(id);
    }
    assert_eq!(count(&world.decide(), makes_seed), 0);
    world.call(id);
    assert_eq!(count(&world.decide(), makes_seed), 1);
}

#[test]
fn a_template_is_counted_as_no_smaller_than_its_image_before_it_was_made() {
    let used_bytes = |image_bytes: u64| {
        let policy = Policy {
            may_map: false,
            ..policy()
        };
        let mut world = World::new(policy, 1000 * MB);
        let id = world.add(spec("f", "a"));
        let seed = SeedOf::Function(id);
        world.core.seed_ready(world.now, &seed, image_bytes);
        let ticket = world.core.admit(world.now, id, &mut Vec::new()).unwrap();
        assert_eq!(ticket.rung(), Rung::Restore);
        world.core.used_bytes() - world.policy.assumed_clone_bytes
    };
    assert_eq!(used_bytes(110 * MB), 110 * MB);
    // A difference says little.
    assert_eq!(used_bytes(2 * MB), policy().assumed_template_bytes);
}

#[test]
fn a_template_that_a_start_makes_is_mapped_where_that_can_be() {
    for (may_map, expected) in [(true, Backing::Mapped), (false, Backing::Local)] {
        let policy = Policy {
            may_map,
            ..policy()
        };
        let mut world = World::new(policy, 1000 * MB);
        let id = world.seeded("f");
        // It is lost.
        world.slots.get_mut(&id).unwrap().template = None;
        world.core.observe(world.now, id, Event::TemplateGone);
        assert_eq!(world.begin(id).unwrap(), Rung::Restore);
        world.finish();
        assert_eq!(world.slots[&id].template, Some(expected));
    }
}

/// A node that begins again has no memory of calls, only of what was at hand.
#[test]
fn what_was_at_hand_is_again_as_cheaply_as_can_be_and_nothing_else_is() {
    for (may_map, expected) in [(true, Backing::Mapped), (false, Backing::Local)] {
        let policy = Policy {
            may_map,
            parked_min: 1,
            ..policy()
        };
        let mut world = World::new(policy, 1000 * MB);
        let id = world.add(spec("f", "a"));
        world.slots.get_mut(&id).unwrap().has_image = true;
        let seed = SeedOf::Function(id);
        world.core.seed_ready(world.now, &seed, IMAGE_BYTES);
        world.core.recall(world.now, id);
        world.decide();
        world.finish();
        world.decide();
        let slot = &world.slots[&id];
        assert_eq!((slot.template, slot.parked), (Some(expected), 0));
        // From its first call on it is like any other.
        world.call(id);
        world.decide();
        assert_eq!(world.slots[&id].parked, 1);
    }
}

#[test]
fn what_was_at_hand_waits_while_memory_is_short() {
    let mut world = World::new(policy(), 10 * MB);
    let id = world.add(spec("f", "a"));
    let seed = SeedOf::Function(id);
    world.core.seed_ready(world.now, &seed, 100 * MB);
    world.core.recall(world.now, id);
    assert_eq!(world.decide(), []);
}
