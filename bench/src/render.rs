//! Figures as a table in the documentation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::record::{self, Measurement};
use crate::table;

const BEGIN: &str = "<!-- bench:begin";
const END: &str = "<!-- bench:end -->";
const CLOSE: &str = "-->";

/// Writes the figures of `json` between the markers of `doc`. Of several measurements of the same figure the last
/// one counts.
///
/// `<!-- bench:begin clone -->` is followed by the scenarios whose names begin with `clone`, `<!-- bench:begin -->` by all
/// that have no place of their own.
pub fn render(json: &Path, doc: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(doc).with_context(|| format!("cannot read {}", doc.display()))?;
    let latest = latest(record::read(json)?);
    let filled = fill(&text, &latest);
    let filled = filled.with_context(|| format!("cannot fill {}", doc.display()))?;
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

/// A place for figures in a document: where they go, and of which scenarios; of all others if it has no name.
struct Place<'t> {
    begin: usize,
    end: usize,
    family: &'t str,
}

fn fill(text: &str, all: &[Measurement]) -> anyhow::Result<String> {
    let places = places(text)?;
    let belongs = |one: &Measurement, family: &str| {
        let own = family_of(one);
        own == family || (family.is_empty() && places.iter().all(|place| place.family != own))
    };
    let (mut filled, mut copied) = (String::new(), 0);
    for place in &places {
        let these: Vec<_> = all
            .iter()
            .filter(|one| belongs(one, place.family))
            .cloned()
            .collect();
        filled.push_str(&text[copied..place.begin]);
        let _ = write!(filled, "\n\n{}", markdown(&these));
        copied = place.end;
    }
    Ok(filled + &text[copied..])
}

fn family_of(one: &Measurement) -> &str {
    one.scenario.split('/').next().unwrap_or_default()
}

/// The places of a document, in order; at least one.
fn places(text: &str) -> anyhow::Result<Vec<Place<'_>>> {
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(BEGIN) {
        let name = from + at + BEGIN.len();
        let Some(length) = text[name..].find(CLOSE) else {
            bail!("a line {BEGIN} has no {CLOSE}");
        };
        let begin = name + length + CLOSE.len();
        let end = text[begin..].find(END).map(|length| begin + length);
        let Some(end) = end.filter(|end| !text[begin..*end].contains(BEGIN)) else {
            let marker = &text[name - BEGIN.len()..begin];
            bail!("it has no line {END} behind {marker}");
        };
        places.push(Place {
            begin,
            end,
            family: text[name..begin - CLOSE.len()].trim(),
        });
        from = end;
    }
    if places.is_empty() {
        bail!("it has no line {BEGIN} {CLOSE}");
    }
    Ok(places)
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
            absent: None,
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
        fs::write(&doc, format!("# Before\n{BEGIN} -->\nold\n{END}\nafter\n")).unwrap();

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
    fn scenarios_with_a_place_of_their_own_go_there_and_all_others_into_the_common_one() {
        let cold = figure("runc", 1.0, "2026-01-01T00:00:00Z");
        let mut clone = figure("criu", 1.0, "2026-01-01T00:00:00Z");
        clone.scenario = "clone/node".into();
        let text = format!("{BEGIN} -->{END}between{BEGIN} clone -->{END}");
        let filled = fill(&text, &[clone, cold]).unwrap();
        let (common, own) = filled.split_once("between").unwrap();
        assert!(common.contains("| cold/echo |") && !common.contains("clone/node"));
        assert!(own.contains("| clone/node |") && !own.contains("cold/echo"));
    }

    #[test]
    fn document_without_markers_is_left_alone() {
        let open = format!("{BEGIN} -->");
        for broken in [
            "text",
            &format!("{END} {open}"),
            &format!("{open}{open}{END}"),
        ] {
            assert!(fill(broken, &[]).is_err(), "{broken}");
        }
    }
}
