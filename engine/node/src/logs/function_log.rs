//! The log of one function: two segments on disk, what waits to be written, and followers.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::broadcast;

use super::LogLimits;
use super::pace::Pace;

pub(super) const CURRENT: &str = "current.log";
pub(super) const PREVIOUS: &str = "previous.log";
/// Appends that a slow follower may lag behind before it misses some.
const FOLLOWER_BACKLOG: usize = 256;
/// How long lines that nobody waits for may gather: a write for each of thousands of events a second would take as
/// long as handling some of them. A daemon that is killed loses that much log.
const GATHER: Duration = Duration::from_millis(2);
/// So many bytes are not kept waiting.
const GATHERED_BYTES: usize = 256 << 10;

/// One function's log. Dropping it writes what waits.
#[derive(Debug)]
pub(super) struct FunctionLog {
    folder: PathBuf,
    limits: LogLimits,
    segment: Mutex<Segment>,
    followers: broadcast::Sender<Bytes>,
}

#[derive(Debug, Default)]
struct Segment {
    file: Option<File>,
    len_bytes: u64,
    lost_lines: u64,
    /// Lines that wait to be written.
    gathered: Vec<u8>,
    /// Whether somebody will write them.
    promised: bool,
    /// The function is gone: what comes late is dropped.
    removed: bool,
    pace: Pace,
}

impl FunctionLog {
    pub(super) fn new(folder: PathBuf, limits: LogLimits) -> Self {
        Self {
            folder,
            limits,
            segment: Mutex::default(),
            followers: broadcast::channel(FOLLOWER_BACKLOG).0,
        }
    }

    pub(super) fn follow(&self) -> broadcast::Receiver<Bytes> {
        self.followers.subscribe()
    }

    /// Appends lines, behind those that wait; gives how long the function should wait before it logs more.
    pub(super) fn append(&self, lines: &[u8]) -> Duration {
        self.tell(lines);
        let mut segment = self.lock();
        segment.gathered.extend_from_slice(lines);
        self.write(&mut segment);
        segment.pace.spend(lines.len(), Instant::now())
    }

    /// Appends lines within [`GATHER`], together with others.
    pub(super) fn append_soon(self: &Arc<Self>, lines: &[u8]) {
        self.tell(lines);
        let mut segment = self.lock();
        segment.gathered.extend_from_slice(lines);
        if segment.gathered.len() >= GATHERED_BYTES {
            self.write(&mut segment);
        }
        if segment.promised || segment.gathered.is_empty() {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) => {
                segment.promised = true;
                let log = Arc::clone(self);
                runtime.spawn(async move {
                    tokio::time::sleep(GATHER).await;
                    let mut segment = log.lock();
                    segment.promised = false;
                    log.write(&mut segment);
                });
            }
            Err(_) => self.write(&mut segment),
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        self.write(&mut self.lock());
    }

    /// Drops what waits and all that may come.
    pub(super) fn remove(&self) {
        let mut segment = self.lock();
        segment.removed = true;
        segment.file = None;
    }

    fn tell(&self, lines: &[u8]) {
        if self.followers.receiver_count() > 0 {
            let _ = self.followers.send(Bytes::copy_from_slice(lines));
        }
    }

    fn write(&self, segment: &mut Segment) {
        let lines = std::mem::take(&mut segment.gathered);
        if lines.is_empty() || segment.removed {
            return;
        }
        if let Err(error) = segment.write(&self.folder, &lines, self.limits) {
            if segment.lost_lines == 0 {
                tracing::error!(log = %self.folder.display(), %error, "log lines are being lost");
            }
            segment.lost_lines += lines.iter().filter(|&&byte| byte == b'\n').count() as u64;
            segment.file = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Segment> {
        self.segment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FunctionLog {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Segment {
    fn write(&mut self, folder: &Path, lines: &[u8], limits: LogLimits) -> io::Result<()> {
        if self.len_bytes > 0 && self.len_bytes + lines.len() as u64 > limits.segment_bytes {
            self.file = None;
            fs::rename(folder.join(CURRENT), folder.join(PREVIOUS))?;
            self.len_bytes = 0;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                fs::create_dir_all(folder)?;
                let file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(folder.join(CURRENT))?;
                self.len_bytes = file.metadata()?.len();
                self.file.insert(file)
            }
        };
        if self.lost_lines > 0 {
            let notice = format!(
                "-\t-\t[offshoot] {} log lines were lost here\n",
                self.lost_lines
            );
            file.write_all(notice.as_bytes())?;
            self.len_bytes += notice.len() as u64;
            self.lost_lines = 0;
        }
        file.write_all(lines)?;
        self.len_bytes += lines.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(log: &FunctionLog) -> String {
        fs::read_to_string(log.folder.join(CURRENT)).unwrap_or_default()
    }

    #[tokio::test]
    async fn lines_that_nobody_waits_for_are_written_together_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let log = Arc::new(FunctionLog::new(dir.path().join("f"), LogLimits::default()));
        log.append_soon(b"1\n");
        log.append_soon(b"2\n");
        assert_eq!(read(&log), "");
        log.append(b"3\n");
        assert_eq!(read(&log), "1\n2\n3\n");
        log.append_soon(b"4\n");
        tokio::time::sleep(GATHER * 50).await;
        assert_eq!(read(&log), "1\n2\n3\n4\n");
    }

    #[tokio::test]
    async fn the_end_of_the_log_writes_what_waits_unless_it_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        for removed in [false, true] {
            let folder = dir.path().join(removed.to_string());
            let log = Arc::new(FunctionLog::new(folder.clone(), LogLimits::default()));
            // As a runtime that ends before the promise is kept.
            log.lock().gathered.extend_from_slice(b"last\n");
            if removed {
                log.remove();
            }
            drop(log);
            assert_eq!(folder.join(CURRENT).exists(), !removed);
        }
    }
}
