//! A rung, the settings that leave a daemon no other, and a client of it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use offshoot_testkit::HttpConnection;

/// The answer says how it came about if the request has this header.
pub(super) const WISH: (&str, &str) = ("x-offshoot-stages", "1");
const START: &str = "x-offshoot-start";
/// How long a seed, and what a seed learns of its first clone, may take.
const SETTLING: Duration = Duration::from_secs(30);
/// So many samples in a row come from the rung when it has settled.
const SETTLED: u32 = 8;

/// Where instances come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rung {
    Hot,
    Parked,
    Clone,
    Cold,
}

impl Rung {
    pub(super) const ALL: [Self; 4] = [Self::Hot, Self::Parked, Self::Clone, Self::Cold];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Parked => "parked",
            Self::Clone => "clone",
            Self::Cold => "cold",
        }
    }

    pub(super) const fn settings(self) -> &'static [(&'static str, &'static str)] {
        const KEEP_NONE: (&str, &str) = ("OFFSHOOT_LIMITS_KEEP_ALIVE_S", "0");
        const SEED_AT_ONCE: (&str, &str) = ("OFFSHOOT_SEEDS_AFTER_EVENTS", "1");
        const NO_SEEDS: (&str, &str) = ("OFFSHOOT_SEEDS_AFTER_EVENTS", "0");
        match self {
            Self::Hot => &[NO_SEEDS],
            Self::Parked => &[KEEP_NONE, SEED_AT_ONCE, ("OFFSHOOT_SEEDS_PARKED", "2")],
            Self::Clone => &[KEEP_NONE, SEED_AT_ONCE, ("OFFSHOOT_SEEDS_PARKED", "0")],
            Self::Cold => &[KEEP_NONE, NO_SEEDS],
        }
    }
}

/// A client of a daemon whose instances come from one rung.
#[derive(Debug)]
pub(super) struct Client {
    rung: Rung,
    connection: HttpConnection,
    request: Vec<u8>,
}

impl Client {
    pub(super) fn new(rung: Rung, connection: HttpConnection, request: Vec<u8>) -> Self {
        Self {
            rung,
            connection,
            request,
        }
    }

    pub(super) fn rung(&self) -> Rung {
        self.rung
    }

    /// Invokes until the seed is there, and has learnt.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
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
    pub(super) fn sample(&mut self) -> anyhow::Result<Duration> {
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
