//! Memory: how much is used, and how hard that presses.

use serde::Serialize;

use crate::action::Reason;
use crate::event::NodeReading;
use crate::policy::Policy;

/// How hard memory presses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pressure {
    /// Not at all.
    #[default]
    None,
    /// Keep-alive is capped; no template is made that nobody asked for.
    Slight,
    /// Nothing is made ahead.
    High,
    /// Only what an event needs now is made.
    Critical,
}

/// The node's memory: the last reading, and what was decided since.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    reading: NodeReading,
    used_bytes: u64,
    level: Pressure,
    /// PSI asks for so many bytes less than are used now.
    owed_bytes: u64,
}

impl Memory {
    /// Without a limit until the first reading.
    pub(crate) fn new() -> Self {
        let reading = NodeReading {
            limit_bytes: u64::MAX,
            ..NodeReading::default()
        };
        Self {
            reading,
            used_bytes: 0,
            level: Pressure::None,
            owed_bytes: 0,
        }
    }

    pub(crate) fn read(&mut self, reading: NodeReading, policy: &Policy) {
        self.used_bytes = reading.used_bytes.saturating_sub(reading.freeing_bytes);
        self.reading = reading;
        let stalls = reading.psi_some >= policy.psi_some || reading.psi_full >= policy.psi_full;
        // A twentieth per reading: stalls end some time after their cause, so more would overshoot.
        self.owed_bytes = if stalls { reading.limit_bytes / 20 } else { 0 };
        self.update(policy);
    }

    pub(crate) fn take(&mut self, bytes: u64) {
        self.used_bytes = self.used_bytes.saturating_add(bytes);
    }

    pub(crate) fn free(&mut self, bytes: u64) {
        self.used_bytes = self.used_bytes.saturating_sub(bytes);
    }

    /// Finds the level anew after memory was taken or freed. A level is left later than it is entered.
    pub(crate) fn update(&mut self, policy: &Policy) -> Pressure {
        let levels = [Pressure::Slight, Pressure::High, Pressure::Critical];
        let holds = |level: &Pressure| {
            let at = *level as usize - 1;
            let left_later = *level <= self.level;
            let margin = if left_later {
                policy.pressure_margin_percent
            } else {
                0
            };
            let psi = if left_later { 0.5 } else { 1.0 };
            let percent = policy.pressure_percent[at].saturating_sub(margin);
            self.used_bytes > self.percent_bytes(percent)
                || *level <= Pressure::High && self.reading.psi_some >= psi * policy.psi_some
                || self.reading.psi_full >= psi * policy.psi_full
        };
        let level = levels.into_iter().rev().find(holds);
        self.level = level.unwrap_or_default();
        self.level
    }

    /// Whether there is time and memory for what is not needed yet.
    pub(crate) fn is_idle(&self) -> bool {
        self.reading.is_idle && self.level < Pressure::High
    }

    pub(crate) fn level(&self) -> Pressure {
        self.level
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    pub(crate) fn limit_bytes(&self) -> u64 {
        self.reading.limit_bytes
    }

    /// Whether `bytes` more are within the limit.
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        self.used_bytes.saturating_add(bytes) <= self.reading.limit_bytes
    }

    /// Whether `bytes` more leave pressure as it is: below the mark at which it begins.
    pub(crate) fn fits_easily(&self, bytes: u64, policy: &Policy) -> bool {
        let percent = policy.pressure_percent[0].saturating_sub(policy.pressure_margin_percent);
        self.used_bytes.saturating_add(bytes) <= self.percent_bytes(percent)
    }

    /// What use must come down to now, if it must.
    pub(crate) fn goal_bytes(&self, policy: &Policy) -> Option<u64> {
        let too_much = self.used_bytes > self.percent_bytes(policy.reclaim_above_percent);
        let goal = if too_much {
            self.percent_bytes(policy.reclaim_to_percent)
        } else {
            self.used_bytes
        };
        let goal = goal.min(self.used_bytes.saturating_sub(self.owed_bytes));
        (goal < self.used_bytes).then_some(goal)
    }

    /// What PSI asked for was done as far as it can be.
    pub(crate) fn forgive(&mut self) {
        self.owed_bytes = 0;
    }

    pub(crate) fn reason(&self) -> Reason {
        Reason::Pressure {
            level: self.level,
            used_bytes: self.used_bytes,
            limit_bytes: self.reading.limit_bytes,
            psi_some: self.reading.psi_some,
            psi_full: self.reading.psi_full,
        }
    }

    fn percent_bytes(&self, percent: u64) -> u64 {
        self.reading.limit_bytes / 100 * percent
    }
}
