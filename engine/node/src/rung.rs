//! The rungs of the ladder, best first (design: hot, parked, clone, restore, level 1, cold).

use std::fmt;

/// Where the instance of an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// It had handled an event before.
    #[default]
    Hot,
    /// A clone that was made ahead, and waited.
    Parked,
    /// A clone of a resident seed.
    Clone,
    /// A clone of a seed whose template had to be made of its image first.
    Restore,
    /// A clone of the runtime's seed, in which user code was initialised.
    Level1,
    /// Initialised in the ordinary way.
    Cold,
}

impl Rung {
    /// Its name in headers, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Parked => "parked",
            Self::Clone => "clone",
            Self::Restore => "restore",
            Self::Level1 => "level1",
            Self::Cold => "cold",
        }
    }

    /// Whether the instance handles its first event.
    pub const fn is_first(self) -> bool {
        !matches!(self, Self::Hot)
    }

    /// Whether user code was initialised for it: it is no clone of another instance.
    pub const fn is_initialised(self) -> bool {
        matches!(self, Self::Level1 | Self::Cold)
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
