//! Functions whose instances have several events at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use offshoot_porter::{InvokeError, Porter, PorterConfig, Target, ThrottleReason};
use tokio::task::JoinHandle;

use crate::node::{COLD_BYTES, FakeNode, crowded, invoke, invoke_with, porter, settled, target};

type Answer = Result<String, InvokeError>;

fn node() -> FakeNode {
    FakeNode {
        handler_ms: 100,
        ..FakeNode::default()
    }
}

/// Begins an event in a task of its own.
fn begin(
    porter: &Arc<Porter<FakeNode>>,
    target: &Arc<Target>,
    payload: &'static str,
) -> JoinHandle<Answer> {
    let (porter, target) = (Arc::clone(porter), Arc::clone(target));
    tokio::spawn(async move { invoke_with(&porter, &target, payload).await })
}

async fn all(events: Vec<JoinHandle<Answer>>) -> Vec<String> {
    let mut answers = Vec::new();
    for event in events {
        answers.push(event.await.unwrap().unwrap());
    }
    answers
}

async fn at_once(
    porter: &Arc<Porter<FakeNode>>,
    target: &Arc<Target>,
    count: usize,
) -> Vec<String> {
    all((0..count).map(|_| begin(porter, target, "{}")).collect()).await
}

/// Events that have begun have got so far that they have an instance.
async fn until_inside(node: &FakeNode, events: u32) {
    node.until(|node| node.inside.lock().unwrap().values().sum::<u32>() == events)
        .await;
}

#[tokio::test(start_paused = true)]
async fn eight_events_at_once_in_a_cold_function_make_one_instance() {
    let (node, porter) = porter(node(), PorterConfig::default());
    let target = crowded("f", 8, None);
    assert_eq!(at_once(&porter, &target, 8).await, ["0"; 8]);
    assert_eq!(node.calls("create"), 1);
    assert_eq!(node.most_inside.load(Ordering::SeqCst), 8);
    assert_eq!(porter.instances(), (1, 0));
    assert_eq!(at_once(&porter, &target, 8).await, ["0"; 8]);
}

#[tokio::test(start_paused = true)]
async fn without_being_asked_for_it_nothing_is_shared() {
    let (node, porter) = porter(node(), PorterConfig::default());
    let answers = at_once(&porter, &target("f", "r", None), 8).await;
    assert_eq!(answers.len(), 8);
    assert_eq!(node.calls("create"), 8);
    assert_eq!(node.most_inside.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_instance_with_room_comes_before_an_idle_one_and_a_full_one_does_not() {
    let (node, porter) = porter(node(), PorterConfig::default());
    let target = crowded("f", 2, None);
    let mut answers = at_once(&porter, &target, 3).await;
    answers.sort();
    answers.dedup();
    assert_eq!(answers, ["0", "1"]);
    assert_eq!(porter.instances(), (2, 0));
    let answers = at_once(&porter, &target, 2).await;
    assert_eq!(answers[0], answers[1], "the other one stays idle");
    assert_eq!(node.calls("create"), 2);
    assert_eq!(node.most_inside.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_ends_with_one_event_takes_no_more_and_lets_the_others_finish() {
    let (node, porter) = porter(node(), PorterConfig::default());
    let target = crowded("f", 8, None);
    let long = begin(&porter, &target, "\"long\"");
    until_inside(&node, 1).await;
    invoke_with(&porter, &target, "\"exit\"").await.unwrap();
    assert_eq!(invoke(&porter, &target).await.unwrap(), "1");
    assert_eq!(porter.instances(), (1, 1));
    assert_eq!(long.await.unwrap().unwrap(), "0");
    assert_eq!(porter.instances(), (1, 0));
    assert_eq!(porter.explain("f").unwrap().busy, 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_its_shared_instance_never_read_goes_to_another() {
    let (node, porter) = porter(node(), PorterConfig::default());
    let target = crowded("f", 8, None);
    let long = begin(&porter, &target, "\"long\"");
    until_inside(&node, 1).await;
    node.unread.store(true, Ordering::SeqCst);
    assert_eq!(invoke(&porter, &target).await.unwrap(), "1");
    assert_eq!(long.await.unwrap().unwrap(), "0");
    assert_eq!(porter.instances(), (1, 0), "the first one was ended");
    let it = porter.explain("f").unwrap();
    assert_eq!((it.idle, it.busy, it.idle_bytes), (1, 0, COLD_BYTES));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_has_died_takes_no_more_events() {
    let (node, porter) = porter(node(), PorterConfig::default());
    let target = crowded("f", 8, None);
    let long = begin(&porter, &target, "\"long\"");
    until_inside(&node, 1).await;
    node.dead.store(true, Ordering::SeqCst);
    assert_eq!(invoke(&porter, &target).await.unwrap(), "1");
    assert_eq!(long.await.unwrap().unwrap(), "0");
    settled(&porter, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_init_is_the_answer_of_all_events_that_waited_for_it() {
    let failing = FakeNode {
        init_fails: true,
        ..node()
    };
    let (_, porter) = porter(failing, PorterConfig::default());
    let answers = at_once(&porter, &crowded("f", 8, None), 8).await;
    assert_eq!(answers, ["ImportError"; 8]);
    assert_eq!(porter.instances(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn reserved_concurrency_counts_events() {
    let (node, porter) = porter(node(), PorterConfig::default());
    let target = crowded("f", 8, Some(2));
    let two = vec![begin(&porter, &target, "{}"), begin(&porter, &target, "{}")];
    until_inside(&node, 2).await;
    let refused = invoke(&porter, &target).await.unwrap_err();
    assert!(matches!(
        refused,
        InvokeError::Throttled(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
    ));
    assert_eq!(all(two).await, ["0"; 2]);
    assert_eq!(invoke(&porter, &target).await.unwrap(), "0");
}

#[tokio::test(start_paused = true)]
async fn a_change_ends_the_instance_when_its_last_event_has_left() {
    let (node, porter) = porter(node(), PorterConfig::default());
    let target = crowded("f", 8, None);
    let old = vec![
        begin(&porter, &target, "{}"),
        begin(&porter, &target, "\"long\""),
    ];
    until_inside(&node, 2).await;
    porter.retire_function(&"f".into(), None, None);
    assert_eq!(invoke(&porter, &target).await.unwrap(), "1");
    assert_eq!(all(old).await, ["0"; 2]);
    assert_eq!(porter.instances(), (1, 0));
    node.until(|node| node.calls("retire") == 1).await;
}

#[tokio::test(start_paused = true)]
async fn without_keep_alive_the_instance_ends_once_when_nobody_is_in_it() {
    let config = PorterConfig {
        keep_alive: Duration::ZERO,
        ..PorterConfig::default()
    };
    let (node, porter) = porter(node(), config);
    let target = crowded("f", 8, None);
    assert_eq!(at_once(&porter, &target, 8).await, ["0"; 8]);
    node.until(|node| node.calls("retire") == 1).await;
    assert_eq!(porter.instances(), (0, 0));
    assert_eq!(invoke(&porter, &target).await.unwrap(), "1");
}

/// A small generator, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_every_event_is_answered_and_no_instance_has_too_many() {
    for seed in 0..30 {
        let mut dice = Dice(seed);
        let most = 1 + dice.roll(4) as u32;
        let (node, porter) = porter(node(), PorterConfig::default());
        let target = crowded("f", most, None);
        let mut events = Vec::new();
        for _ in 0..60 {
            let payload = ["{}", "{}", "\"long\"", "\"exit\""][dice.roll(4) as usize];
            events.push(begin(&porter, &target, payload));
            match dice.roll(12) {
                0 => node.unread.store(true, Ordering::SeqCst),
                1 => node.dead.store(true, Ordering::SeqCst),
                2..6 => tokio::time::sleep(Duration::from_millis(dice.roll(150))).await,
                _ => {}
            }
        }
        assert_eq!(all(events).await.len(), 60, "seed {seed}");
        assert!(
            node.most_inside.load(Ordering::SeqCst) <= most,
            "seed {seed}"
        );
        let inside: BTreeMap<u32, u32> = node.inside.lock().unwrap().clone();
        assert!(inside.values().all(|events| *events == 0), "seed {seed}");
        let (idle, busy) = porter.instances();
        assert_eq!(busy, 0, "seed {seed}");
        let it = porter.explain("f").unwrap();
        assert_eq!((it.idle as usize, it.busy), (idle, 0), "seed {seed}");
    }
}
