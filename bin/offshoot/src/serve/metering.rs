//! The metrics recorder.

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Bounds of duration histograms, in seconds: from 50 µs, because a clone answers within a millisecond and
/// OpenTelemetry's default of 5 ms would hide everything that matters.
const DURATION_BOUNDS_S: [f64; 19] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_35, 0.000_5, 0.000_75, 0.001, 0.002, 0.003_5, 0.005, 0.01,
    0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0,
];

/// Installs the recorder of this process.
pub(super) fn install() -> anyhow::Result<PrometheusHandle> {
    let durations = Matcher::Suffix("_duration_seconds".to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(durations, &DURATION_BOUNDS_S)
        .context("the histogram bounds are refused")?
        .install_recorder()
        .context("the metrics recorder cannot be installed")
}
