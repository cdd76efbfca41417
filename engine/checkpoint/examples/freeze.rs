//! Checkpoints a process some times and tells how long it stood still: `freeze PID [TIMES]`.

use std::collections::BTreeSet;

use offshoot_checkpoint::{Options, checkpoint};
use offshoot_image::Key;
use offshoot_pool::{ImageName, Mount, Pool, PoolConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let pid: u32 = arguments.next().ok_or("which process?")?.parse()?;
    let times: usize = arguments
        .next()
        .unwrap_or_else(|| "20".to_owned())
        .parse()?;
    let dir = tempfile::tempdir_in("/dev/shm")?;
    let config = PoolConfig {
        dir: dir.path().join("pool"),
        mount: Mount::Existing,
    };
    let pool = Pool::open(&config, Key([7; 32]))?;
    let mut reports = Vec::new();
    for nth in 0..times {
        let name = ImageName::new(format!("image-{nth}"))?;
        let options = Options {
            name: name.clone(),
            external: BTreeSet::from([0, 1, 2]),
            leave_running: true,
            parent: None,
            for_mapping: true,
        };
        reports.push(checkpoint(pid, &options, &pool)?);
        pool.remove(&name)?;
    }
    reports.sort_by_key(|report| report.freeze_us);
    if let (Some(best), Some(worst)) = (reports.first(), reports.last()) {
        let median = &reports[reports.len() / 2];
        println!("{median:?}");
        let [low, middle, high] = [best, median, worst].map(|report| report.freeze_us);
        println!("freeze: least {low} µs, median {middle} µs, most {high} µs of {times}");
    }
    Ok(())
}
