//! Figures as a table in the documentation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::record::{self, Measurement};
use crate::table;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// Writes the figures of `json` between the markers of `doc`. Of several measurements of the same figure the last
/// one counts.
pub fn render(json: &Path, doc: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(doc).with_context(|| format!("cannot read {}", doc.display()))?;
    let latest = latest(record::read(json)?);
    let filled = between_markers(&text, &markdown(&latest))
        .with_context(|| format!("cannot fill {}", doc.display()))?;
    // Beside the document, so that the rename stays on its file system.
    let staged = doc.with_extension("md.new");
    fs::write(&staged, filled).with_context(|| format!("cannot write {}", staged.display()))?;
    fs::rename(&staged, doc).with_context(|| format!("cannot replace {}", doc.display()))
}

/// The last measurement of each figure, in the order in which the figures first appear.
fn latest(all: Vec<Measurement>) -> Vec<Measurement> {
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    let mut kept: Vec<Measurement> = Vec::new();
    for one in all {
        let key = (one.scenario.clone(), one.system.clone(), one.metric.clone());
        match places.get(&key) {
            Some(&at) => kept[at] = one,
            None => {
                places.insert(key, kept.len());
                kept.push(one);
            }
        }
    }
    kept
}

/// One table for each machine and day.
fn markdown(all: &[Measurement]) -> String {
    let place = |one: &Measurement| {
        let day = one.date.split('T').next().unwrap_or_default();
        format!("{}, {day}", one.machine)
    };
    let mut places: Vec<_> = all.iter().map(place).collect();
    places.sort();
    places.dedup();
    let mut text = String::new();
    for here in places {
        let _ = writeln!(text, "Measured on: {here}\n");
        text.push_str(
            "| scenario | system | metric | n | p50 | p90 | p99 | mean | ratio | target | met |\n",
        );
        text.push_str("|---|---|---|--:|--:|--:|--:|--:|--:|---|---|\n");
        let of_place: Vec<_> = all
            .iter()
            .filter(|one| place(one) == here)
            .cloned()
            .collect();
        for one in &of_place {
            let _ = writeln!(text, "| {} |", table::row(one, &of_place).join(" | "));
        }
        text.push('\n');
    }
    text
}

fn between_markers(text: &str, filling: &str) -> anyhow::Result<String> {
    let (Some(begin), Some(end)) = (text.find(BEGIN), text.find(END)) else {
        bail!("it has no line {BEGIN} or no line {END}");
    };
    let begin = begin + BEGIN.len();
    if begin > end {
        bail!("{END} stands before {BEGIN}");
    }
    Ok(format!("{}\n\n{filling}{}", &text[..begin], &text[end..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::summary::Summary;

    fn figure(system: &str, p50: f64, date: &str) -> Measurement {
        Measurement {
            scenario: "cold/echo".into(),
            system: system.into(),
            metric: "latency_us".into(),
            unit: "us".into(),
            summary: Summary {
                n: 20,
                p50,
                p90: 2.0 * p50,
                p99: 3.0 * p50,
                mean: p50,
            },
            machine: "AMD EPYC".into(),
            date: date.into(),
        }
    }

    #[test]
    fn document_gets_the_latest_figures_with_ratio_and_target() {
        let folder = tempfile::tempdir().unwrap();
        let (json, doc) = (
            folder.path().join("figures.json"),
            folder.path().join("doc.md"),
        );
        let figures = [
            figure("offshoot-cold", 90_000.0, "2026-01-01T00:00:00Z"),
            figure("runc", 60_000.0, "2026-01-02T00:00:00Z"),
            figure("offshoot-cold", 30_000.0, "2026-01-02T00:00:00Z"),
        ];
        let lines = figures.map(|one| serde_json::to_string(&one).unwrap() + "\n");
        fs::write(&json, lines.concat()).unwrap();
        fs::write(&doc, format!("# Before\n{BEGIN}\nold\n{END}\nafter\n")).unwrap();

        render(&json, &doc).unwrap();
        insta::assert_snapshot!(fs::read_to_string(&doc).unwrap(), @r"
        # Before
        <!-- bench:begin -->

        Measured on: AMD EPYC, 2026-01-02

        | scenario | system | metric | n | p50 | p90 | p99 | mean | ratio | target | met |
        |---|---|---|--:|--:|--:|--:|--:|--:|---|---|
        | cold/echo | offshoot-cold | latency_us | 20 | 30000 | 60000 | 90000 | 30000 | 0.50 | ≤ 1.3 × baseline | yes |
        | cold/echo | runc | latency_us | 20 | 60000 | 120000 | 180000 | 60000 |  |  |  |

        <!-- bench:end -->
        after
        ");
        let once = fs::read_to_string(&doc).unwrap();
        render(&json, &doc).unwrap();
        assert_eq!(
            fs::read_to_string(&doc).unwrap(),
            once,
            "rendering again changes nothing"
        );
    }

    #[test]
    fn document_without_markers_is_left_alone() {
        assert!(between_markers("text", "figures").is_err());
        assert!(between_markers(&format!("{END} {BEGIN}"), "figures").is_err());
    }
}
