//! What the page shows, as plain data.

/// What changes with every start.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// The daemon's version.
    pub version: String,
    /// Functions that were started, the latest first.
    pub functions: Vec<Function>,
    /// How many functions were started in all.
    pub started: usize,
    /// Names of functions that were never started.
    pub waiting: Vec<String>,
    /// The kept starts of the function that is open, the latest first.
    pub starts: Vec<Start>,
    /// Instances and sandboxes.
    pub pools: Pools,
    /// What the porter has decided, the latest first.
    pub decisions: Vec<Decision>,
}

/// A function and its starts since the daemon began.
#[derive(Debug, Clone, Default)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// By kind, best first.
    pub kinds: Vec<Kind>,
}

/// All starts of one kind.
#[derive(Debug, Clone, Default)]
pub struct Kind {
    /// `hot`, `parked`, `clone`, `restore`, `level1` or `cold`.
    pub name: String,
    /// How many.
    pub count: u64,
    /// The median, from a request's arrival to its whole answer, in microseconds.
    pub p50_us: u64,
    /// The 99th percentile of the same.
    pub p99_us: u64,
    /// How many took so many microseconds, ascending.
    pub recorded: Vec<(u64, u64)>,
}

/// One start.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Its number among its function's, from 1.
    pub number: u64,
    /// When it ended, in milliseconds since 1970.
    pub at_ms: i64,
    /// Its kind, as [`Kind::name`].
    pub kind: String,
    /// The function's version.
    pub version: String,
    /// The request.
    pub request_id: String,
    /// Whether the function failed.
    pub failed: bool,
    /// Each stage's name and microseconds, in order.
    pub stages: Vec<(&'static str, u64)>,
}

/// Instances and sandboxes that wait.
#[derive(Debug, Clone, Default)]
pub struct Pools {
    /// Instances between two events.
    pub idle: usize,
    /// Instances at work, being made, or parked.
    pub busy: usize,
    /// Clones that wait for their first event.
    pub parked: usize,
    /// The pool of sandboxes, if there is one.
    pub sandboxes: Option<Sandboxes>,
}

/// The pool of sandboxes.
#[derive(Debug, Clone, Default)]
pub struct Sandboxes {
    /// Ghosts that wait.
    pub ghosts: usize,
    /// Sandboxes that are somebody's.
    pub taken: usize,
    /// How many ghosts were taken since the daemon began.
    pub takes: u64,
    /// How long taking took, all together, in microseconds.
    pub take_us: u64,
    /// How often there was none.
    pub misses: u64,
    /// How many sandboxes were made ghosts again.
    pub repurposed: u64,
    /// How long that took, all together, in microseconds.
    pub repurpose_us: u64,
    /// Why sandboxes were made anew instead, and how often.
    pub recreations: Vec<(String, u64)>,
}

/// One decision of the porter.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// Counts them.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whose instances it was about, if anybody's.
    pub function: Option<String>,
    /// What was done.
    pub action: String,
    /// Why.
    pub why: String,
}

/// A seed, and what was made of it.
#[derive(Debug, Clone, Default)]
pub struct Seed {
    /// Its function, or its runtime.
    pub name: String,
    /// The function's version, if it is a function's.
    pub version: Option<String>,
    /// `stored`, `resident`, `refused` and so on.
    pub state: String,
    /// Its image.
    pub image: Option<String>,
    /// What the image takes of the disk, in bytes.
    pub stored_bytes: Option<u64>,
    /// Why there cannot be one.
    pub reason: Option<String>,
    /// Its template's memory.
    pub template: Option<Memory>,
    /// Its clones that live.
    pub clones: Vec<LivingClone>,
    /// How many of them are not in the list.
    pub more_clones: usize,
    /// Seeds that store only what differs from this one.
    pub children: Vec<Self>,
}

/// A clone that lives.
#[derive(Debug, Clone, Default)]
pub struct LivingClone {
    /// The instance.
    pub instance: String,
    /// Its memory.
    pub memory: Memory,
}

/// A process's memory in bytes, as the kernel counts it (`smaps_rollup`).
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Its share, if each page is divided among those who have it.
    pub proportional: u64,
    /// Pages that others have too.
    pub shared: u64,
    /// Pages that nobody else has.
    pub private: u64,
}
