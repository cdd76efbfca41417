//! The command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// The scenarios `hot`, `cold`, `throughput`, `idle`, `leak` and `async`.
    Base,
    /// Latency of warm invocations beside a bare Unix socket.
    Hot,
    /// Latency of first invocations beside `runc run`.
    Cold,
    /// Warm invocations per second.
    Throughput,
    /// Memory and wake-ups of a daemon that has nothing to do.
    Idle,
    /// Kernel objects left behind after deploying, invoking and deleting.
    Leak,
    /// Accepted events that a killed daemon loses or repeats.
    Async,
    /// From the wish for a clone of an initialised process to its answer, beside a bare fork.
    Clone,
    /// The pool of sandboxes: take, join, repurpose, footprint, soak; beside making one from nothing, and `runc create`.
    Sandbox,
    /// A first event end to end through HTTP, from each rung of the ladder, beside a hot one.
    E2e,
    /// A first event as one part of the ladder after the other is added: from a cold start to parked clones.
    Ladder,
    /// How many instances are alive in so much memory: clones, and instances that were started cold.
    Density,
    /// A recorded load, replayed against keep-alive alone and against seeds, with less and less memory.
    Trace,
    /// Random values that clones of one seed draw twice, by every generator of Python and Node.
    Unique,
    /// Latency of a neighbour and of the daemon while a function takes all that it can get.
    Noise,
    /// Write the table of a finished run into the documentation.
    Render,
}

/// Arguments of `offshoot bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_enum)]
    pub suite: Suite,
    /// Append one line of JSON a figure to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Measure these workloads (`clone`: seeds; `sandbox`: steps; `noise`: attacks) only
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub workloads: Vec<String>,
    /// For `clone`, `sandbox` and `trace`: measure these systems only, beside the yardstick or the pool
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub systems: Vec<String>,
    /// Samples of each figure, cycles, or events
    #[arg(long)]
    pub n: Option<u64>,
    /// Limit of one measurement, or length of the window
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Few samples of few workloads, to see that everything works
    #[arg(long)]
    pub quick: bool,
    /// For `e2e`: seeds are not trained, though the workloads name an event for it
    #[arg(long)]
    pub untrained: bool,
    /// For `trace` and `density`
    #[command(flatten)]
    pub replay: ReplayArgs,
    /// For `sandbox`: an hour of takers instead of five minutes
    #[arg(long)]
    pub soak: bool,
    /// The program to measure [default: this one]
    #[arg(long, value_name = "PATH", env = "OFFSHOOT_BIN")]
    pub bin: Option<PathBuf>,
    /// Where `workloads.py` is
    #[arg(long, value_name = "DIR", default_value = "workloads")]
    pub workloads_dir: PathBuf,
    /// The document that `render` writes into
    #[arg(long, value_name = "FILE", default_value = "docs/benchmarks.md")]
    pub doc: PathBuf,
}

/// Arguments of `offshoot bench trace` and `offshoot bench density`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ReplayArgs {
    /// For `trace`: the recorded load, `function,workload,mean_ms,m1,...` or `app,func,end_timestamp,duration`
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// For `trace`: divide its times, and the keep-alive windows, by this [default: as much as makes a run last 75 s]
    #[arg(long, value_name = "FACTOR", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub compress: Option<u32>,
    /// For `trace`: replay its first so many minutes [default: all]
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub minutes: Option<u32>,
    /// For `trace`: memory, in percent of what instances kept for ten minutes need [default: 100,50,25]
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100))]
    pub memory: Vec<u32>,
    /// For `trace`: write a report with plots, one file that needs no other
    #[arg(long, value_name = "REPORT")]
    pub html: Option<PathBuf>,
    /// For `density`: the memory that instances fill, in MiB [default: 4096]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(16..=1 << 20))]
    pub budget: Option<u64>,
}

impl BenchArgs {
    /// How many samples: as asked for, or as many as the scenario wants.
    pub(crate) fn n_or(&self, usual: u64, quick: u64) -> u64 {
        self.n
            .unwrap_or(if self.quick { quick } else { usual })
            .max(1)
    }

    /// How many seconds: as asked for, or as the scenario wants.
    pub(crate) fn seconds_or(&self, usual: u64, quick: u64) -> u64 {
        self.seconds
            .unwrap_or(if self.quick { quick } else { usual })
            .max(1)
    }
}
