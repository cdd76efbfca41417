use std::sync::Arc;

use offshoot_decide::{
    Action, Decision, Deed, End, FunctionId, FunctionSpec, HOUR_US, MINUTE_US, NodeReading, Policy,
    Rung, SECOND_US, SeedOf, SeedState, Slo, Started,
};

use crate::world::{MB, World, count, policy, spec};

fn runtime() -> Arc<str> {
    "python3.11".into()
}

fn explained(world: &World, id: FunctionId) -> Decision {
    world.core.explain(world.now, id).unwrap()
}

fn next(world: &World, id: FunctionId) -> Rung {
    explained(world, id).next_rung
}

/// An event that ends with its instance, which the node made on `rung` in so long and of such a size.
fn start(world: &mut World, id: FunctionId, rung: Rung, latency_us: u64, bytes: u64) {
    let mut ticket = world.core.admit(world.now, id, &mut Vec::new()).unwrap();
    let started = Started {
        rung,
        latency_us,
        private_bytes: Some(bytes),
    };
    world.core.started(world.now, &mut ticket, started);
    let private_bytes = bytes;
    world
        .core
        .ended(world.now, ticket, End::Retired { private_bytes });
}

#[test]
fn a_seed_of_the_runtime_is_the_next_rung_of_those_who_may_begin_in_it() {
    let mut world = World::new(policy(), 8192 * MB);
    let of_it = world.add(spec("f", "a"));
    let alone = world.add(FunctionSpec {
        runtime: None,
        ..spec("alone", "a")
    });
    let of_another = world.add(FunctionSpec {
        runtime: Some("nodejs20.x".into()),
        ..spec("node", "a")
    });
    assert_eq!(next(&world, of_it), Rung::Cold);
    world
        .core
        .observe_runtime(world.now, &runtime(), Some(10 * MB));
    assert_eq!(next(&world, of_it), Rung::Level1);
    assert_eq!(
        [alone, of_another].map(|id| next(&world, id)),
        [Rung::Cold; 2]
    );
    let seeds = [of_it, alone, of_another].map(|id| explained(&world, id).runtime_seed);
    assert!(
        matches!(seeds[0], Some(SeedState::Ready { image_bytes, .. }) if image_bytes == 10 * MB)
    );
    assert_eq!(seeds[1..], [None, Some(SeedState::Absent)]);
    world.core.observe_runtime(world.now, &runtime(), None);
    assert_eq!(next(&world, of_it), Rung::Cold);
}

#[test]
fn latency_and_memory_are_learnt_for_the_rung_that_served() {
    let mut world = World::new(policy(), 8192 * MB);
    let id = world.add(spec("f", "a"));
    start(&mut world, id, Rung::Cold, 300_000, 40 * MB);
    world
        .core
        .observe_runtime(world.now, &runtime(), Some(10 * MB));
    start(&mut world, id, Rung::Level1, 20_000, 12 * MB);
    let found = explained(&world, id);
    let p50_us = |rung: Rung| found.rungs[rung as usize].p50_us;
    assert!(
        (18_000..=22_000).contains(&p50_us(Rung::Level1)),
        "{found:?}"
    );
    assert!(
        (270_000..=330_000).contains(&p50_us(Rung::Cold)),
        "{found:?}"
    );
    // An event takes what its own rung is known to need.
    let needed = |world: &mut World| {
        world.read();
        let before = world.core.used_bytes();
        let ticket = world.core.admit(world.now, id, &mut Vec::new()).unwrap();
        let taken = world.core.used_bytes() - before;
        world.core.ended(world.now, ticket, End::NotStarted);
        taken
    };
    assert_eq!(needed(&mut world), 12 * MB);
    world.core.observe_runtime(world.now, &runtime(), None);
    assert_eq!(needed(&mut world), 40 * MB);
}

#[test]
fn a_function_that_passed_over_its_runtimes_seed_is_expected_to_do_so_again() {
    let mut world = World::new(policy(), 8192 * MB);
    let (shuns, other) = (world.add(spec("f", "a")), world.add(spec("g", "a")));
    world
        .core
        .observe_runtime(world.now, &runtime(), Some(10 * MB));
    start(&mut world, shuns, Rung::Cold, 300_000, 40 * MB);
    assert_eq!(next(&world, shuns), Rung::Cold);
    assert_eq!(next(&world, other), Rung::Level1);
    start(&mut world, shuns, Rung::Level1, 20_000, 12 * MB);
    assert_eq!(next(&world, shuns), Rung::Level1);
}

/// The keep-alive window of a function that is called every quarter of an hour, for which 200 ms are fast enough.
fn window_us(has_runtime_seed: bool) -> u64 {
    let mut world = World::new(policy(), 8192 * MB);
    let slo = Slo {
        p99_us: 200_000,
        ..Slo::default()
    };
    let id = world.add(FunctionSpec {
        slo,
        ..spec("f", "a")
    });
    // Its own seed never comes: it would serve in the place of the runtime's.
    for _ in 0..15 {
        world.call(id);
        world.live(15 * MINUTE_US);
    }
    let image_bytes = has_runtime_seed.then_some(10 * MB);
    // The seed comes while nobody calls: that alone has the function looked at again.
    world
        .core
        .observe_runtime(world.now, &runtime(), image_bytes);
    world.live(2 * MINUTE_US);
    explained(&world, id).window_us
}

#[test]
fn instances_are_kept_for_less_long_if_the_runtimes_seed_starts_fast_enough() {
    assert_eq!(window_us(true), 10 * SECOND_US);
    // Control: a cold start is too slow for it.
    assert_eq!(window_us(false), 10 * MINUTE_US);
}

/// A function whose runtime has a seed, which is made anew after three clones.
fn rotating() -> (World, FunctionId) {
    let policy = Policy {
        rotate_after_clones: 3,
        ..policy()
    };
    let mut world = World::new(policy, 8192 * MB);
    let id = world.add(spec("f", "a"));
    world
        .core
        .observe_runtime(world.now, &runtime(), Some(10 * MB));
    world.decide();
    (world, id)
}

fn rotations(actions: &[Action]) -> usize {
    let of_runtime = SeedOf::Runtime(runtime());
    count(
        actions,
        |deed| matches!(deed, Deed::RotateSeed { seed } if *seed == of_runtime),
    )
}

fn start_of_it(world: &mut World, id: FunctionId) -> usize {
    start(world, id, Rung::Level1, 20_000, 12 * MB);
    rotations(&world.decide())
}

#[test]
fn a_runtimes_seed_is_made_anew_after_its_clones_and_serves_until_then() {
    let (mut world, id) = rotating();
    let asked: Vec<usize> = (0..6).map(|_| start_of_it(&mut world, id)).collect();
    assert_eq!(asked, [0, 0, 1, 0, 0, 0], "it is being made anew already");
    assert_eq!(next(&world, id), Rung::Level1);
    let seed = SeedOf::Runtime(runtime());
    world.core.seed_ready(world.now, &seed, 10 * MB);
    let asked: Vec<usize> = (0..3).map(|_| start_of_it(&mut world, id)).collect();
    assert_eq!(asked, [0, 0, 1], "the new one has had no clones before");
    // A failure costs nothing but another attempt, later.
    world.core.seed_failed(world.now, &seed);
    assert_eq!(next(&world, id), Rung::Level1);
    let asked: usize = (0..15).map(|_| start_of_it(&mut world, id)).sum();
    assert_eq!((asked, start_of_it(&mut world, id)), (0, 1));
}

#[test]
fn a_runtimes_seed_that_had_clones_is_made_anew_when_it_is_old() {
    let (mut world, id) = rotating();
    assert_eq!(start_of_it(&mut world, id), 0);
    assert_eq!(rotations(&world.live(23 * HOUR_US)), 0);
    // Nobody calls any more.
    assert_eq!(rotations(&world.live(2 * HOUR_US)), 1);
    // Control: of one without clones nothing is known to anybody.
    let (mut world, _) = rotating();
    assert_eq!(rotations(&world.live(48 * HOUR_US)), 0);
}

#[test]
fn a_runtimes_seed_is_not_made_anew_while_memory_is_short() {
    let (mut world, id) = rotating();
    start_of_it(&mut world, id);
    let short = |percent: u64| NodeReading {
        limit_bytes: 8192 * MB,
        used_bytes: 8192 * MB * percent / 100,
        ..NodeReading::default()
    };
    world.core.read(short(90));
    assert_eq!(rotations(&world.live(25 * HOUR_US)), 0);
    world.core.read(short(10));
    assert_eq!(rotations(&world.live(2 * MINUTE_US)), 1);
}
