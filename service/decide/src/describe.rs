//! Actions and reasons in words, for people who read a list of them.

use std::fmt;

use crate::action::{Deed, Reason};
use crate::event::SeedOf;
use crate::pressure::Pressure;
use crate::rung::Backing;

impl Deed {
    /// Its name, without figures.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RetireIdle { .. } => "retire_idle",
            Self::Park { .. } => "park",
            Self::Unpark { .. } => "unpark",
            Self::MakeTemplate { .. } => "make_template",
            Self::ReplaceTemplate { .. } => "replace_template",
            Self::DropTemplate { .. } => "drop_template",
            Self::MakeSeed { .. } => "make_seed",
            Self::RotateSeed { .. } => "rotate_seed",
            Self::DropSeed { .. } => "drop_seed",
            Self::SetGhosts { .. } => "set_ghosts",
            Self::SetKeepAlive { .. } => "set_keep_alive",
            Self::SetKeepAliveCap { .. } => "set_keep_alive_cap",
        }
    }
}

/// The name, and how many or which.
impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::RetireIdle { count, .. }
            | Self::Park { count, .. }
            | Self::Unpark { count, .. }
            | Self::SetGhosts { count } => write!(f, " {count}"),
            Self::MakeTemplate { backing, .. } | Self::ReplaceTemplate { backing, .. } => {
                write!(f, " {backing}")
            }
            Self::SetKeepAlive { window_us, .. } => write!(f, " {}", Span(*window_us)),
            Self::SetKeepAliveCap {
                cap_us: Some(cap_us),
            } => write!(f, " {}", Span(*cap_us)),
            Self::SetKeepAliveCap { cap_us: None } => f.write_str(" none"),
            Self::MakeSeed {
                seed: SeedOf::Runtime(runtime),
            }
            | Self::RotateSeed {
                seed: SeedOf::Runtime(runtime),
            } => write!(f, " of {runtime}"),
            Self::MakeSeed { .. }
            | Self::RotateSeed { .. }
            | Self::DropSeed { .. }
            | Self::DropTemplate { .. } => Ok(()),
        }
    }
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Mapped => "mapped",
        })
    }
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Slight => "slight",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// A sentence with the figures.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle {
                idle_us,
                window_us,
                cap_us,
            } => {
                let (idle, window) = (Span(*idle_us), Span(*window_us));
                write!(f, "idle for {idle} of a window of {window}")?;
                cap_us.map_or(Ok(()), |cap| write!(f, ", capped at {}", Span(cap)))
            }
            Self::Memory {
                used_bytes,
                goal_bytes,
                freed_bytes,
                saved_us,
                per_second,
                keeps_slo,
            } => {
                let (used, goal, freed) =
                    (Size(*used_bytes), Size(*goal_bytes), Size(*freed_bytes));
                let saved = Span(*saved_us);
                let keeps = if *keeps_slo { "kept" } else { "given up" };
                write!(
                    f,
                    "{used} are used and {goal} may be: it frees {freed}, and saved {saved} a start at {per_second:.3} \
                     starts a second; the target is {keeps}"
                )
            }
            Self::Unused { since_us, after_us } => {
                write!(
                    f,
                    "not used for {}, {} are enough",
                    Span(*since_us),
                    Span(*after_us)
                )
            }
            Self::Demand {
                peak,
                ready,
                parked,
                clone_p50_us,
                target_p50_us,
            } => write!(
                f,
                "{peak} events at once of late, {ready} instances ready and {parked} parked; a clone takes {} and may \
                 take {}",
                Span(*clone_p50_us),
                Span(*target_p50_us)
            ),
            Self::Wanted {
                only_recalled,
                used_bytes,
                needed_bytes,
                limit_bytes,
            } => write!(
                f,
                "{}: {} are needed, {} of {} are used",
                if *only_recalled {
                    "it was at hand before the daemon began"
                } else {
                    "starts missed it"
                },
                Size(*needed_bytes),
                Size(*used_bytes),
                Size(*limit_bytes)
            ),
            Self::Stale => f.write_str("its seed was made anew"),
            Self::TooSlow {
                clone_p99_us,
                target_p99_us,
            } => write!(
                f,
                "99 of 100 clones take up to {} and may take {}",
                Span(*clone_p99_us),
                Span(*target_p99_us)
            ),
            Self::Invocations { count, after } => {
                write!(f, "{count} invocations have ended, {after} were waited for")
            }
            Self::Spare { count, after } => write!(
                f,
                "processors and memory are free: {count} invocations have ended, {after} would have been waited for"
            ),
            Self::Published => f.write_str("the version was published with a snapshot"),
            Self::ColdStarts { count } => write!(f, "{count} starts of the runtime without it"),
            Self::Clones { count, after } => {
                write!(f, "{count} clones share its address layout, {after} may")
            }
            Self::Age { age_us, after_us } => {
                write!(
                    f,
                    "it is {} old, {} are allowed",
                    Span(*age_us),
                    Span(*after_us)
                )
            }
            Self::Disk {
                used_bytes,
                budget_bytes,
            } => write!(
                f,
                "images take {} of {}",
                Size(*used_bytes),
                Size(*budget_bytes)
            ),
            Self::Gaps {
                samples,
                p50_us,
                p99_us,
            } => write!(
                f,
                "of {samples} gaps between calls, half are up to {} and 99 of 100 up to {}",
                Span(*p50_us),
                Span(*p99_us)
            ),
            Self::Pressure {
                level,
                used_bytes,
                limit_bytes,
                psi_some,
                psi_full,
            } => write!(
                f,
                "memory pressure is {level}: {} of {} are used, stalls {psi_some:.1} % some and {psi_full:.1} % full",
                Size(*used_bytes),
                Size(*limit_bytes)
            ),
            Self::Takes {
                per_second,
                refill_us,
            } => write!(
                f,
                "{per_second:.1} sandboxes are taken a second, and one takes {} to make",
                Span(*refill_us)
            ),
        }
    }
}

/// Microseconds, for people.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us @ 0..1_000 => write!(f, "{us} µs"),
            us @ 1_000..1_000_000 => write!(f, "{:.1} ms", us as f64 / 1e3),
            us @ 1_000_000..60_000_000 => write!(f, "{:.1} s", us as f64 / 1e6),
            us @ 60_000_000..3_600_000_000 => write!(f, "{:.1} min", us as f64 / 60e6),
            us => write!(f, "{:.1} h", us as f64 / 3600e6),
        }
    }
}

/// Bytes, for people.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u64::MAX => f.write_str("unlimited"),
            bytes => write!(f, "{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FunctionId;

    #[test]
    fn action_and_reason_say_their_figures() {
        let deed = Deed::RetireIdle {
            function: FunctionId(3),
            count: 2,
        };
        assert_eq!(deed.to_string(), "retire_idle 2");
        let reason = Reason::Idle {
            idle_us: 90_000_000,
            window_us: 600_000_000,
            cap_us: Some(60_000_000),
        };
        assert_eq!(
            reason.to_string(),
            "idle for 1.5 min of a window of 10.0 min, capped at 1.0 min"
        );
        assert_eq!(Size(u64::MAX).to_string(), "unlimited");
        assert_eq!(Size(3 << 19).to_string(), "1.5 MiB");
    }
}
