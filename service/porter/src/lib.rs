//! The porter: which instance handles an event, and what is kept ready for the next one.
//!
//! ```text
//! invoke ──> admit ──> hot or parked, found at once ──────────────> activate ──> keep, or end
//!              │            else: climb (clone, restore, cold) ──────^                │
//!              └──── offshoot-decide's core, under one lock <──────────────────────────┘
//!                         │ decide, at events and when something is due
//!                       drive ──> park, retire, make and drop templates, make and rotate seeds
//! ```
//!
//! 1. The core lets an event in under its function's and the account's concurrency, and memory (`admit`).
//! 2. The event (`handle`) climbs down the ladder (`climb`), best rung first: an idle **hot** instance of the same revision, a **parked**
//!    clone (`slots`), a **clone** made now, else a **cold** one made by the node. A failed rung falls down one and
//!    never fails the call by itself. What has to be started waits while all processors are busy (`gate`), fairly between
//!    functions (`fair`); inits, which may take seconds, wait for each other and for no clone.
//!    Where a function's instances have several events at once, one at work that has room comes first, and one in the making that will
//!    have room is waited for once (`shares`).
//! 3. The instance goes back. How long it is kept, how many clones are parked, which templates are at hand and when seeds
//!    are made, the core decides; [`Porter::drive`] asks it and does what it says (`work`).
//! 4. What came of an event is noted for operators (`starts`, `metered`).
//! 5. Every action is kept with its figures for a while ([`Porter::decisions`]), and [`Porter::explain`] tells the state of
//!    a function's ladder.
//!
//! The porter knows a node only as [`Fri`](offshoot_node::Fri), so its decisions run unchanged against a simulated node. What callers
//! must ensure: [`Porter::drive`] runs, [`Porter::retire_function`] is called when a function changes or goes, and
//! [`Porter::drain`] at the end. Cost of a hot pass: three short locks, one allocation, and at most ten times a second a wake-up
//! of the driver. Policy: `docs/design/porter.md`.

mod admission;
mod admit;
mod climb;
mod decisions;
mod detach;
mod drive;
mod fair;
mod gate;
mod handle;
mod keep;
mod metered;
mod policy;
mod porter;
mod recall;
mod resident;
mod shares;
mod slots;
mod starts;
mod state;
mod target;
mod work;

pub use admission::ThrottleReason;
pub use decisions::Decided;
pub use policy::{PorterConfig, SeedPolicy};
pub use porter::{InvokeError, Porter};
pub use starts::{FunctionHistory, KindHistory, Start, StartBook};
pub use target::Target;

pub use offshoot_decide::Decision;
