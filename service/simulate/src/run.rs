//! The loop of events in virtual time, and what came out of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use offshoot_decide::{MINUTE_US, NodeReading, Policy, Rung, SECOND_US, Time};
use serde::Serialize;

use crate::load::Load;
use crate::machine::Machine;
use crate::porter::{Driven, KeepAlive, Porter, Running, Work};

/// Who decides.
#[derive(Debug, Clone, PartialEq)]
pub enum System {
    /// A keep-alive window for all, cold starts, and the longest idle instance goes if memory is short.
    KeepAlive {
        /// In microseconds.
        window_us: u64,
    },
    /// The core of `offshoot-decide`.
    Core {
        /// How it decides.
        policy: Box<Policy>,
        /// Whether all functions have their seeds made when they are published: before the first call.
        seeds_at_publish: bool,
    },
}

/// What came out of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Calls, all of which were answered unless `unanswered` says otherwise.
    pub calls: u64,
    /// Calls that were still waiting when nothing was left to happen.
    pub unanswered: u64,
    /// Calls that had to wait for memory or for their share.
    pub waited: u64,
    /// From the arrival of an event until an instance has it.
    pub start: Percentiles,
    /// From the arrival of an event until its answer.
    pub end_to_end: Percentiles,
    /// Starts from each rung.
    pub rungs: BTreeMap<&'static str, u64>,
    /// Share of starts that run the function's init: cold and level 1.
    pub init_ratio: f64,
    /// The most memory that was used at once.
    pub peak_bytes: u64,
    /// Memory used, in the mean over time until the last call arrived.
    pub mean_bytes: u64,
    /// Memory used at the end of each minute.
    pub minutes_bytes: Vec<u64>,
}

/// Microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[allow(missing_docs, reason = "named by what they are")]
pub struct Percentiles {
    pub mean_us: u64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

/// Runs a load on a machine with so much memory.
pub fn simulate(load: &Load, limit_bytes: u64, system: &System) -> Report {
    let mut machine = Machine::new(load, limit_bytes);
    match system {
        System::KeepAlive { window_us } => {
            Run::new(load, &mut machine, KeepAlive::new(*window_us)).finish()
        }
        System::Core {
            policy,
            seeds_at_publish,
        } => {
            let mut driven = Driven::new(load, (**policy).clone(), *seeds_at_publish);
            let reading = NodeReading {
                limit_bytes,
                ..NodeReading::default()
            };
            driven.core.read(reading);
            driven.publish(&mut machine);
            Run::new(load, &mut machine, driven).finish()
        }
    }
}

/// Something that happens at a time. Of what happens at the same time, the first that was scheduled is first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Arrive(usize),
    Started(usize),
    Ended(usize),
    Done(usize),
    Decide,
}

struct Run<'a, P> {
    load: &'a Load,
    machine: &'a mut Machine,
    porter: P,
    steps: BinaryHeap<Reverse<(Time, u64, Step)>>,
    scheduled: u64,
    /// By the number of their call.
    running: BTreeMap<usize, Running>,
    waiting: VecDeque<usize>,
    work: Vec<Option<Work>>,
    next_decision: Option<Time>,
    starts_us: Vec<u64>,
    ends_us: Vec<u64>,
    rungs: [u64; 6],
    waited: u64,
    minutes_bytes: Vec<u64>,
    byte_seconds: f64,
    now: Time,
}

impl<'a, P: Porter> Run<'a, P> {
    fn new(load: &'a Load, machine: &'a mut Machine, porter: P) -> Self {
        Self {
            load,
            machine,
            porter,
            steps: BinaryHeap::new(),
            scheduled: 0,
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            work: Vec::new(),
            next_decision: None,
            starts_us: Vec::new(),
            ends_us: Vec::new(),
            rungs: [0; 6],
            waited: 0,
            minutes_bytes: Vec::new(),
            byte_seconds: 0.0,
            now: Time(0),
        }
    }

    fn finish(mut self) -> Report {
        if let Some(first) = self.load.calls.first() {
            self.schedule(first.at, Step::Arrive(0));
        }
        self.after_step();
        let mut left = self.load.calls.len();
        // Until the last answer: what is idle then need not end.
        while left > 0 {
            let Some(Reverse((at, _, step))) = self.steps.pop() else {
                break;
            };
            self.pass_time(at);
            left -= usize::from(matches!(step, Step::Ended(_)));
            self.step(step);
            self.after_step();
        }
        self.report(left)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Arrive(call) => self.arrive(call),
            Step::Started(call) => {
                let latency_us = self.now.since(self.load.calls[call].at);
                if let Some(running) = self.running.get_mut(&call) {
                    self.porter.started(self.now, running, latency_us);
                }
                self.starts_us.push(latency_us);
                let end = self.now.after(self.load.calls[call].duration_us);
                self.schedule(end, Step::Ended(call));
            }
            Step::Ended(call) => {
                self.ends_us.push(self.now.since(self.load.calls[call].at));
                if let Some(running) = self.running.remove(&call) {
                    self.porter.ended(self.now, self.machine, running);
                }
                self.try_waiting();
            }
            Step::Done(number) => {
                if let Some(work) = self.work[number].take() {
                    self.porter.done(self.now, self.machine, work);
                }
                self.try_waiting();
            }
            Step::Decide => self.next_decision = None,
        }
    }

    fn arrive(&mut self, call: usize) {
        if let Some(next) = self.load.calls.get(call + 1) {
            self.schedule(next.at, Step::Arrive(call + 1));
        }
        if !self.try_start(call) {
            self.waited += 1;
            self.waiting.push_back(call);
        }
    }

    fn try_start(&mut self, call: usize) -> bool {
        let function = self.load.calls[call].function;
        let Some(running) = self.porter.start(self.now, self.machine, function) else {
            return false;
        };
        self.rungs[running.rung as usize] += 1;
        self.schedule(self.now.after(running.latency_us), Step::Started(call));
        self.running.insert(call, running);
        true
    }

    /// Calls that wait are tried in their order; who fits goes first.
    fn try_waiting(&mut self) {
        for _ in 0..self.waiting.len() {
            if let Some(call) = self.waiting.pop_front()
                && !self.try_start(call)
            {
                self.waiting.push_back(call);
            }
        }
    }

    /// Decides if it is time, and schedules what follows.
    fn after_step(&mut self) {
        for (span_us, work) in self.porter.decide(self.now, self.machine) {
            self.work.push(Some(work));
            self.schedule(self.now.after(span_us), Step::Done(self.work.len() - 1));
        }
        let due = self.porter.next_due().map(|due| due.max(self.now));
        if let Some(due) = due
            && self.next_decision.is_none_or(|next| due < next)
        {
            self.next_decision = Some(due);
            self.schedule(due, Step::Decide);
        }
    }

    fn schedule(&mut self, at: Time, step: Step) {
        self.scheduled += 1;
        self.steps.push(Reverse((at, self.scheduled, step)));
    }

    fn pass_time(&mut self, to: Time) {
        let last = self.load.calls.last().map_or(Time(0), |call| call.at);
        let measured_us = to.min(last).since(self.now);
        self.byte_seconds += self.machine.used_bytes() as f64 * measured_us as f64;
        let minutes = to.min(last).0 / MINUTE_US;
        while (self.minutes_bytes.len() as u64) < minutes {
            self.minutes_bytes.push(self.machine.used_bytes());
        }
        self.now = self.now.max(to);
    }

    fn report(self, unanswered: usize) -> Report {
        let last = self.load.calls.last().map_or(Time(0), |call| call.at);
        let total: u64 = self.rungs.iter().sum();
        let inits = self.rungs[Rung::Level1 as usize] + self.rungs[Rung::Cold as usize];
        let names = ["hot", "parked", "clone", "restore", "level1", "cold"];
        Report {
            calls: self.load.calls.len() as u64,
            unanswered: unanswered as u64,
            waited: self.waited,
            start: Percentiles::of(self.starts_us),
            end_to_end: Percentiles::of(self.ends_us),
            rungs: names.into_iter().zip(self.rungs).collect(),
            init_ratio: inits as f64 / total.max(1) as f64,
            peak_bytes: self.machine.peak_bytes,
            mean_bytes: (self.byte_seconds / last.0.max(1) as f64) as u64,
            minutes_bytes: self.minutes_bytes,
        }
    }
}

impl Percentiles {
    fn of(mut spans_us: Vec<u64>) -> Self {
        spans_us.sort_unstable();
        let Some(max_us) = spans_us.last().copied() else {
            return Self::default();
        };
        let rank = |percent: usize| spans_us[(spans_us.len() * percent).div_ceil(100).max(1) - 1];
        Self {
            mean_us: spans_us.iter().sum::<u64>() / spans_us.len() as u64,
            p50_us: rank(50),
            p90_us: rank(90),
            p99_us: rank(99),
            max_us,
        }
    }
}

/// Spans as people read them: in milliseconds.
pub fn milliseconds(span_us: u64) -> f64 {
    span_us as f64 * 1e3 / SECOND_US as f64
}
