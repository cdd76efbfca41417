//! The daemon gets a processor before functions that keep all of them busy.

use std::fs;
use std::io;
use std::time::Duration;

use offshoot_sys::schedule::run_soon;

/// About nine times the weight of an ordinary thread (`sched(7)`); all functions together weigh as much as one such.
const NICE: i32 = -10;
/// The shortest that the kernel takes: a request needs less.
const SLICE: Duration = Duration::from_micros(100);

/// Has the threads that are there, which serve requests, run soon after they have become ready. What they make is ordinary again:
/// threads for long work, the nursery, and so all sandboxes.
pub(super) fn raise() {
    if let Err(error) = raise_all() {
        tracing::warn!(%error, "the daemon runs at ordinary priority: busy functions delay it");
    }
}

fn raise_all() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/task")? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.parse().ok());
        run_soon(id.unwrap_or(0), NICE, SLICE)?;
    }
    Ok(())
}
