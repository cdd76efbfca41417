//! Take, join, repurpose: what a start costs when there is a ghost, and what makes the next one.
//!
//! A round does each of the three with as many sandboxes as there are, and one after the other: all are taken, then processes
//! join all, then all are made ghosts again. So each is measured while nothing else is done. The pool's unused ghosts stay
//! where they are, because the account's own ones are given first, and its filler has nothing to do meanwhile.

use anyhow::Context;
use offshoot_sandbox::{Occupied, Reason, Taken};

use super::clock::{Busy, Cost, Costs, timed};
use super::crew::{at_once, in_step};
use super::ground::Ground;
use super::joiner::Joiner;
use super::{SYSTEM, named, record_costs};
use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::{Samples, Summary};

/// The most sandboxes of a round.
const MOST: u64 = 240;

/// What the rounds found.
#[derive(Debug)]
struct Found {
    take: Costs,
    join: Costs,
    repurpose: Samples,
    repurpose_busy: Busy,
    /// Sandboxes that were destroyed instead of repurposed.
    given_up: Vec<Reason>,
}

/// Measures the three with so many threads at once; gives the median of a take in microseconds.
pub(super) fn run(
    bench: &Bench<'_>,
    threads: usize,
    recorder: &mut Recorder,
) -> anyhow::Result<f64> {
    let n = bench.args.n_or(2400, 2 * threads as u64);
    let share = n.min(MOST).div_ceil(threads as u64);
    let ghosts = usize::try_from(share)? * threads;
    let found = Ground::with(bench, ghosts, |ground| {
        let crew = Crew::hire(ground, threads, share)?;
        ground.await_filled()?;
        // Its ghosts are unused ones, in whose place the filler makes others; those of the rounds come back from it.
        crew.round(&mut Found::new())?;
        let mut found = Found::new();
        while found.take.took.n() < n {
            ground.await_filled()?;
            crew.round(&mut found)?;
        }
        Ok(found)
    })?;
    record(&found, threads, recorder)
}

/// Those who take and join.
struct Crew<'g> {
    ground: &'g Ground,
    joiners: Vec<Joiner>,
    /// How many sandboxes each has in a round.
    share: u64,
}

impl<'g> Crew<'g> {
    fn hire(ground: &'g Ground, threads: usize, share: u64) -> anyhow::Result<Self> {
        let joiners = (0..threads).map(|_| Joiner::start(&ground.joiner));
        Ok(Self {
            ground,
            joiners: joiners.collect::<anyhow::Result<_>>()?,
            share,
        })
    }

    fn round(&self, found: &mut Found) -> anyhow::Result<()> {
        let taken = self.take(found)?;
        let occupied = self.join(taken, found)?;
        self.repurpose(occupied, found)
    }

    fn take(&self, found: &mut Found) -> anyhow::Result<Vec<Vec<Taken>>> {
        let members = vec![(); self.joiners.len()];
        let shares = in_step(members, self.share, |hand, ()| {
            let (taken, cost) = timed(|| self.ground.take(hand));
            Ok((taken?, cost))
        })?;
        Ok(split(shares, |cost| found.take.add(cost)))
    }

    fn join(
        &self,
        taken: Vec<Vec<Taken>>,
        found: &mut Found,
    ) -> anyhow::Result<Vec<Vec<Occupied>>> {
        let taken = taken.into_iter().map(Vec::into_iter);
        let members = self.joiners.iter().zip(taken).collect();
        let shares = in_step(members, self.share, |_, (joiner, taken)| {
            joiner.send(taken.next().context("there is no sandbox")?)
        })?;
        Ok(split(shares, |cost| found.join.add(cost)))
    }

    fn repurpose(&self, occupied: Vec<Vec<Occupied>>, found: &mut Found) -> anyhow::Result<()> {
        let ground = self.ground;
        let shares = found.repurpose_busy.during(|| {
            at_once(occupied, |_, occupied| {
                let one = |occupied: Occupied| {
                    let (ghost, cost) = timed(|| ground.repurpose(occupied.end()));
                    Ok((ghost?, cost))
                };
                occupied
                    .into_iter()
                    .map(one)
                    .collect::<anyhow::Result<Vec<_>>>()
            })
        })?;
        for (ghost, cost) in shares.into_iter().flatten() {
            found.repurpose.record(cost.took);
            match ghost {
                Ok(ghost) => ground.launcher.put(ghost),
                Err(reason) => found.given_up.push(reason),
            }
        }
        Ok(())
    }
}

/// The things without their costs, which `keep` gets.
fn split<T>(shares: Vec<Vec<(T, Cost)>>, mut keep: impl FnMut(Cost)) -> Vec<Vec<T>> {
    let mut without = |share: Vec<(T, Cost)>| {
        let things = share.into_iter().map(|(thing, cost)| {
            keep(cost);
            thing
        });
        things.collect()
    };
    shares.into_iter().map(&mut without).collect()
}

impl Found {
    fn new() -> Self {
        Self {
            take: Costs::new(),
            join: Costs::new(),
            repurpose: Samples::microseconds(),
            repurpose_busy: Busy::default(),
            given_up: Vec::new(),
        }
    }
}

fn record(found: &Found, threads: usize, recorder: &mut Recorder) -> anyhow::Result<f64> {
    record_costs("take", threads, &found.take, recorder)?;
    record_costs("join", threads, &found.join, recorder)?;
    let scenario = named("repurpose", threads);
    let times = found.repurpose.summary();
    let n = times.n;
    recorder.record(&scenario, SYSTEM, "latency_us", "us", times)?;
    let cpu = Summary::single(n, found.repurpose_busy.us_of_each(n));
    recorder.record(&scenario, SYSTEM, "cpu_us", "us", cpu)?;
    let given_up = Summary::single(n, found.given_up.len() as f64);
    recorder.record(&scenario, SYSTEM, "given_up", "sandboxes", given_up)?;
    for reason in &found.given_up {
        eprintln!("bench: {scenario}: given up: {}", reason.name());
    }
    let take_us = found.take.took.summary().p50;
    (take_us > 0.0)
        .then_some(take_us)
        .context("nothing was taken")
}
