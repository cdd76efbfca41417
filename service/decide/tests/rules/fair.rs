use offshoot_decide::{FunctionSpec, Policy, Refusal};

use crate::world::{MB, World, policy, spec};

/// One account floods, another one sends one event a round, after 50 of the flood; five events end in each round.
/// How many of the second account's are in flight in the end, of 100 places.
fn light_share(light_account: &str) -> usize {
    let policy = Policy {
        concurrency: 100,
        ..policy()
    };
    let mut world = World::new(policy, 1 << 50);
    let flood = world.add(spec("flood", "flooding"));
    let light = world.add(spec("light", light_account));
    for round in 0..400 {
        (0..50).for_each(|_| {
            let _ = world.begin(flood);
        });
        let _ = world.begin(light);
        world.pass(10_000);
        // Events end evenly: 5 of at most 100 each round.
        if round > 20 {
            (0..5).for_each(|_| world.end());
        }
    }
    world
        .busy
        .iter()
        .filter(|(ticket, _)| ticket.function() == light)
        .count()
}

#[test]
fn a_flood_leaves_others_their_share() {
    // An event stays for some 18 rounds: that is nearly all that it asked for.
    assert!(light_share("light") >= 15, "{}", light_share("light"));
    // Control: within one account nothing is fair.
    assert!(light_share("flooding") <= 5, "{}", light_share("flooding"));
}

#[test]
fn one_account_alone_may_use_everything() {
    let mut world = World::new(
        Policy {
            concurrency: 10,
            ..policy()
        },
        1 << 50,
    );
    let id = world.add(spec("f", "a"));
    assert!((0..10).all(|_| world.begin(id).is_ok()));
    assert_eq!(
        world.begin(id),
        Err(Refusal::Full {
            in_flight: 10,
            limit: 10
        })
    );
    world.end();
    assert!(world.begin(id).is_ok());
}

#[test]
fn a_reservation_is_the_functions_limit_and_taken_from_the_others() {
    let mut world = World::new(
        Policy {
            concurrency: 3,
            ..policy()
        },
        1 << 50,
    );
    let one = world.add(FunctionSpec {
        reserved_concurrency: Some(2),
        ..spec("one", "a")
    });
    let two = world.add(spec("two", "a"));
    assert!(world.begin(one).is_ok() && world.begin(one).is_ok());
    assert_eq!(
        world.begin(one),
        Err(Refusal::Reserved {
            in_flight: 2,
            limit: 2
        })
    );
    assert!(world.begin(two).is_ok());
    assert_eq!(
        world.begin(two),
        Err(Refusal::Full {
            in_flight: 1,
            limit: 1
        })
    );
    world.core.set_reserved(one, None);
    assert!(world.begin(two).is_ok());
}

#[test]
fn a_removed_function_is_refused_and_its_events_still_end() {
    let mut world = World::new(
        Policy {
            concurrency: 1,
            ..policy()
        },
        1 << 50,
    );
    let (old, new) = (world.add(spec("f", "a")), world.add(spec("f", "a")));
    let mut actions = Vec::new();
    let ticket = world.core.admit(world.now, old, &mut actions).unwrap();
    world.core.remove(old);
    assert_eq!(world.begin(old), Err(Refusal::Unknown));
    assert_eq!(
        world.begin(new),
        Err(Refusal::Full {
            in_flight: 1,
            limit: 1
        })
    );
    let end = offshoot_decide::End::Idle { private_bytes: MB };
    world.core.ended(world.now, ticket, end);
    assert!(world.begin(new).is_ok());
    assert_eq!(world.core.used_bytes(), world.used_bytes());
}

#[test]
fn versions_of_one_function_share_its_reservation() {
    let mut world = World::new(
        Policy {
            concurrency: 4,
            ..policy()
        },
        1 << 50,
    );
    let version = |name: &str, reserved| FunctionSpec {
        group: "f".into(),
        reserved_concurrency: reserved,
        ..spec(name, "a")
    };
    let one = world.add(version("f:1", Some(2)));
    let two = world.add(version("f:2", Some(2)));
    let other = world.add(spec("other", "a"));
    assert!(world.begin(one).is_ok() && world.begin(two).is_ok());
    assert_eq!(
        world.begin(two),
        Err(Refusal::Reserved {
            in_flight: 2,
            limit: 2
        })
    );
    // Two are set apart, not four.
    assert!(world.begin(other).is_ok() && world.begin(other).is_ok());
    assert!(world.begin(other).is_err());
    // A version that goes leaves the reservation to the others, the last one takes it along.
    world.core.remove(one);
    assert!(world.begin(other).is_err());
    world.core.remove(two);
    assert!(world.begin(other).is_ok());
}
