//! The log files of all functions.
//!
//! One folder a function with two segments: `current.log` grows to its limit, then becomes `previous.log`. So a
//! function that prints without end costs at most two segments.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::broadcast;

use super::function_log::{CURRENT, FunctionLog, PREVIOUS};

/// How much log is kept.
#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    /// Size at which a segment is closed, in bytes; a function has at most two.
    pub segment_bytes: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            segment_bytes: 4 << 20,
        }
    }
}

/// Why a log could not be read or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the log {path}")]
pub struct LogError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The logs of all functions.
#[derive(Debug)]
pub struct LogBook {
    dir: PathBuf,
    limits: LogLimits,
    functions: Mutex<HashMap<String, Arc<FunctionLog>>>,
}

impl LogBook {
    /// Logs below `dir`, which is made if need be.
    pub fn open(dir: &Path, limits: LogLimits) -> Result<Self, LogError> {
        fs::create_dir_all(dir).map_err(|source| failed("make", dir, source))?;
        Ok(Self {
            dir: dir.to_owned(),
            limits,
            functions: Mutex::default(),
        })
    }

    /// Appends whole lines to a function's log. A full disk loses lines, never the invocation: the loss is
    /// counted and written into the log once there is room again.
    ///
    /// Gives how long the function should not be listened to: zero, unless it logs without end.
    pub fn append(&self, function: &str, lines: &[u8]) -> Duration {
        self.log(function).append(lines)
    }

    /// The same a few milliseconds later, together with other lines: for lines that nobody waits for.
    pub(super) fn append_soon(&self, function: &str, lines: &[u8]) {
        self.log(function).append_soon(lines);
    }

    /// The last `limit_bytes` of a function's log, from the start of a line.
    pub fn tail(&self, function: &str, limit_bytes: u64) -> Result<Vec<u8>, LogError> {
        let known = lock(&self.functions).get(function).cloned();
        if let Some(log) = known {
            log.flush();
        }
        let folder = self.dir.join(function);
        let mut text = read_end(&folder.join(CURRENT), limit_bytes)?;
        let left = limit_bytes.saturating_sub(text.len() as u64);
        if left > 0 {
            let mut older = read_end(&folder.join(PREVIOUS), left)?;
            older.append(&mut text);
            text = older;
        }
        if text.len() as u64 == limit_bytes {
            let line = text
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(0, |end| end + 1);
            text.drain(..line);
        }
        Ok(text)
    }

    /// What will be appended from now on.
    pub fn follow(&self, function: &str) -> broadcast::Receiver<Bytes> {
        self.log(function).follow()
    }

    /// Removes a deleted function's log.
    pub fn remove(&self, function: &str) -> Result<(), LogError> {
        let known = lock(&self.functions).remove(function);
        if let Some(log) = known {
            log.remove();
        }
        let folder = self.dir.join(function);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &folder, error))
            }
            _ => Ok(()),
        }
    }

    fn log(&self, function: &str) -> Arc<FunctionLog> {
        let mut functions = lock(&self.functions);
        if let Some(log) = functions.get(function) {
            return Arc::clone(log);
        }
        let log = Arc::new(FunctionLog::new(self.dir.join(function), self.limits));
        functions.insert(function.to_owned(), Arc::clone(&log));
        log
    }
}

fn read_end(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, LogError> {
    let mut text = Vec::new();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(text),
        Err(source) => return Err(failed("open", path, source)),
    };
    let read = || -> io::Result<()> {
        let len_bytes = file.metadata()?.len();
        file.seek(SeekFrom::Start(len_bytes.saturating_sub(limit_bytes)))?;
        file.take(limit_bytes).read_to_end(&mut text)?;
        Ok(())
    };
    read().map_err(|source| failed("read", path, source))?;
    Ok(text)
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> LogError {
    LogError {
        action,
        path: path.to_owned(),
        source,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_log_never_holds_more_than_two_segments() {
        let dir = tempfile::tempdir().unwrap();
        let book = LogBook::open(dir.path(), LogLimits { segment_bytes: 100 }).unwrap();
        for number in 0..100 {
            book.append("f", format!("line {number}\n").as_bytes());
        }
        let sizes: u64 = fs::read_dir(dir.path().join("f"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(sizes <= 200, "{sizes} bytes");
        assert!(
            String::from_utf8(book.tail("f", 1000).unwrap())
                .unwrap()
                .ends_with("line 99\n")
        );
    }

    #[test]
    fn tail_starts_at_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let book = LogBook::open(dir.path(), LogLimits::default()).unwrap();
        book.append("f", b"first line\nsecond line\n");
        assert_eq!(book.tail("f", 15).unwrap(), b"second line\n");
    }

    #[tokio::test]
    async fn followers_see_what_is_appended_after_they_came() {
        let dir = tempfile::tempdir().unwrap();
        let book = LogBook::open(dir.path(), LogLimits::default()).unwrap();
        book.append("f", b"before\n");
        let mut follower = book.follow("f");
        book.append("f", b"after\n");
        assert_eq!(
            follower.recv().await.unwrap(),
            Bytes::from_static(b"after\n")
        );
    }
}
