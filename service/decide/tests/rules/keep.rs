use offshoot_decide::{Deed, FunctionId, MINUTE_US, NodeReading, Policy, SECOND_US};

use crate::world::{MB, World, count, policy, spec};

fn retires(deed: &Deed) -> bool {
    matches!(deed, Deed::RetireIdle { .. })
}

/// How long an idle instance stays, in seconds, when the memory reads so.
fn stays_s(used_percent: u64, psi_some: f64, psi_full: f64) -> u64 {
    let mut world = World::new(policy(), 10_000 * MB);
    let id = world.add(spec("f", "a"));
    world.call(id);
    let reading = NodeReading {
        limit_bytes: 10_000 * MB,
        used_bytes: used_percent * 100 * MB,
        psi_some,
        psi_full,
        ..NodeReading::default()
    };
    world.core.read(reading);
    let begun = world.now;
    world.decide();
    for _ in 0..10 {
        if world.slots[&id].idle.is_empty() {
            break;
        }
        world.now = world.core.next_due().unwrap();
        world.core.read(NodeReading {
            psi_some: psi_some.min(9.0),
            psi_full: psi_full.min(4.0),
            ..reading
        });
        world.decide();
    }
    world.now.since(begun) / SECOND_US
}

#[test]
fn keep_alive_shrinks_under_pressure() {
    let stays = [10, 76, 86].map(|used| stays_s(used, 0.0, 0.0));
    assert_eq!(stays, [600, 60, 10]);
    // Stalls press as little room does; what presses hard takes the instance at once.
    assert_eq!(stays_s(10, 9.0, 0.0), 600);
    assert!(stays_s(10, 12.0, 0.0) <= 10);
    assert!(stays_s(10, 0.0, 6.0) <= 1);
}

fn window_us(world: &World, id: FunctionId) -> u64 {
    world.core.explain(world.now, id).unwrap().window_us
}

#[test]
fn the_window_follows_the_gaps() {
    let mut world = World::new(policy(), 10_000 * MB);
    let (often, seldom) = (
        world.add(spec("often", "a")),
        world.add(spec("seldom", "a")),
    );
    for call in 0..40 {
        world.call(often);
        if call % 4 == 0 {
            world.call(seldom);
        }
        world.live(30 * SECOND_US);
    }
    let (often_us, seldom_us) = (window_us(&world, often), window_us(&world, seldom));
    assert!(
        (30 * SECOND_US..=38 * SECOND_US).contains(&often_us),
        "{often_us}"
    );
    assert!(
        (120 * SECOND_US..=150 * SECOND_US).contains(&seldom_us),
        "{seldom_us}"
    );
    // Control: a function whose gaps are not known has the longest window.
    let new = world.add(spec("new", "a"));
    assert_eq!(window_us(&world, new), 10 * MINUTE_US);
}

#[test]
fn the_oldest_instances_go_and_those_in_use_stay() {
    let mut world = World::new(policy(), 10_000 * MB);
    let id = world.add(spec("f", "a"));
    (0..3).for_each(|_| {
        world.begin(id).unwrap();
    });
    (0..3).for_each(|_| world.end());
    let mut gone = 0;
    for _ in 0..20 {
        gone += count(&world.live(MINUTE_US), retires);
        world.call(id);
    }
    assert!(gone > 0);
    assert_eq!(world.slots[&id].idle.len(), 1);
}

#[test]
fn nothing_is_due_when_nothing_exists() {
    let mut world = World::new(policy(), 10_000 * MB);
    let id = world.add(spec("f", "a"));
    world.live(MINUTE_US);
    assert_eq!(world.core.next_due(), None);
    world.call(id);
    assert!(world.core.next_due().is_some());
    world.live(11 * MINUTE_US);
    assert_eq!(world.core.next_due(), None);
}

#[test]
fn ghosts_follow_the_starts_and_fall_later() {
    let policy = Policy {
        ghosts: (2, 50),
        concurrency: 10_000,
        ..policy()
    };
    let mut world = World::new(policy, 1_000_000 * MB);
    let id = world.seeded("f");
    assert_eq!(world.core.ghost_target(), 2);
    for _ in 0..200 {
        world.begin(id).unwrap();
        world.pass(SECOND_US / 20);
    }
    world.decide();
    let high = world.core.ghost_target();
    assert!((20..=40).contains(&high), "{high}");
    world.live(30 * SECOND_US);
    assert_eq!(world.core.ghost_target(), high);
    world.live(10 * MINUTE_US);
    assert_eq!(world.core.ghost_target(), 2);
}
