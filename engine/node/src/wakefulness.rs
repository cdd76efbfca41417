//! Idle CPUs that answer at once, as long as events flow.
//!
//! A hot event is four wake-ups long (client, daemon, runtime and back), and waking a CPU that has gone to sleep
//! costs more than the work in between: about 45 µs each in a virtual machine, where sleep ends in the hypervisor.
//! The kernel's PM QoS interface (`Documentation/power/pm_qos_interface.rst`) lets a process ask, by holding
//! `/dev/cpu_dma_latency` open, that idle CPUs stay ready. It burns power, so it is held only while events come one
//! upon the other, and let go soon after the last.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const DEVICE: &str = "/dev/cpu_dma_latency";
/// Two events within this time are a flow.
const FLOW_GAP: Duration = Duration::from_millis(20);
/// How long CPUs are kept ready after the last event; also how often that is looked at meanwhile.
const LINGER: Duration = Duration::from_millis(50);
/// Wake-up latency that is tolerated, in microseconds, as the device reads it: a 32-bit number.
const TOLERATED_US: i32 = 0;

/// Keeps CPUs ready while events flow.
#[derive(Debug)]
pub(crate) struct Wakefulness {
    /// Whether it is wanted, and the machine can.
    able: AtomicBool,
    held: AtomicBool,
    start: Instant,
    /// When the last event ended, in microseconds since `start`.
    last_us: AtomicU64,
}

impl Wakefulness {
    pub(crate) fn new(wanted: bool) -> Arc<Self> {
        Arc::new(Self {
            able: AtomicBool::new(wanted),
            held: AtomicBool::new(false),
            start: Instant::now(),
            last_us: AtomicU64::new(0),
        })
    }

    /// An event has ended. Costs two atomic operations; what follows from it happens in the background.
    pub(crate) fn note(self: &Arc<Self>) {
        let now_us = self.now_us();
        let last_us = self.last_us.swap(now_us, Ordering::Relaxed);
        let flows = last_us > 0 && now_us.saturating_sub(last_us) < FLOW_GAP.as_micros() as u64;
        if !flows || self.held.load(Ordering::Relaxed) || !self.able.load(Ordering::Relaxed) {
            return;
        }
        if !self.held.swap(true, Ordering::Relaxed) {
            tokio::spawn(Arc::clone(self).hold());
        }
    }

    /// Holds the device until events have ceased.
    async fn hold(self: Arc<Self>) {
        match request(Path::new(DEVICE)) {
            Ok(device) => {
                // An event may end between the two readings.
                while self
                    .now_us()
                    .saturating_sub(self.last_us.load(Ordering::Relaxed))
                    < LINGER.as_micros() as u64
                {
                    tokio::time::sleep(LINGER).await;
                }
                drop(device);
            }
            Err(error) => {
                self.able.store(false, Ordering::Relaxed);
                tracing::warn!(%error, "{DEVICE} cannot be held: sleeping CPUs make hot starts slower");
            }
        }
        self.held.store(false, Ordering::Relaxed);
    }

    fn now_us(&self) -> u64 {
        // Never zero, which stands for no event yet.
        self.start.elapsed().as_micros() as u64 + 1
    }
}

/// Asks for the tolerated latency, as long as the file is open.
fn request(device: &Path) -> io::Result<File> {
    let mut file = File::options().write(true).open(device)?;
    file.write_all(&TOLERATED_US.to_ne_bytes())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn only_a_flow_of_events_is_held_and_its_end_lets_go() {
        let wakefulness = Wakefulness::new(true);
        wakefulness.note();
        assert!(!wakefulness.held.load(Ordering::Relaxed), "one is no flow");
        wakefulness.note();
        assert!(wakefulness.held.load(Ordering::Relaxed));
        tokio::time::sleep(LINGER * 3).await;
        assert!(!wakefulness.held.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn nothing_is_held_unasked() {
        let wakefulness = Wakefulness::new(false);
        wakefulness.note();
        wakefulness.note();
        assert!(!wakefulness.held.load(Ordering::Relaxed));
    }

    #[test]
    fn what_the_device_gets_is_four_bytes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        drop(request(file.path()).unwrap());
        assert_eq!(std::fs::read(file.path()).unwrap(), 0_i32.to_ne_bytes());
    }
}
