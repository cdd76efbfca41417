//! Events against a real queue and a runner that does as it is told.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use offshoot_events::{Destination, Events, EventsConfig, NewEvent, Policy, Ran, Runner};
use offshoot_state::{Event, Queue, StateDir};
use tokio_util::sync::CancellationToken;

/// Answers as the event's payload says, and remembers what ran.
#[derive(Clone, Default)]
struct Script {
    runs: Arc<Mutex<Vec<(String, String)>>>,
    policy: Policy,
}

impl Runner for Script {
    async fn run(&self, event: &Event) -> Ran {
        let mut runs = self.runs.lock().unwrap();
        runs.push((event.function.clone(), event.request_id.clone()));
        let earlier = runs
            .iter()
            .filter(|(_, id)| *id == event.request_id)
            .count();
        match &event.payload[..] {
            b"\"fail\"" => Ran::Failed {
                error_type: "ValueError".into(),
                response: Bytes::from_static(b"{}"),
                executed_version: "$LATEST".into(),
            },
            b"\"throttle once\"" if earlier == 1 => Ran::Refused {
                why: "throttled".into(),
            },
            b"\"gone\"" => Ran::Gone,
            _ => Ran::Succeeded {
                response: Bytes::from_static(b"1"),
                executed_version: "$LATEST".into(),
            },
        }
    }

    fn policy(&self, event: &Event) -> Policy {
        if event.function == "f" {
            self.policy.clone()
        } else {
            Policy::default()
        }
    }
}

struct Setup {
    _dir: tempfile::TempDir,
    _state: StateDir,
    queue: Arc<dyn Queue>,
    script: Script,
    events: Arc<Events<Script>>,
    stop: CancellationToken,
}

async fn setup(policy: Policy) -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path().join("state")).await.unwrap();
    let queue: Arc<dyn Queue> = Arc::new(state.queue());
    let script = Script {
        policy,
        ..Script::default()
    };
    let config = EventsConfig {
        parallel: 4,
        backoff: vec![Duration::from_millis(10)],
    };
    let events = Events::new(Arc::clone(&queue), script.clone(), config);
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(&events).run(stop.clone()));
    Setup {
        _dir: dir,
        _state: state,
        queue,
        script,
        events,
        stop,
    }
}

impl Setup {
    async fn accept(&self, id: &str, payload: &'static str) {
        let policy = &self.script.policy;
        let event = NewEvent {
            request_id: id.into(),
            function: "f".into(),
            qualifier: None,
            version: "$LATEST".into(),
            invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".into(),
            payload: Bytes::from_static(payload.as_bytes()),
            client_context: None,
            trace_id: None,
            max_attempts: policy.max_attempts,
            max_age_ms: policy.max_age_ms,
        };
        self.events.accept(event).await.unwrap();
    }

    /// Waits until nothing waits or runs.
    async fn settle(&self) {
        for _ in 0..400 {
            let depth = self.queue.depth().await.unwrap();
            if depth.waiting + depth.claimed == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the queue never emptied");
    }

    fn runs_of(&self, id: &str) -> usize {
        self.script
            .runs
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, run)| run == id)
            .count()
    }
}

#[tokio::test]
async fn a_success_runs_once_and_leaves_nothing() {
    let setup = setup(Policy::default()).await;
    setup.accept("a", "{}").await;
    setup.settle().await;
    assert_eq!(setup.runs_of("a"), 1);
    assert_eq!(setup.queue.depth().await.unwrap().dead, 0);
    setup.stop.cancel();
}

#[tokio::test]
async fn a_failure_is_retried_twice_with_its_id_and_then_buried() {
    let setup = setup(Policy::default()).await;
    setup.accept("a", "\"fail\"").await;
    setup.settle().await;
    assert_eq!(setup.runs_of("a"), 3);
    let dead = setup.queue.dead_letters(Some("f"), 10, None).await.unwrap();
    assert_eq!(dead.letters.len(), 1);
    assert_eq!(
        (
            dead.letters[0].request_id.as_str(),
            dead.letters[0].why.as_str()
        ),
        ("a", "RetriesExhausted")
    );
}

#[tokio::test]
async fn a_throttle_is_put_off_and_does_not_count() {
    let setup = setup(Policy {
        max_attempts: 1,
        ..Policy::default()
    })
    .await;
    setup.accept("a", "\"throttle once\"").await;
    setup.settle().await;
    assert_eq!(setup.runs_of("a"), 2);
    assert_eq!(setup.queue.depth().await.unwrap().dead, 0);
}

#[tokio::test]
async fn an_event_that_was_given_up_goes_to_its_destination() {
    let destination = Destination {
        function: "rescue".into(),
        qualifier: None,
        arn: "arn:aws:lambda:us-east-1:000000000000:function:rescue".into(),
    };
    let setup = setup(Policy {
        max_attempts: 1,
        on_failure: Some(destination),
        ..Policy::default()
    })
    .await;
    setup.accept("a", "\"fail\"").await;
    setup.settle().await;
    let runs = setup.script.runs.lock().unwrap().clone();
    assert_eq!(
        runs.iter()
            .filter(|(function, _)| function == "rescue")
            .count(),
        1
    );
    assert_eq!(setup.queue.depth().await.unwrap().dead, 0);
}

#[tokio::test]
async fn an_event_that_is_too_old_never_runs() {
    let setup = setup(Policy {
        max_age_ms: -1,
        ..Policy::default()
    })
    .await;
    setup.accept("a", "{}").await;
    setup.settle().await;
    assert_eq!(setup.runs_of("a"), 0);
    let dead = setup.queue.dead_letters(None, 10, None).await.unwrap();
    assert_eq!(dead.letters[0].why, "EventAgeExceeded");
}

#[tokio::test]
async fn an_event_of_a_deleted_function_is_buried() {
    let setup = setup(Policy::default()).await;
    setup.accept("a", "\"gone\"").await;
    setup.settle().await;
    assert_eq!(setup.queue.depth().await.unwrap().dead, 1);
}
