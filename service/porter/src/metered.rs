//! The porter's metrics, with OpenTelemetry's names for functions (semantic conventions, FaaS metrics).

use std::sync::Arc;

use metrics::{counter, gauge, histogram};
use offshoot_node::{Answer, FailureKind, Outcome};

use crate::ThrottleReason;

/// An event has been handled.
pub(crate) fn handled(function: &Arc<str>, outcome: &Outcome) {
    let name = function.to_string();
    histogram!("faas_invoke_duration_seconds", "faas_name" => name.clone())
        .record(outcome.duration.as_secs_f64());
    if outcome.cold {
        let init_us = outcome.stages.runtime_init_us + outcome.stages.user_init_us;
        counter!("faas_coldstarts_total", "faas_name" => name.clone()).increment(1);
        histogram!("faas_init_duration_seconds", "faas_name" => name.clone())
            .record(init_us as f64 / 1e6);
    }
    match &outcome.answer {
        Answer::Response(_) | Answer::Streamed => {
            counter!("faas_invocations_total", "faas_name" => name).increment(1);
        }
        Answer::Failure(failure) if failure.kind == FailureKind::TimedOut => {
            counter!("faas_timeouts_total", "faas_name" => name).increment(1);
        }
        Answer::Failure(failure) => {
            counter!("faas_errors_total", "faas_name" => name, "kind" => failure.kind.name())
                .increment(1);
        }
    }
}

/// An event has been refused.
pub(crate) fn throttled(function: &Arc<str>, reason: ThrottleReason) {
    let reason = format!("{reason:?}");
    counter!("offshoot_throttles_total", "faas_name" => function.to_string(), "reason" => reason)
        .increment(1);
}

/// How many instances there are.
pub(crate) fn instances(idle: usize, busy: usize) {
    gauge!("offshoot_instances", "state" => "idle").set(idle as f64);
    gauge!("offshoot_instances", "state" => "busy").set(busy as f64);
}
