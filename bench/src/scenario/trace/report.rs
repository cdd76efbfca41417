//! The runs as one page: a table, plots, and the figures behind them. It needs no other file and no network.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::chart::{Chart, Line, escape};
use super::plan::{self, Plan};
use super::run::{Run, System};
use super::tail::Tail;
use super::watch::{self, Sample};
use crate::machine;

const STYLE: &str = "\
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1180px; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd }
td:first-child, th:first-child, td:nth-child(2), th:nth-child(2) { text-align: left }
svg { font: 12px system-ui, sans-serif; margin: .5em 1em .5em 0 } svg polyline { fill: none; stroke-width: 1.8 }
svg .grid { stroke: #e4e4e4 } svg .tick { fill: #666; font-size: 11px } svg .title { font-weight: 600 }
";
/// Points of a line of percentiles.
const POINTS: u32 = 200;

/// The whole page.
pub(super) fn page(name: &str, plan: &Plan, runs: &[Run]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>Replay of {name}</title>\n\
         <style>{STYLE}</style></head><body>\n<h1>Replay of {name}</h1>\n",
        name = escape(name)
    );
    page.push_str(&about(plan));
    page.push_str(&table(runs));
    let mut sizes: Vec<u32> = runs.iter().map(|run| run.percent).collect();
    sizes.dedup();
    for percent in sizes {
        let of_size: Vec<&Run> = runs.iter().filter(|run| run.percent == percent).collect();
        let _ = writeln!(page, "<h2>{percent} % memory</h2>");
        page.push_str(&latencies(&of_size).svg());
        page.push_str(&memory(&of_size).svg());
    }
    page.push_str(&rungs(runs));
    let _ = writeln!(
        page,
        "<script type=\"application/json\" id=\"figures\">{}</script>\n</body></html>",
        figures(runs)
    );
    page
}

fn about(plan: &Plan) -> String {
    let mut played: BTreeMap<&str, u64> = BTreeMap::new();
    for function in &plan.functions {
        *played.entry(function.workload).or_default() += 1;
    }
    let played: Vec<_> = played
        .iter()
        .map(|(workload, count)| format!("{} {count}", escape(workload)))
        .collect();
    format!(
        "<p>{} calls of {} functions in {} s; times divided by {}. Keep-alive of ten minutes is {} s, of one minute {} s. \
         Functions are played by workloads: {}. Each system runs alone; the daemon has just started. 100 % is the most memory that the \
         instances of keep-alive of ten minutes need without a limit.</p>\n<p>Measured on: {}</p>\n",
        plan.calls.len(),
        plan.functions.len(),
        plan.span.as_secs(),
        plan.compress,
        plan::window_s(10, plan.compress),
        plan::window_s(1, plan.compress),
        played.join(", "),
        escape(&machine::describe())
    )
}

fn table(runs: &[Run]) -> String {
    let mut table = String::from(
        "<table><tr><th>memory</th><th>system</th><th>p50 ms</th><th>p99 ms</th><th>cold</th><th>peak MiB</th>\
         <th>budget MiB</th><th>most instances</th><th>most templates</th><th>CPU s</th><th>told to wait</th><th>failed</th></tr>\n",
    );
    for run in runs {
        let latency = run.latency().summary();
        let most = |of: fn(&Sample) -> u64| run.samples.iter().map(of).max().unwrap_or_default();
        let _ = writeln!(
            table,
            "<tr><td>{} %</td><td>{}</td><td>{:.1}</td><td>{:.1}</td><td>{:.1} %</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{:.1}</td><td>{}</td><td>{}</td></tr>",
            run.percent,
            run.system.name(),
            latency.p50 / 1e3,
            latency.p99 / 1e3,
            100.0 * run.cold_ratio(),
            watch::peak(&run.samples).total_kb() >> 10,
            run.budget_kb >> 10,
            most(|sample| sample.started.count + sample.clones.count),
            most(|sample| sample.templates.count),
            run.cpu.as_secs_f64(),
            run.throttled,
            run.failed
        );
    }
    table + "</table>\n"
}

const fn colour(system: System) -> &'static str {
    match system {
        System::KeepAlive10 => "#c0392b",
        System::KeepAlive1 => "#d68910",
        System::Offshoot => "#1f618d",
    }
}

fn lines(runs: &[&Run], points: impl Fn(&Run) -> Vec<(f64, f64)>) -> Vec<Line> {
    let line = |run: &&Run| Line {
        name: run.system.name().to_owned(),
        colour: colour(run.system),
        points: points(run),
    };
    runs.iter().map(line).collect()
}

fn latencies(runs: &[&Run]) -> Chart {
    Chart {
        title: "Latency, end to end".into(),
        x_label: "percent of the calls",
        y_label: "ms at most",
        log: true,
        lines: lines(runs, quantiles),
    }
}

/// Percent of the calls, and how many milliseconds these take at most.
fn quantiles(run: &Run) -> Vec<(f64, f64)> {
    let mut millis: Vec<f64> = run
        .answered
        .iter()
        .map(|call| call.latency.as_secs_f64() * 1e3)
        .collect();
    millis.sort_unstable_by(f64::total_cmp);
    let Some(last) = millis.len().checked_sub(1) else {
        return Vec::new();
    };
    let point = |number: u32| {
        let part = f64::from(number) / f64::from(POINTS);
        (100.0 * part, millis[(part * last as f64).round() as usize])
    };
    (0..=POINTS).map(point).collect()
}

fn memory(runs: &[&Run]) -> Chart {
    let points = |run: &Run| {
        let samples = run.samples.iter();
        samples
            .map(|sample| (sample.at_s, sample.total_kb() as f64 / 1024.0))
            .collect()
    };
    Chart {
        title: "Memory of the daemon and all that it has made".into(),
        x_label: "s",
        y_label: "MiB",
        log: false,
        lines: lines(runs, points),
    }
}

fn rungs(runs: &[Run]) -> String {
    let mut table = String::from(
        "<h2>Where instances came from</h2>\n<table><tr><th>memory</th><th>system</th><th>calls by rung</th>\
         <th>of the slowest hundredth</th></tr>\n",
    );
    for run in runs {
        let rungs = run.rungs();
        let rungs: Vec<_> = rungs
            .iter()
            .map(|(rung, count)| format!("{} {count}", escape(rung)))
            .collect();
        let _ = writeln!(
            table,
            "<tr><td>{} %</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            run.percent,
            run.system.name(),
            rungs.join(", "),
            escape(&Tail::of(&run.answered).said())
        );
    }
    table + "</table>\n"
}

/// What the plots show, as JSON that cannot end its element.
fn figures(runs: &[Run]) -> String {
    let figures: Vec<_> = runs
        .iter()
        .map(|run| {
            json!({
                "system": run.system.name(),
                "memory_percent": run.percent,
                "budget_kb": run.budget_kb,
                "rungs": run.rungs(),
                "latency_ms": quantiles(run),
                "memory": run.samples,
            })
        })
        .collect();
    json!(figures).to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::replay::Answered;
    use super::*;
    use std::time::Duration;

    fn run(start: &str) -> Run {
        let call = |millis: u64| Answered {
            latency: Duration::from_millis(millis),
            stages: Vec::new(),
            start: start.to_owned(),
        };
        Run {
            system: System::Offshoot,
            percent: 25,
            budget_kb: 2048,
            base_kb: 0,
            answered: (1..=101).rev().map(call).collect(),
            throttled: 0,
            failed: 0,
            samples: vec![Sample::default()],
            cpu: Duration::from_secs(3),
        }
    }

    #[test]
    fn quantiles_are_of_sorted_calls() {
        let found = quantiles(&run("hot"));
        assert_eq!(found.len(), 201);
        assert_eq!(
            (found[0], found[100], found[200]),
            ((0.0, 1.0), (50.0, 51.0), (100.0, 101.0))
        );
        assert_eq!(
            quantiles(&Run {
                answered: Vec::new(),
                ..run("hot")
            }),
            []
        );
    }

    #[test]
    fn page_is_whole_by_itself_and_holds_what_is_named_as_text() {
        let plan = Plan {
            functions: Vec::new(),
            calls: Vec::new(),
            compress: 4,
            span: Duration::from_secs(75),
        };
        let page = page("a<b", &plan, &[run("</script><b>")]);
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        assert!(page.contains("Replay of a&lt;b") && page.contains("&lt;/script&gt;&lt;b&gt; 101"));
        assert_eq!(page.matches("</script>").count(), 1);
        assert_eq!(page.matches("<svg ").count(), 2);
        for from_elsewhere in ["http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
        }
        let data = page.split("id=\"figures\">").nth(1).unwrap();
        let data = data.split("</script>").next().unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data[0]["rungs"]["</script><b>"], 101);
    }
}
