//! What the core decides reaches the node, and what the node does reaches the core.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use offshoot_porter::{Decided, Porter, PorterConfig, SeedPolicy};

use crate::node::{COLD_BYTES, FakeNode, MB, driven, invoke, settled, target};

/// Seeds after the second event, and one clone parked.
fn config() -> PorterConfig {
    PorterConfig {
        seeds: SeedPolicy {
            after_events: 2,
            idle_after: None,
            ..SeedPolicy::default()
        },
        ..PorterConfig::default()
    }
}

/// Every action that takes work must have been asked of the node as often as it was decided: the difference.
fn differences(decided: &[Decided], log: &[(&str, String)]) -> Vec<String> {
    let verbs = [
        ("park", "park"),
        ("make_seed", "seed"),
        ("rotate_seed", "renew"),
        ("drop_template", "chill"),
    ];
    let mut found = Vec::new();
    for (action, verb) in verbs {
        let of_action = decided.iter().filter_map(|it| {
            let (name, count) = it.action.split_once(' ').unwrap_or((&it.action, "1"));
            (name == action).then(|| count.parse().unwrap_or(1))
        });
        let decided: usize = of_action.sum();
        let done = log.iter().filter(|(done, _)| *done == verb).count();
        if decided != done {
            found.push(format!("{action}: decided {decided}, done {done}"));
        }
    }
    let warmed = decided.iter().filter(|it| {
        it.action.starts_with("make_template") || it.action.starts_with("replace_template")
    });
    let (warmed, done) = (
        warmed.count(),
        log.iter().filter(|(done, _)| *done == "warm").count(),
    );
    if warmed != done {
        found.push(format!("templates: decided {warmed}, done {done}"));
    }
    found
}

#[tokio::test]
async fn every_action_reaches_the_node() {
    let config = PorterConfig {
        keep_alive: Duration::ZERO,
        seeds: SeedPolicy {
            rotate_clones: 3,
            ..config().seeds
        },
        ..config()
    };
    let (node, porter) = driven(FakeNode::default(), config);
    let target = target("f", "r", None);
    for _ in 0..1000 {
        if node.calls("renew") > 0 && node.calls("park") > 0 {
            break;
        }
        invoke(&porter, &target).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(node.calls("renew") > 0, "{:?}", node.log());
    let agree = |_: &FakeNode| differences(&porter.decisions(0), &node.log()).is_empty();
    node.until(agree).await;
    // Control: an action that is dropped on its way is seen.
    let mut log = node.log();
    let parked = log.iter().position(|(verb, _)| *verb == "park").unwrap();
    log.remove(parked);
    assert_eq!(differences(&porter.decisions(0), &log).len(), 1);
}

#[tokio::test]
async fn instances_end_when_the_core_needs_their_memory() {
    let node = FakeNode::default();
    node.limit_mb.store(1000, Ordering::SeqCst);
    let (node, porter) = driven(node, config());
    for name in ["one", "two", "three"] {
        invoke(&porter, &target(name, "r", None)).await.unwrap();
    }
    settled(&porter, 3).await;
    node.used_mb.store(950, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // The core looks because something has happened.
    invoke(&porter, &target("three", "r", None)).await.unwrap();
    node.until(|node| node.calls("retire") > 0).await;
    let decided = porter.decisions(0);
    let retired = decided
        .iter()
        .find(|it| it.action.starts_with("retire_idle"));
    let why = &retired.unwrap().why;
    assert!(why.contains("are used") || why.contains("capped"), "{why}");
}

/// A function with a template, on a machine that then has too little memory for all of that; whether mapping fails.
async fn short_of_memory(mapping_fails: bool) -> (Arc<FakeNode>, Arc<Porter<FakeNode>>) {
    let node = FakeNode {
        mapping_fails,
        ..FakeNode::default()
    };
    let config = PorterConfig {
        keep_alive: Duration::ZERO,
        ..config()
    };
    let (node, porter) = driven(node, config);
    let target = target("f", "r", None);
    for _ in 0..2 {
        invoke(&porter, &target).await.unwrap();
    }
    node.until(|node| node.calls("park") > 0).await;
    settled(&porter, 1).await;
    // With the template 145 MiB: above 90 %, and below 85 % without the parked clone and three quarters of the template.
    node.limit_mb.store(160, Ordering::SeqCst);
    node.used_mb.store(129, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // The core looks because something has happened.
    invoke(&porter, &target).await.unwrap();
    node.until(|node| node.calls("warm") > 0).await;
    (node, porter)
}

#[tokio::test]
async fn a_template_is_mapped_when_memory_gets_short() {
    let (node, porter) = short_of_memory(false).await;
    let is_mapped = |porter: &Porter<FakeNode>| {
        let template = porter.explain("f").unwrap().template;
        format!("{template:?}").contains("Resident { backing: Mapped")
    };
    node.until(|_| is_mapped(&porter)).await;
    assert_eq!((node.calls("warm"), node.calls("chill")), (1, 0));
}

#[tokio::test]
async fn a_template_that_cannot_be_mapped_ends_when_memory_stays_short() {
    let (node, porter) = short_of_memory(true).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    invoke(&porter, &target("f", "r", None)).await.unwrap();
    node.until(|node| node.calls("chill") > 0).await;
    assert_eq!(node.calls("warm"), 1);
}

#[tokio::test]
async fn an_event_waits_for_memory_that_was_only_assumed_to_be_needed() {
    let node = FakeNode {
        handler_ms: 50,
        ..FakeNode::default()
    };
    // One instance of 128 MiB fits, or three of what they really use.
    node.limit_mb.store(160, Ordering::SeqCst);
    let seedless = PorterConfig {
        seeds: SeedPolicy {
            after_events: 0,
            ..SeedPolicy::default()
        },
        ..PorterConfig::default()
    };
    let (node, porter) = driven(node, seedless);
    let target = target("f", "r", None);
    let calls = (0..3).map(|_| {
        let (porter, target) = (Arc::clone(&porter), Arc::clone(&target));
        tokio::spawn(async move { invoke(&porter, &target).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert!(node.calls("create") >= 1);
    assert_eq!(porter.explain("f").unwrap().used_bytes % COLD_BYTES, 0);
}

/// Events that waited for memory woke each other whenever one of them had looked: two of them kept a processor busy.
#[tokio::test]
async fn events_that_wait_for_memory_leave_each_other_asleep() {
    let node = FakeNode::default();
    node.limit_mb.store(100, Ordering::SeqCst);
    let (node, porter) = driven(node, PorterConfig::default());
    let looks = Arc::new(AtomicU32::new(0));
    let calls = ["one", "two", "three"].map(|name| {
        let (porter, looks) = (Arc::clone(&porter), Arc::clone(&looks));
        tokio::spawn(async move {
            let target = target(name, "r", None);
            let mut call = std::pin::pin!(invoke(&porter, &target));
            std::future::poll_fn(|context| {
                looks.fetch_add(1, Ordering::SeqCst);
                call.as_mut().poll(context)
            })
            .await
        })
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    node.limit_mb.store(1000, Ordering::SeqCst);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let looks = looks.load(Ordering::SeqCst);
    assert!(looks < 100, "{looks}");
}

#[tokio::test]
async fn an_image_of_an_earlier_daemon_counts_from_the_first_event_on() {
    let node = FakeNode::default();
    // A clone and its template fit, an instance that starts cold does not.
    node.limit_mb.store(100, Ordering::SeqCst);
    node.inherit_seed("f");
    let (node, porter) = driven(node, config());
    invoke(&porter, &target("f", "r", None)).await.unwrap();
    assert_eq!(node.calls("create"), 0);
    let decision = porter.explain("f").unwrap();
    assert!(format!("{:?}", decision.seed).contains("Ready"));
}

#[tokio::test]
async fn a_seed_is_made_early_while_the_machine_is_idle() {
    let early = PorterConfig {
        seeds: SeedPolicy {
            after_events: 16,
            idle_after: Some(1),
            ..SeedPolicy::default()
        },
        ..PorterConfig::default()
    };
    let (node, porter) = driven(FakeNode::default(), early.clone());
    invoke(&porter, &target("f", "r", None)).await.unwrap();
    node.until(|node| node.has_template("f")).await;
    // Control: not while it is busy.
    let (node, porter) = driven(FakeNode::default(), early);
    node.is_busy.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..3 {
        invoke(&porter, &target("f", "r", None)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(node.calls("seed"), 0);
}

#[tokio::test]
async fn a_version_that_is_expected_gets_its_seed_before_its_first_event() {
    let config = PorterConfig {
        seeds: SeedPolicy {
            idle_after: Some(0),
            ..SeedPolicy::default()
        },
        ..PorterConfig::default()
    };
    let (node, porter) = driven(FakeNode::default(), config);
    porter.expect(&target("f", "r", None));
    node.until(|node| node.has_template("f")).await;
    invoke(&porter, &target("f", "r", None)).await.unwrap();
    assert_eq!(node.calls("create"), 0);
}

#[tokio::test]
async fn whoever_prepares_a_version_is_told_whether_there_is_a_seed() {
    for fails in [false, true] {
        let (node, porter) = driven(FakeNode::default(), config());
        node.seed_fails.store(fails, Ordering::SeqCst);
        let (told, answer) = tokio::sync::oneshot::channel();
        porter.prepare(target("f", "r", None), |is_there| {
            told.send(is_there).unwrap();
        });
        assert_eq!(answer.await.unwrap(), !fails);
    }
}

#[tokio::test]
async fn a_seed_that_has_gone_is_forgotten() {
    let (node, porter) = driven(
        FakeNode::default(),
        PorterConfig {
            keep_alive: Duration::ZERO,
            ..config()
        },
    );
    let target = target("f", "r", None);
    for _ in 0..2 {
        invoke(&porter, &target).await.unwrap();
    }
    node.until(|node| node.calls("park") > 0).await;
    settled(&porter, 1).await;
    node.lose_seed("f");
    // The parked one, then none.
    for _ in 0..2 {
        invoke(&porter, &target).await.unwrap();
    }
    let decision = porter.explain("f").unwrap();
    assert_eq!(format!("{:?}", decision.seed), "Absent");
    assert_eq!(format!("{:?}", decision.template), "None");
}

#[tokio::test]
async fn explain_tells_the_ladder_of_a_version() {
    let (node, porter) = driven(FakeNode::default(), config());
    assert!(porter.explain("f").is_none());
    let target = target("f", "r", None);
    for _ in 0..2 {
        invoke(&porter, &target).await.unwrap();
    }
    node.until(|node| node.calls("park") > 0).await;
    settled(&porter, 2).await;
    let decision = porter.explain("f").unwrap();
    assert_eq!((decision.idle, decision.parked), (1, 1));
    assert_eq!(decision.idle_bytes, COLD_BYTES);
    assert_eq!(decision.invocations, 2);
    assert!(format!("{:?}", decision.template).contains(&(16 * MB).to_string()));
    let actions: Vec<_> = porter
        .decisions(0)
        .into_iter()
        .map(|it| it.action)
        .collect();
    assert_eq!(actions[..2], ["make_seed", "park 1"]);
    assert!(porter.explain("f:7").is_none());
}

#[tokio::test]
async fn what_an_earlier_daemon_had_at_hand_is_made_again_and_stays_on_the_list() {
    let node = FakeNode::default();
    node.inherit_seed("f");
    let (node, porter) = driven(node, config());
    let target = target("f", "r", None);
    porter.recall(&target);
    // Also while it is on its way: the daemon may be killed now.
    let listed = [("f".into(), Arc::clone(&target.spec.version))];
    assert_eq!(porter.resident(), listed);
    node.until(|node| node.has_template("f")).await;
    assert_eq!(porter.resident(), listed);
    assert_eq!((node.calls("warm"), node.calls("park")), (1, 0));
    invoke(&porter, &target).await.unwrap();
    assert_eq!((node.calls("warm"), node.calls("create")), (1, 0));
}
