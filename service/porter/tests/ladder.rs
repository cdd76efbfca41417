//! The porter against a simulated node.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use offshoot_node::{
    Activated, Answer, CreateFailure, Event, Failure, Fri, InstanceSpec, LogFormat, NodeError,
    Outcome, Reply, Rung, Runtime, Seeding, Stages,
};
use offshoot_porter::{InvokeError, Porter, PorterConfig, SeedPolicy, Target, ThrottleReason};

/// Counts what the porter asks for; an instance is its number.
#[derive(Default)]
struct FakeNode {
    created: AtomicU32,
    retired: AtomicU32,
    handler_ms: u64,
    dead: AtomicBool,
    unread: AtomicBool,
    init_fails: bool,
    forked: AtomicU32,
    seedings: AtomicU32,
    seeded: AtomicBool,
    fork_fails: bool,
}

/// What numbers of clones begin with.
const CLONE: u32 = 1000;
const PARKED: u32 = 2000;

impl Fri for FakeNode {
    type Instance = u32;

    async fn create(&self, _spec: Arc<InstanceSpec>) -> Result<u32, CreateFailure> {
        if self.init_fails {
            let body = Bytes::from_static(br#"{"errorType":"ImportError"}"#);
            return Err(CreateFailure::Function(Failure::raised(body, None)));
        }
        Ok(self.created.fetch_add(1, Ordering::SeqCst))
    }

    async fn fork(&self, _: Arc<InstanceSpec>, parked: bool) -> Result<Option<u32>, NodeError> {
        if !self.seeded.load(Ordering::SeqCst) {
            return Ok(None);
        }
        if self.fork_fails {
            return Err(NodeError::ShutDown);
        }
        let number = self.forked.fetch_add(1, Ordering::SeqCst);
        Ok(Some(if parked { PARKED } else { CLONE } + number))
    }

    async fn seed(&self, _: Arc<InstanceSpec>) -> Result<Seeding, CreateFailure> {
        self.seedings.fetch_add(1, Ordering::SeqCst);
        self.seeded.store(true, Ordering::SeqCst);
        Ok(Seeding::Seeded)
    }

    async fn forget_seeds(&self, _: Arc<str>, _: Option<Arc<str>>) {
        self.seeded.store(false, Ordering::SeqCst);
    }

    async fn activate(&self, instance: u32, event: Event, _reply: Reply) -> Activated<u32> {
        tokio::time::sleep(Duration::from_millis(self.handler_ms)).await;
        let exits = &event.payload[..] == b"\"exit\"";
        let unread = self.unread.swap(false, Ordering::SeqCst);
        Activated {
            outcome: outcome(Answer::Response(instance.to_string().into())),
            instance: (!exits && !unread).then_some(instance),
            undelivered: unread,
        }
    }

    async fn retire(&self, _instance: u32) {
        self.retired.fetch_add(1, Ordering::SeqCst);
    }

    fn is_alive(&self, _instance: &u32) -> bool {
        !self.dead.swap(false, Ordering::SeqCst)
    }

    fn report_init_failure(&self, _: &InstanceSpec, _: &Event, failure: Failure) -> Outcome {
        outcome(Answer::Failure(failure))
    }
}

fn outcome(answer: Answer) -> Outcome {
    Outcome {
        answer,
        stages: Stages::default(),
        rung: Rung::Cold,
        duration: Duration::ZERO,
        log_tail: None,
        log: Default::default(),
    }
}

fn target(function: &str, revision: &str, reserved_concurrency: Option<u32>) -> Arc<Target> {
    let spec = InstanceSpec {
        function: function.into(),
        version: "$LATEST".into(),
        runtime: Runtime::Python311,
        handler: "app.handler".into(),
        env: BTreeMap::new(),
        memory_mb: 128,
        ephemeral_mb: 512,
        timeout: Duration::from_secs(3),
        task_dir: "/nowhere".into(),
        layer_dirs: Vec::new(),
        network: offshoot_node::NetworkPolicy::None,
        region: "us-east-1".into(),
        account_id: "000000000000".into(),
        log_format: LogFormat::Text,
    };
    Arc::new(Target::new(
        Arc::new(spec),
        revision.into(),
        reserved_concurrency,
    ))
}

fn event(payload: &'static str) -> Event {
    Event {
        request_id: "r".into(),
        payload: Bytes::from_static(payload.as_bytes()),
        invoked_arn: "arn".into(),
        trace_id: None,
        client_context: None,
        cognito_identity: None,
        tenant_id: None,
        wants_tail: false,
        queued: Duration::ZERO,
    }
}

async fn invoke(
    porter: &Arc<Porter<FakeNode>>,
    target: &Arc<Target>,
) -> Result<String, InvokeError> {
    invoke_with(porter, target, "{}").await
}

async fn invoke_with(
    porter: &Arc<Porter<FakeNode>>,
    target: &Arc<Target>,
    payload: &'static str,
) -> Result<String, InvokeError> {
    let outcome = porter
        .invoke(Arc::clone(target), event(payload), Reply::Whole)
        .await?;
    Ok(match outcome.answer {
        Answer::Response(body) => String::from_utf8(body.to_vec()).unwrap(),
        Answer::Streamed => "streamed".into(),
        Answer::Failure(failure) => failure.error_type,
    })
}

fn porter(node: FakeNode, config: PorterConfig) -> (Arc<FakeNode>, Arc<Porter<FakeNode>>) {
    let node = Arc::new(node);
    (Arc::clone(&node), Porter::new(node, config))
}

#[tokio::test]
async fn the_second_event_goes_to_the_hot_instance() {
    let (node, porter) = porter(FakeNode::default(), PorterConfig::default());
    let target = target("f", "r", None);
    assert_eq!(invoke(&porter, &target).await.unwrap(), "0");
    assert_eq!(invoke(&porter, &target).await.unwrap(), "0");
    assert_eq!(node.created.load(Ordering::SeqCst), 1);
    assert_eq!(porter.instances(), (1, 0));
}

#[tokio::test]
async fn a_new_revision_gets_a_new_instance_and_the_old_one_ends() {
    let (node, porter) = porter(FakeNode::default(), PorterConfig::default());
    invoke(&porter, &target("f", "old", None)).await.unwrap();
    porter.retire_function(&"f".into(), None);
    assert_eq!(
        invoke(&porter, &target("f", "new", None)).await.unwrap(),
        "1"
    );
    assert_eq!(porter.instances(), (1, 0), "the old one is not kept");
    porter.drain(Duration::from_secs(5)).await;
    assert_eq!(node.retired.load(Ordering::SeqCst), 2);
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
        handler_ms: 200,
        ..FakeNode::default()
    };
    let (_, porter) = porter(node, PorterConfig::default());
    let target = target("f", "r", Some(1));
    let first = {
        let (p, t) = (Arc::clone(&porter), Arc::clone(&target));
        tokio::spawn(async move { invoke(&p, &t).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
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
    assert_eq!(node.retired.load(Ordering::SeqCst), 2);
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
        ..PorterConfig::default()
    };
    let (node, porter) = porter(FakeNode::default(), config);
    let background = Arc::clone(&porter);
    let keeper = tokio::spawn(async move { background.keep_alive().await });
    invoke(&porter, &target("f", "r", None)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(node.retired.load(Ordering::SeqCst), 1);
    keeper.abort();
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
fn seeding(parked: usize) -> PorterConfig {
    PorterConfig {
        keep_alive: Duration::ZERO,
        seeds: SeedPolicy {
            after_events: 2,
            parked,
            ..SeedPolicy::default()
        },
        ..PorterConfig::default()
    }
}

/// Waits until the background has done what the last answer made it do.
async fn settled(porter: &Arc<Porter<FakeNode>>, alive: usize) {
    for _ in 0..100 {
        let (idle, busy) = porter.instances();
        if idle + busy == alive {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?} instances instead of {alive}", porter.instances());
}

#[tokio::test]
async fn a_seed_is_made_once_and_events_go_to_its_clones() {
    let (node, porter) = porter(FakeNode::default(), seeding(0));
    let target = target("f", "r", None);
    for wanted in ["0", "1"] {
        assert_eq!(invoke(&porter, &target).await.unwrap(), wanted);
    }
    while !node.seeded.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for wanted in [CLONE, CLONE + 1] {
        assert_eq!(invoke(&porter, &target).await.unwrap(), wanted.to_string());
    }
    assert_eq!(node.seedings.load(Ordering::SeqCst), 1);
    assert_eq!(node.created.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_parked_clone_comes_before_a_new_one_and_is_replaced() {
    let (node, porter) = porter(FakeNode::default(), seeding(1));
    let target = target("f", "r", None);
    for _ in 0..2 {
        invoke(&porter, &target).await.unwrap();
    }
    settled(&porter, 1).await;
    assert_eq!(invoke(&porter, &target).await.unwrap(), PARKED.to_string());
    porter.drain(Duration::from_secs(5)).await;
    let (forked, retired) = (&node.forked, &node.retired);
    assert_eq!(forked.load(Ordering::SeqCst), 1);
    assert_eq!(retired.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_failing_clone_costs_a_cold_start_and_no_error() {
    let node = FakeNode {
        fork_fails: true,
        seeded: AtomicBool::new(true),
        ..FakeNode::default()
    };
    let (_, porter) = porter(node, seeding(0));
    assert_eq!(invoke(&porter, &target("f", "r", None)).await.unwrap(), "0");
}

#[tokio::test]
async fn parked_clones_and_seeds_of_a_changed_function_end() {
    let (node, porter) = porter(FakeNode::default(), seeding(1));
    let target = target("f", "r", None);
    for _ in 0..2 {
        invoke(&porter, &target).await.unwrap();
    }
    settled(&porter, 1).await;
    porter.retire_function(&"f".into(), None);
    settled(&porter, 0).await;
    porter.drain(Duration::from_secs(5)).await;
    assert!(!node.seeded.load(Ordering::SeqCst));
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
    // The simulated node says "cold" of each.
    let [cold] = &history.kinds[..] else {
        panic!("{history:?}");
    };
    assert_eq!((cold.rung, cold.latency_us.len()), (Rung::Cold, 41));
    let kept: Vec<u64> = cold.recent.iter().map(|start| start.number).collect();
    assert_eq!(kept, (26..=41).collect::<Vec<_>>());
    let (latest, all) = porter.starts().latest(1);
    assert_eq!((latest.len(), all), (1, 2));
    porter.retire_function(&"f".into(), Some("1".into()));
    assert!(porter.starts().of("f").is_some(), "only a version went");
    porter.retire_function(&"f".into(), None);
    assert!(porter.starts().of("f").is_none());
}
