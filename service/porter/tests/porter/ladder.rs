//! The ladder: which instance an event gets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use offshoot_decide::SeedState;
use offshoot_node::Rung;
use offshoot_porter::{InvokeError, KindHistory, PorterConfig, SeedPolicy, ThrottleReason};

use crate::node::{CLONE, FakeNode, PARKED, driven, invoke, invoke_with, porter, settled, target};

#[tokio::test]
async fn the_second_event_goes_to_the_hot_instance() {
    let (node, porter) = porter(FakeNode::default(), PorterConfig::default());
    let target = target("f", "r", None);
    assert_eq!(invoke(&porter, &target).await.unwrap(), "0");
    assert_eq!(invoke(&porter, &target).await.unwrap(), "0");
    assert_eq!(node.calls("create"), 1);
    assert_eq!(porter.instances(), (1, 0));
}

#[tokio::test]
async fn a_new_revision_gets_a_new_instance_and_the_old_one_ends() {
    let (node, porter) = porter(FakeNode::default(), PorterConfig::default());
    invoke(&porter, &target("f", "old", None)).await.unwrap();
    porter.retire_function(&"f".into(), None, None);
    assert_eq!(
        invoke(&porter, &target("f", "new", None)).await.unwrap(),
        "1"
    );
    assert_eq!(porter.instances(), (1, 0), "the old one is not kept");
    porter.drain(Duration::from_secs(5)).await;
    assert_eq!(node.calls("retire"), 2);
}

#[tokio::test]
async fn an_instance_that_died_while_idle_is_replaced_without_an_error() {
    let (node, porter) = porter(FakeNode::default(), PorterConfig::default());
    let target = target("f", "r", None);
    invoke(&porter, &target).await.unwrap();
    node.dead.store(true, Ordering::SeqCst);
    assert_eq!(invoke(&porter, &target).await.unwrap(), "1");
}

#[tokio::test]
async fn an_event_that_its_instance_never_read_goes_to_another() {
    let (node, porter) = porter(FakeNode::default(), PorterConfig::default());
    let target = target("f", "r", None);
    invoke(&porter, &target).await.unwrap();
    node.unread.store(true, Ordering::SeqCst);
    assert_eq!(invoke(&porter, &target).await.unwrap(), "1");
    assert_eq!(porter.instances(), (1, 0));
}

#[tokio::test]
async fn an_instance_that_ends_with_its_event_is_not_kept() {
    let (_, porter) = porter(FakeNode::default(), PorterConfig::default());
    invoke_with(&porter, &target("f", "r", None), "\"exit\"")
        .await
        .unwrap();
    assert_eq!(porter.instances(), (0, 0));
}

#[tokio::test]
async fn reserved_concurrency_throttles_with_its_own_reason() {
    let node = FakeNode {
        handler_ms: 1000,
        ..FakeNode::default()
    };
    let (node, porter) = porter(node, PorterConfig::default());
    let target = target("f", "r", Some(1));
    let first = {
        let (p, t) = (Arc::clone(&porter), Arc::clone(&target));
        tokio::spawn(async move { invoke(&p, &t).await })
    };
    node.until(|node| node.calls("create") > 0).await;
    let refused = invoke(&porter, &target).await.unwrap_err();
    assert!(matches!(
        refused,
        InvokeError::Throttled(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
    ));
    first.await.unwrap().unwrap();
    invoke(&porter, &target).await.unwrap();
}

#[tokio::test]
async fn a_full_node_ends_the_longest_idle_instance_of_another_function() {
    let config = PorterConfig {
        max_instances: 1,
        ..PorterConfig::default()
    };
    let (node, porter) = porter(FakeNode::default(), config);
    invoke(&porter, &target("one", "r", None)).await.unwrap();
    invoke(&porter, &target("two", "s", None)).await.unwrap();
    assert_eq!(porter.instances(), (1, 0));
    porter.drain(Duration::from_secs(5)).await;
    assert_eq!(node.calls("retire"), 2);
}

#[tokio::test]
async fn a_failed_init_is_the_functions_answer_and_leaves_no_instance() {
    let node = FakeNode {
        init_fails: true,
        ..FakeNode::default()
    };
    let (_, porter) = porter(node, PorterConfig::default());
    assert_eq!(
        invoke(&porter, &target("f", "r", None)).await.unwrap(),
        "ImportError"
    );
    assert_eq!(porter.instances(), (0, 0));
}

#[tokio::test]
async fn keep_alive_ends_what_was_idle_for_too_long() {
    let config = PorterConfig {
        keep_alive: Duration::from_millis(50),
        seeds: SeedPolicy {
            idle_after: None,
            ..SeedPolicy::default()
        },
        ..PorterConfig::default()
    };
    let (node, porter) = driven(FakeNode::default(), config);
    invoke(&porter, &target("f", "r", None)).await.unwrap();
    settled(&porter, 0).await;
    assert_eq!(node.calls("retire"), 1);
}

#[tokio::test]
async fn the_invocation_goes_on_when_its_caller_goes() {
    let node = FakeNode {
        handler_ms: 100,
        ..FakeNode::default()
    };
    let (_, porter) = porter(node, PorterConfig::default());
    let target = target("f", "r", None);
    let caller = {
        let (p, t) = (Arc::clone(&porter), Arc::clone(&target));
        tokio::spawn(async move { invoke(&p, &t).await })
    };
    tokio::time::sleep(Duration::from_millis(20)).await;
    caller.abort();
    assert!(
        porter.drain(Duration::from_secs(5)).await,
        "the invocation was not waited for"
    );
    assert!(matches!(
        invoke(&porter, &target).await,
        Err(InvokeError::ShuttingDown)
    ));
}

/// Seeds after the second event, and keeps `parked` clones of it.
fn seeding(parked: u32) -> PorterConfig {
    PorterConfig {
        keep_alive: Duration::ZERO,
        seeds: SeedPolicy {
            after_events: 2,
            idle_after: None,
            parked,
            ..SeedPolicy::default()
        },
        ..PorterConfig::default()
    }
}

#[tokio::test]
async fn a_seed_is_made_once_and_events_go_to_its_clones() {
    let (node, porter) = driven(FakeNode::default(), seeding(0));
    let target = target("f", "r", None);
    for wanted in ["0", "1"] {
        assert_eq!(invoke(&porter, &target).await.unwrap(), wanted);
    }
    node.until(|node| node.has_template("f")).await;
    for wanted in [CLONE, CLONE + 1] {
        assert_eq!(invoke(&porter, &target).await.unwrap(), wanted.to_string());
    }
    assert_eq!(node.calls("seed"), 1);
    assert_eq!(node.calls("create"), 2);
}

#[tokio::test]
async fn a_parked_clone_comes_before_a_new_one_and_is_replaced() {
    let (node, porter) = driven(FakeNode::default(), seeding(1));
    let target = target("f", "r", None);
    for _ in 0..2 {
        invoke(&porter, &target).await.unwrap();
    }
    settled(&porter, 1).await;
    assert_eq!(invoke(&porter, &target).await.unwrap(), PARKED.to_string());
    porter.drain(Duration::from_secs(5)).await;
    assert_eq!(
        node.calls("park"),
        node.calls("fork"),
        "every clone was parked"
    );
    assert_eq!(node.calls("retire"), 2 + node.calls("park"));
}

#[tokio::test]
async fn a_failing_clone_costs_a_cold_start_and_no_error() {
    let node = FakeNode {
        fork_fails: true,
        ..FakeNode::default()
    };
    node.give_seed("f");
    let (_, porter) = driven(node, seeding(0));
    assert_eq!(invoke(&porter, &target("f", "r", None)).await.unwrap(), "0");
}

#[tokio::test]
async fn parked_clones_and_seeds_of_a_changed_function_end() {
    let (node, porter) = driven(FakeNode::default(), seeding(1));
    let target = target("f", "r", None);
    for _ in 0..2 {
        invoke(&porter, &target).await.unwrap();
    }
    settled(&porter, 1).await;
    porter.retire_function(&"f".into(), None, None);
    settled(&porter, 0).await;
    porter.drain(Duration::from_secs(5)).await;
    assert!(!node.has_template("f"));
}

#[tokio::test]
async fn a_seed_that_outlives_a_change_is_known_of_by_its_first_clone() {
    let (node, porter) = driven(FakeNode::default(), seeding(1));
    for _ in 0..2 {
        invoke(&porter, &target("f", "old", None)).await.unwrap();
    }
    node.until(|node| node.has_template("f")).await;
    let new = target("f", "new", None);
    let latest = Some("$LATEST".into());
    porter.retire_function(&"f".into(), latest, Some(Arc::clone(&new.spec)));
    node.until(|node| node.calls("forget") == 1).await;
    let made = node.calls("seed");
    let first: u32 = invoke(&porter, &new).await.unwrap().parse().unwrap();
    assert!(first >= CLONE, "no instance of before, and no cold one");
    node.until(|_| porter.explain("f").unwrap().seed != SeedState::Absent)
        .await;
    assert_eq!(node.calls("seed"), made, "it is not made again");
}

#[tokio::test]
async fn starts_are_counted_and_the_latest_are_kept_until_the_function_goes() {
    let (_node, porter) = porter(FakeNode::default(), PorterConfig::default());
    let one = target("f", "r", None);
    for _ in 0..40 {
        invoke(&porter, &one).await.unwrap();
    }
    // A change of the function is another target, and the same history.
    invoke(&porter, &target("f", "other", None)).await.unwrap();
    invoke(&porter, &target("g", "r", None)).await.unwrap();
    let history = porter.starts().of("f").unwrap();
    let [hot, cold] = &history.kinds[..] else {
        panic!("{history:?}");
    };
    let kept =
        |kind: &KindHistory| -> Vec<u64> { kind.recent.iter().map(|start| start.number).collect() };
    assert_eq!((cold.rung, cold.latency_us.len()), (Rung::Cold, 2));
    assert_eq!(kept(cold), [1, 41]);
    // Of hot ones, one of sixteen.
    assert_eq!((hot.rung, hot.latency_us.len()), (Rung::Hot, 39));
    assert_eq!(kept(hot), [2, 18, 34]);
    let (latest, all) = porter.starts().latest(1);
    assert_eq!((latest.len(), all), (1, 2));
    porter.retire_function(&"f".into(), Some("1".into()), None);
    assert!(porter.starts().of("f").is_some(), "only a version went");
    porter.retire_function(&"f".into(), None, None);
    assert!(porter.starts().of("f").is_none());
}

/// How many instances eight events get that come at once, each of which takes 10 ms, with two processors.
async fn instances_of_a_burst(is_busy: bool) -> u32 {
    let node = FakeNode {
        handler_ms: 10,
        ..FakeNode::default()
    };
    node.is_busy.store(is_busy, Ordering::SeqCst);
    let config = PorterConfig {
        processors: 2,
        ..PorterConfig::default()
    };
    let (node, porter) = porter(node, config);
    let target = target("f", "r", None);
    let calls = (0..8).map(|_| {
        let (porter, target) = (Arc::clone(&porter), Arc::clone(&target));
        tokio::spawn(async move { invoke(&porter, &target).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    node.calls("create")
}

/// An instance that would wait for a processor serves nobody sooner than the one that has it.
#[tokio::test(start_paused = true)]
async fn a_burst_gets_as_many_instances_as_there_are_processors_while_they_are_busy() {
    assert_eq!(instances_of_a_burst(true).await, 2);
    assert!(instances_of_a_burst(false).await > 4);
}

#[tokio::test(start_paused = true)]
async fn inits_wait_for_each_other_and_no_clone_waits_for_them() {
    let node = FakeNode {
        init_ms: 10_000,
        ..FakeNode::default()
    };
    node.give_seed("seeded");
    let config = PorterConfig {
        cold_starts: 1,
        ..PorterConfig::default()
    };
    let (node, porter) = porter(node, config);
    let mut calls = Vec::new();
    for function in ["many", "many", "many", "one"] {
        let (porter, target) = (Arc::clone(&porter), target(function, "r", None));
        calls.push(tokio::spawn(async move { invoke(&porter, &target).await }));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let begun = tokio::time::Instant::now();
    let clone = invoke(&porter, &target("seeded", "r", None)).await.unwrap();
    assert_eq!(clone, CLONE.to_string());
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(node.calls("create"), 1);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let created: Vec<_> = node
        .log()
        .into_iter()
        .filter(|(verb, _)| *verb == "create")
        .map(|(_, function)| function)
        .collect();
    // The others of the many have the instance that has become idle meanwhile.
    assert_eq!(created, ["many", "one"]);
}
