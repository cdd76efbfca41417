//! The porter's metrics, with OpenTelemetry's names for functions (semantic conventions, FaaS metrics).

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use offshoot_node::{Answer, FailureKind, NodeError, Outcome};

use crate::ThrottleReason;

/// The metrics of one function that each invocation touches, looked up once: by name it takes several strings and
/// locks.
#[derive(Debug)]
pub(crate) struct FunctionMetrics {
    function: Arc<str>,
    duration_s: Histogram,
    invocations: Counter,
}

impl FunctionMetrics {
    pub(crate) fn of(function: &Arc<str>) -> Self {
        let name = || function.to_string();
        Self {
            function: Arc::clone(function),
            duration_s: histogram!("faas_invoke_duration_seconds", "faas_name" => name()),
            invocations: counter!("faas_invocations_total", "faas_name" => name()),
        }
    }

    /// An event has been handled.
    pub(crate) fn handled(&self, outcome: &Outcome) {
        self.duration_s.record(outcome.duration.as_secs_f64());
        let name = || self.function.to_string();
        let rung = outcome.rung;
        counter!("offshoot_starts_total", "faas_name" => name(), "rung" => rung.name())
            .increment(1);
        if rung.is_initialised() {
            let init_us = outcome.stages.runtime_init_us + outcome.stages.user_init_us;
            counter!("faas_coldstarts_total", "faas_name" => name()).increment(1);
            histogram!("faas_init_duration_seconds", "faas_name" => name())
                .record(init_us as f64 / 1e6);
        }
        match &outcome.answer {
            Answer::Response(_) | Answer::Streamed => self.invocations.increment(1),
            Answer::Failure(failure) if failure.kind == FailureKind::TimedOut => {
                counter!("faas_timeouts_total", "faas_name" => name()).increment(1);
            }
            Answer::Failure(failure) => {
                counter!("faas_errors_total", "faas_name" => name(), "kind" => failure.kind.name())
                    .increment(1);
            }
        }
    }
}

/// An event has been refused.
pub(crate) fn throttled(function: &Arc<str>, reason: ThrottleReason) {
    let reason = format!("{reason:?}");
    counter!("offshoot_throttles_total", "faas_name" => function.to_string(), "reason" => reason)
        .increment(1);
}

/// A rung has failed, and the next one is tried.
pub(crate) fn fell(function: &Arc<str>, error: &NodeError) {
    tracing::warn!(
        function = &**function,
        error = error as &dyn std::error::Error,
        "a clone failed"
    );
    counter!("offshoot_fallen_rungs_total", "faas_name" => function.to_string()).increment(1);
}

/// How many instances there are.
#[derive(Debug)]
pub(crate) struct InstanceMetrics {
    idle: Gauge,
    busy: Gauge,
}

impl InstanceMetrics {
    pub(crate) fn new() -> Self {
        Self {
            idle: gauge!("offshoot_instances", "state" => "idle"),
            busy: gauge!("offshoot_instances", "state" => "busy"),
        }
    }

    pub(crate) fn set(&self, idle: usize, busy: usize) {
        self.idle.set(idle as f64);
        self.busy.set(busy as f64);
    }
}
