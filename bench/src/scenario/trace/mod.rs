//! A recorded load, replayed on real daemons with less and less memory: keep-alive alone, and seeds.
//!
//! 1. The trace is cut and compressed (`plan`), and its functions are played by our workloads (`mapping`). They are
//!    deployed once, and seeds made of all of them (`fleet`, `seeding`).
//! 2. Keep-alive of ten minutes without any limit says how much memory 100 % is.
//! 3. Each system runs alone in each size (`limits.memory_mb`), on the same state directory, from a daemon that has just
//!    started: calls are sent at their times whatever the answers do (`replay`), while memory is looked at (`watch`).
//! 4. Figures are recorded, and plots written into one file (`report`).

mod chart;
mod fleet;
mod mapping;
mod plan;
mod replay;
mod report;
mod run;
mod seeding;
mod tail;
mod watch;

use std::fs;

use anyhow::Context;

use super::require_known;
use crate::bench::Bench;
use crate::record::Recorder;
use fleet::Fleet;
use plan::Plan;
use run::{Run, System};

/// Percent of what keep-alive of ten minutes needs.
const MEMORY: [u32; 3] = [100, 50, 25];
/// Of a quick run: the last size, and as many seconds.
const QUICK_MEMORY: [u32; 1] = [25];

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    require_known(&bench.args.systems, &System::ALL.map(System::name))?;
    let args = &bench.args.replay;
    let path = args.trace.as_deref().context("trace needs --trace FILE")?;
    let name = plan::name(path)?;
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let minutes = args.minutes.or(bench.args.quick.then_some(1));
    let compress = args.compress.or(bench.args.quick.then_some(6));
    let plan = plan::plan(&plan::read(&text)?, minutes, compress)?;
    say(&name, &plan);
    let fleet = Fleet::deploy(bench, &plan)?;
    let stage = run::Stage {
        bench,
        plan: &plan,
        fleet: &fleet,
        name: &name,
    };
    let runs = all(&stage, &sizes_of(bench), recorder)?;
    if let Some(html) = &args.html {
        let page = report::page(&name, &plan, &runs);
        fs::write(html, page).with_context(|| format!("cannot write {}", html.display()))?;
        eprintln!("bench: {} is written", html.display());
    }
    Ok(())
}

/// The sizes that are asked for, the largest first.
fn sizes_of(bench: &Bench<'_>) -> Vec<u32> {
    let asked = &bench.args.replay.memory;
    let mut sizes = match (asked.is_empty(), bench.args.quick) {
        (false, _) => asked.clone(),
        (true, true) => QUICK_MEMORY.to_vec(),
        (true, false) => MEMORY.to_vec(),
    };
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    sizes.dedup();
    sizes
}

fn say(name: &str, plan: &Plan) {
    eprintln!(
        "bench: {name}: {} calls of {} functions in {} s, times divided by {}; keep-alive of 10 min is {} s, of 1 min {} s",
        plan.calls.len(),
        plan.functions.len(),
        plan.span.as_secs(),
        plan.compress,
        plan::window_s(10, plan.compress),
        plan::window_s(1, plan.compress),
    );
}

/// The run that says what 100 % is, then all systems in all sizes.
fn all(stage: &run::Stage<'_>, sizes: &[u32], recorder: &mut Recorder) -> anyhow::Result<Vec<Run>> {
    let whole = stage.run(System::KeepAlive10, 100, None)?;
    let peak_kb = watch::peak(&whole.samples).total_kb();
    let needed_kb = peak_kb.saturating_sub(whole.base_kb);
    let seeded = stage.fleet.seed(stage.bench, stage.plan)?;
    run::record_seeding(stage, &seeded, recorder)?;
    let mut runs = Vec::new();
    let mut whole = Some(whole);
    for percent in sizes {
        let budget_kb = share(needed_kb, *percent);
        for system in System::ALL
            .into_iter()
            .filter(|system| stage.wants(*system))
        {
            // Its own peak is no limit to the first one: it need not run again.
            let reused = (system == System::KeepAlive10 && *percent == 100)
                .then(|| whole.take())
                .flatten();
            let run = match reused {
                Some(run) => Run { budget_kb, ..run },
                None => stage.run(system, *percent, Some(budget_kb))?,
            };
            run::record(stage, &run, recorder)?;
            runs.push(run);
        }
    }
    Ok(runs)
}

/// So many percent, in whole MiB, as a daemon is told.
fn share(needed_kb: u64, percent: u32) -> u64 {
    (needed_kb * u64::from(percent) / 100).next_multiple_of(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_are_whole_mebibytes() {
        assert_eq!(
            [100, 50, 25].map(|percent| share(409_600, percent) >> 10),
            [400, 200, 100]
        );
        assert_eq!(share(1, 25), 0);
        assert_eq!(share(5, 25), 1024);
    }
}
