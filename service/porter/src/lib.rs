//! The porter: which instance handles an event.
//!
//! 1. An invocation takes a place under its function's and the account's concurrency (`admission`).
//! 2. It climbs down the ladder, best rung first: an idle **hot** instance of the same revision (`pool`),
//!    a **parked** clone, a **clone** made now, else a **cold** one made by the node. A failed rung falls down one and never fails the call by itself.
//! 3. The instance goes back to the pool, where keep-alive ends it after a while ([`Porter::keep_alive`]).
//!
//! 4. In the background, versions that are used get seeds, and parked clones (`seeding`).
//! 5. What came of an event is noted for operators (`starts`, `metered`).
//!
//! The porter knows a node only as [`Fri`](offshoot_node::Fri), so its decisions run unchanged against a simulated node. What callers
//! must ensure: [`Porter::retire_function`] is called when a function changes or goes, and [`Porter::drain`] at
//! the end. Cost of a hot pass: four short locks, one allocation.

mod admission;
mod detach;
mod metered;
mod pool;
mod porter;
mod seeding;
mod starts;
mod target;

pub use admission::ThrottleReason;
pub use porter::{InvokeError, Porter, PorterConfig};
pub use seeding::SeedPolicy;
pub use starts::{FunctionHistory, KindHistory, Start, StartBook};
pub use target::Target;
