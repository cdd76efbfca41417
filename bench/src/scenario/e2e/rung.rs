//! A rung, the settings that leave a daemon no other, and a client of it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use offshoot_testkit::HttpConnection;

/// The answer says how it came about if the request has this header.
pub(in crate::scenario) const WISH: (&str, &str) = ("x-offshoot-stages", "1");
const START: &str = "x-offshoot-start";
/// How long a seed, and what a seed learns of its first clone, may take.
const SETTLING: Duration = Duration::from_secs(30);
/// So many samples in a row come from the rung when it has settled.
const SETTLED: u32 = 8;

/// Where instances come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Rung {
    Hot,
    Parked,
    Clone,
    Level1,
    Cold,
}

impl Rung {
    pub(in crate::scenario) const ALL: [Self; 5] = [
        Self::Hot,
        Self::Parked,
        Self::Clone,
        Self::Level1,
        Self::Cold,
    ];

    pub(in crate::scenario) const fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Parked => "parked",
            Self::Clone => "clone",
            Self::Level1 => "level1",
            Self::Cold => "cold",
        }
    }

    /// Settings that leave no other rung. `runtime_seeds`: whether the daemon knows that setting.
    pub(in crate::scenario) fn settings(
        self,
        runtime_seeds: bool,
    ) -> Vec<(&'static str, &'static str)> {
        let mut settings = match self {
            Self::Hot => vec![NO_SEEDS],
            Self::Parked => vec![KEEP_NONE, SEED_AT_ONCE, ("OFFSHOOT_SEEDS_PARKED", "2")],
            Self::Clone => vec![KEEP_NONE, SEED_AT_ONCE, ("OFFSHOOT_SEEDS_PARKED", "0")],
            // A daemon without any seed has none of runtimes: those of versions come later than anybody waits.
            Self::Level1 if runtime_seeds => {
                let mut settings = vec![KEEP_NONE];
                settings.extend(SEEDS_LATE);
                settings
            }
            Self::Level1 | Self::Cold => vec![KEEP_NONE, NO_SEEDS],
        };
        if runtime_seeds && matches!(self, Self::Hot | Self::Level1 | Self::Cold) {
            settings.push(from_runtimes(self == Self::Level1));
        }
        settings
    }
}

/// The setting that the rung `level1` needs.
pub(in crate::scenario) const RUNTIME_SEEDS: &str = "seeds.runtime_seeds";
/// Why there is no such rung.
pub(in crate::scenario) const NO_LEVEL1: &str = "the program has no setting seeds.runtime_seeds";

/// Versions get seeds after so many events that nobody sends.
pub(in crate::scenario) const SEEDS_LATE: [(&str, &str); 2] = [
    ("OFFSHOOT_SEEDS_AFTER_EVENTS", "1000000"),
    ("OFFSHOOT_SEEDS_IDLE_AFTER", "1000000"),
];
const KEEP_NONE: (&str, &str) = ("OFFSHOOT_LIMITS_KEEP_ALIVE_S", "0");
const SEED_AT_ONCE: (&str, &str) = ("OFFSHOOT_SEEDS_AFTER_EVENTS", "1");
const NO_SEEDS: (&str, &str) = ("OFFSHOOT_SEEDS_AFTER_EVENTS", "0");

/// Whether instances come from the seeds of their runtimes.
pub(in crate::scenario) const fn from_runtimes(yes: bool) -> (&'static str, &'static str) {
    (
        "OFFSHOOT_SEEDS_RUNTIME_SEEDS",
        if yes { "true" } else { "false" },
    )
}

/// A client of a daemon whose instances come from one rung.
#[derive(Debug)]
pub(in crate::scenario) struct Client {
    rung: Rung,
    connection: HttpConnection,
    request: Vec<u8>,
}

impl Client {
    pub(in crate::scenario) fn new(
        rung: Rung,
        connection: HttpConnection,
        request: Vec<u8>,
    ) -> Self {
        Self {
            rung,
            connection,
            request,
        }
    }

    pub(in crate::scenario) fn rung(&self) -> Rung {
        self.rung
    }

    /// Invokes until the seed is there, and has learnt.
    pub(in crate::scenario) fn settle(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut in_a_row = 0;
        while in_a_row < SETTLED {
            let (start, _) = self.call()?;
            in_a_row = if start == self.rung.name() {
                in_a_row + 1
            } else {
                0
            };
            if begun.elapsed() > SETTLING {
                bail!(
                    "starts are {start}, not {}, after {SETTLING:?}",
                    self.rung.name()
                );
            }
            std::thread::sleep(super::PAUSE);
        }
        Ok(())
    }

    /// One event, which an instance of the rung must have handled.
    pub(in crate::scenario) fn sample(&mut self) -> anyhow::Result<Duration> {
        let (start, took) = self.call()?;
        let wanted = self.rung.name();
        ensure!(start == wanted, "the start was {start}, not {wanted}");
        Ok(took)
    }

    fn call(&mut self) -> anyhow::Result<(String, Duration)> {
        let sent = Instant::now();
        let answer = self.connection.exchange(&self.request)?;
        let took = sent.elapsed();
        ensure!(
            answer.status == 200 && answer.header("x-amz-function-error").is_none(),
            "status {}: {}",
            answer.status,
            String::from_utf8_lossy(answer.body)
        );
        let start = answer.header(START);
        let start = start.with_context(|| format!("no header {START}"))?;
        Ok((start.to_owned(), took))
    }
}
