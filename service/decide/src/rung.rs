//! The rungs of the ladder, and where a template's pages live.

use serde::Serialize;

/// How an instance for an event is found, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// An idle instance.
    Hot,
    /// A clone that was made ahead and waits.
    Parked,
    /// A clone of the function's template.
    Clone,
    /// The function's image becomes its template, then a clone.
    Restore,
    /// A clone of the runtime's seed, and the function's own init.
    Level1,
    /// An ordinary start.
    Cold,
}

impl Rung {
    /// All rungs, best first.
    pub const ALL: [Self; 6] = [
        Self::Hot,
        Self::Parked,
        Self::Clone,
        Self::Restore,
        Self::Level1,
        Self::Cold,
    ];

    /// Whether the instance shares its seed's pages.
    pub fn is_clone(self) -> bool {
        matches!(self, Self::Parked | Self::Clone | Self::Restore)
    }
}

/// One value for each rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PerRung<T> {
    values: [T; 6],
}

impl<T> PerRung<T> {
    /// The values that `of` gives.
    pub fn new(of: impl FnMut(Rung) -> T) -> Self {
        Self {
            values: Rung::ALL.map(of),
        }
    }

    /// The value of a rung.
    pub fn get(&self, rung: Rung) -> &T {
        &self.values[rung as usize]
    }

    /// The value of a rung, to be changed.
    pub fn get_mut(&mut self, rung: Rung) -> &mut T {
        &mut self.values[rung as usize]
    }
}

/// Where a template's pages live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backing {
    /// Writable pages were copied into the template's own memory.
    Local,
    /// Everything comes from the pool: least memory.
    Mapped,
}
