use offshoot_decide::{
    Action, Backing, Deed, FunctionSpec, MINUTE_US, NodeReading, Reason, Refusal, Rung, SECOND_US,
    Slo, Started,
};

use crate::world::{MB, World, policy, spec};

const LIMIT: u64 = 10_000 * MB;

/// Tells that memory is so full, and gives what is given up for it, in order.
fn press(world: &mut World, percent: u64) -> Vec<Action> {
    let used_bytes = LIMIT / 100 * percent;
    world.core.read(NodeReading {
        limit_bytes: LIMIT,
        used_bytes,
        ..NodeReading::default()
    });
    let actions = world.decide();
    let is_reclaim = |action: &Action| matches!(action.reason, Reason::Memory { .. });
    actions.into_iter().filter(is_reclaim).collect()
}

fn kinds(world: &World, actions: &[Action]) -> Vec<String> {
    let name = |action: &Action| {
        let id = action.deed.function().unwrap();
        world.core.spec(id).unwrap().name.to_string()
    };
    let kind = |action: &Action| match action.deed {
        Deed::RetireIdle { .. } => "idle",
        Deed::Unpark { .. } => "parked",
        Deed::ReplaceTemplate { .. } => "mapped",
        Deed::DropTemplate { .. } => "drop",
        _ => "other",
    };
    actions
        .iter()
        .map(|action| format!("{} {}", kind(action), name(action)))
        .collect()
}

/// A function with everything: an idle instance, a parked clone, a template.
fn with_everything(world: &mut World, name: &str) -> offshoot_decide::FunctionId {
    let id = world.seeded(name);
    // Slow clones by its own measure, so that one is parked; inside its 99th percentile.
    let slo = Slo {
        p50_us: 1000,
        p99_us: 50_000,
    };
    world.core.set_slo(world.now, id, slo);
    world.call(id);
    world.pass(SECOND_US / 10);
    world.decide();
    assert_eq!(
        (world.slots[&id].idle.len(), world.slots[&id].parked),
        (1, 1)
    );
    id
}

#[test]
fn idle_then_parked_then_backing_then_templates_then_last_rungs() {
    let mut world = World::new(policy(), LIMIT);
    with_everything(&mut world, "clones");
    let cold = world.add(spec("cold", "a"));
    world.call(cold);
    let mut given = press(&mut world, 99);
    world.finish();
    given.extend(press(&mut world, 99));
    let kinds = kinds(&world, &given);
    // The cold function's instance is its last rung inside the target: after everything else.
    let expected = [
        "idle clones",
        "parked clones",
        "mapped clones",
        "idle cold",
        "drop clones",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_template_that_could_not_be_mapped_is_not_tried_again() {
    let mut world = World::new(policy(), LIMIT);
    let id = with_everything(&mut world, "clones");
    let given = press(&mut world, 99);
    assert_eq!(
        kinds(&world, &given).last().map(String::as_str),
        Some("mapped clones")
    );
    // It is what it was.
    world.slots.get_mut(&id).unwrap().making = Some(Backing::Local);
    world.finish();
    let given = press(&mut world, 99);
    assert_eq!(kinds(&world, &given), ["drop clones"]);
}

#[test]
fn an_instance_without_a_clone_behind_it_goes_first_only_if_no_target_breaks() {
    // Control: with a target that a cold start meets, the same instance goes before parked clones.
    let mut world = World::new(policy(), LIMIT);
    with_everything(&mut world, "clones");
    let cold = world.add(spec("cold", "a"));
    let slo = Slo {
        p50_us: SECOND_US,
        p99_us: 10 * SECOND_US,
    };
    world.core.set_slo(world.now, cold, slo);
    world.call(cold);
    let given = press(&mut world, 99);
    let kinds = kinds(&world, &given);
    assert!(kinds[..2].contains(&"idle cold".to_owned()), "{kinds:?}");
}

/// Of two functions alike, which loses its instance first, if one is called so much more often?
fn first_to_go(more: &str) -> String {
    let mut world = World::new(policy(), LIMIT);
    let ids = ["a", "b"].map(|name| (name, world.seeded(name)));
    for _ in 0..10 {
        for (name, id) in ids {
            let calls = if name == more { 5 } else { 1 };
            (0..calls).for_each(|_| {
                world.call(id);
            });
        }
        world.pass(SECOND_US);
    }
    world.decide();
    let given = press(&mut world, 91);
    kinds(&world, &given)[0].clone()
}

#[test]
fn among_alike_the_one_called_less_goes_first() {
    assert_eq!(first_to_go("a"), "idle b");
    assert_eq!(first_to_go("b"), "idle a");
}

#[test]
fn no_more_is_given_up_than_is_needed() {
    let mut world = World::new(policy(), LIMIT);
    let ids: Vec<_> = (0..50)
        .map(|number| world.add(spec(&format!("f{number}"), "a")))
        .collect();
    for id in ids {
        world.call(id);
    }
    // From 91 % to 85 %: 600 MB of instances of 64 MB.
    assert_eq!(press(&mut world, 91).len(), 10);
    // Control: below the mark nothing is given up.
    assert_eq!(press(&mut world, 89).len(), 0);
}

#[test]
fn decisions_explain_themselves() {
    let mut world = World::new(policy(), LIMIT);
    let id = with_everything(&mut world, "clones");
    press(&mut world, 99);
    let decision = world.core.explain(world.now, id).unwrap();
    let text = serde_json::to_string(&decision).unwrap();
    for figure in [
        "\"name\":\"clones\"",
        "\"pressure\":\"critical\"",
        "\"freed_bytes\"",
        "\"state\":\"replacing\"",
    ] {
        assert!(text.contains(figure), "{figure} in {text}");
    }
    assert!(decision.actions.len() >= 3 && decision.actions.len() <= 8);
    world.core.remove(id);
    assert!(world.core.explain(world.now, id).is_none());
    assert!(
        world
            .live(MINUTE_US)
            .iter()
            .all(|action| action.deed.function() != Some(id))
    );
}

/// How many functions that start for the first time are let in at once, in room for ten of 512 MB.
fn first_starts(memory_bytes: Option<u64>) -> usize {
    let mut world = World::new(policy(), 5120 * MB);
    let ids: Vec<_> = (0..100)
        .map(|number| {
            world.add(FunctionSpec {
                memory_bytes,
                ..spec(&format!("f{number}"), "a")
            })
        })
        .collect();
    let mut actions = Vec::new();
    let tickets: Vec<_> = ids
        .iter()
        .map(|id| world.core.admit(world.now, *id, &mut actions))
        .collect();
    tickets.iter().filter(|ticket| ticket.is_ok()).count()
}

#[test]
fn first_starts_are_counted_at_their_limit() {
    assert_eq!(first_starts(Some(512 * MB)), 10);
    // Control: without one they are taken for small.
    assert_eq!(first_starts(None), 80);
}

#[test]
fn first_starts_are_counted_as_what_others_turned_out_to_use() {
    let mut world = World::new(policy(), 5120 * MB);
    let mut add = |number: u32| {
        world.add(FunctionSpec {
            memory_bytes: Some(512 * MB),
            ..spec(&format!("f{number}"), "a")
        })
    };
    let ids: Vec<_> = (0..100).map(&mut add).collect();
    let mut actions = Vec::new();
    let mut admitted = 0;
    let mut busy = Vec::new();
    for id in &ids {
        let Ok(mut ticket) = world.core.admit(world.now, *id, &mut actions) else {
            continue;
        };
        admitted += 1;
        let started = Started {
            rung: Rung::Cold,
            latency_us: 400_000,
            private_bytes: Some(51 * MB),
        };
        world.core.started(world.now, &mut ticket, started);
        busy.push(ticket);
    }
    // All are at work: 5120 MB hold a hundred of what they use.
    assert!((90..=100).contains(&admitted), "{admitted}");
}

#[test]
fn nothing_is_given_up_for_an_event_that_does_not_fit_even_so() {
    let admitted = |at_work: bool| {
        let mut world = World::new(policy(), 600 * MB);
        let (idle, busy) = (world.add(spec("idle", "a")), world.add(spec("busy", "a")));
        world.call(idle);
        if at_work {
            world.begin(busy).unwrap();
        }
        let large = FunctionSpec {
            memory_bytes: Some(580 * MB),
            ..spec("large", "a")
        };
        let large = world.add(large);
        let mut actions = Vec::new();
        let ticket = world.core.admit(world.now, large, &mut actions);
        (ticket.is_ok(), actions.len())
    };
    assert_eq!(admitted(true), (false, 0));
    // Control: where it fits in its place, the idle one goes.
    assert_eq!(admitted(false), (true, 1));
}

#[test]
fn what_is_taken_for_more_than_there_is_is_let_in_alone() {
    let mut world = World::new(policy(), 31 * MB);
    let large = |name: &str| FunctionSpec {
        memory_bytes: Some(128 * MB),
        ..spec(name, "a")
    };
    let (one, other) = (world.add(large("one")), world.add(large("other")));
    assert_eq!(world.begin(one), Ok(Rung::Cold));
    let refused = world.begin(other);
    assert!(
        matches!(refused, Err(Refusal::Memory { .. })),
        "{refused:?}"
    );
    world.end();
    assert_eq!(world.begin(other), Ok(Rung::Cold));
    assert!(world.slots[&one].idle.is_empty(), "it gave its memory up");
}
