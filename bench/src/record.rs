//! Figures as lines of JSON: one object a line, written as soon as it is known.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::interrupt;
use crate::machine;
use crate::summary::Summary;

/// One figure. The names of the fields are the format of the file; see `docs/benchmarks.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was done, such as `hot/echo`.
    pub scenario: String,
    /// What did it: `offshoot` or a baseline.
    pub system: String,
    /// What was measured, such as `latency_us`.
    pub metric: String,
    /// The unit of the figures.
    pub unit: String,
    /// The figures.
    #[serde(flatten)]
    pub summary: Summary,
    /// Where it was measured.
    pub machine: String,
    /// When it was measured (RFC 3339, UTC).
    pub date: String,
    /// Why there is no figure, if there is none; then `n` is zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
}

/// Collects figures and appends them to a file.
#[derive(Debug)]
pub struct Recorder {
    file: Option<File>,
    machine: String,
    measurements: Vec<Measurement>,
}

impl Recorder {
    /// Appends to `json`, if given.
    pub fn open(json: Option<&Path>) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.with_context(|| format!("cannot open {}", path.display()))
        };
        let file = json.map(open).transpose()?;
        Ok(Self {
            file,
            machine: machine::describe(),
            measurements: Vec::new(),
        })
    }

    /// Keeps and writes one figure; fails afterwards if the run was interrupted.
    pub fn record(
        &mut self,
        scenario: &str,
        system: &str,
        metric: &str,
        unit: &str,
        summary: Summary,
    ) -> anyhow::Result<()> {
        eprintln!(
            "bench: {scenario} {system}: {metric} p50 {} p90 {} p99 {} {unit} (n = {})",
            summary.p50, summary.p90, summary.p99, summary.n
        );
        self.keep([scenario, system, metric, unit], summary, None)
    }

    /// Keeps and writes that a figure could not be had, and why.
    pub fn record_absence(
        &mut self,
        scenario: &str,
        system: &str,
        metric: &str,
        unit: &str,
        reason: &str,
    ) -> anyhow::Result<()> {
        eprintln!("bench: {scenario} {system}: no figure: {reason}");
        let nothing = Summary::single(0, 0.0);
        self.keep([scenario, system, metric, unit], nothing, Some(reason))
    }

    fn keep(
        &mut self,
        names: [&str; 4],
        summary: Summary,
        absent: Option<&str>,
    ) -> anyhow::Result<()> {
        let [scenario, system, metric, unit] = names.map(str::to_owned);
        let measurement = Measurement {
            scenario,
            system,
            metric,
            unit,
            summary,
            machine: self.machine.clone(),
            date: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            absent: absent.map(str::to_owned),
        };
        if let Some(file) = &mut self.file {
            // In one write, so that a line is whole or absent.
            let line = format!("{}\n", serde_json::to_string(&measurement)?);
            file.write_all(line.as_bytes())
                .context("cannot write the figures")?;
        }
        self.measurements.push(measurement);
        interrupt::check()
    }

    /// All figures so far.
    pub fn into_measurements(self) -> Vec<Measurement> {
        self.measurements
    }
}

/// Reads figures back; a line that is none is an error that names it.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Measurement>> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let parse = |(at, line): (usize, &str)| {
        serde_json::from_str(line)
            .with_context(|| format!("{} line {} is no figure", path.display(), at + 1))
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(parse)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn example() -> Measurement {
        Measurement {
            scenario: "hot/echo".into(),
            system: "offshoot".into(),
            metric: "latency_us".into(),
            unit: "us".into(),
            summary: Summary {
                n: 2000,
                p50: 110.5,
                p90: 130.0,
                p99: 200.25,
                mean: 115.125,
            },
            machine: "AMD EPYC 2 vCPU 24 GiB Linux 6.18.44".into(),
            date: "2026-01-02T03:04:05Z".into(),
            absent: None,
        }
    }

    #[test]
    fn line_of_json_keeps_its_shape() {
        insta::assert_snapshot!(
            serde_json::to_string(&example()).unwrap(),
            @r#"{"scenario":"hot/echo","system":"offshoot","metric":"latency_us","unit":"us","n":2000,"p50":110.5,"p90":130.0,"p99":200.25,"mean":115.125,"machine":"AMD EPYC 2 vCPU 24 GiB Linux 6.18.44","date":"2026-01-02T03:04:05Z"}"#
        );
    }

    #[test]
    fn recorded_figures_are_appended_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.json");
        for scenario in ["idle", "leak"] {
            let mut recorder = Recorder::open(Some(&path)).unwrap();
            let summary = Summary::single(1, 2.5);
            recorder
                .record(scenario, "offshoot", "rss_kb", "KiB", summary)
                .unwrap();
            assert_eq!(recorder.into_measurements().len(), 1);
        }
        let found = read(&path).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[1].scenario.as_str(), found[1].summary.mean),
            ("leak", 2.5)
        );
    }

    #[test]
    fn broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.json");
        let good = serde_json::to_string(&example()).unwrap();
        std::fs::write(&path, format!("{good}\n\n{{\"scenario\":1}}\n")).unwrap();
        assert!(
            read(&path)
                .unwrap_err()
                .to_string()
                .ends_with("line 3 is no figure")
        );
    }
}
