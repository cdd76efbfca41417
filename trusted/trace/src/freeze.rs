//! All threads of a process, stopped.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::{TraceError, Tracee};

/// How often the threads are listed before we give up on a process that keeps making new ones.
const MOST_ROUNDS: u32 = 64;

/// A process none of whose threads runs. Dropping it lets them go on.
#[derive(Debug)]
pub struct Frozen {
    pid: u32,
    threads: Vec<Tracee>,
}

impl Frozen {
    /// Stops every thread of a process, waiting at most `patience` for each.
    ///
    /// Threads are listed again until no new one appears: a stopped thread makes none. One that
    /// ends meanwhile is not missed.
    ///
    /// # Errors
    /// A thread cannot be traced or does not stop; the main thread has ended. Threads that had been
    /// stopped go on.
    pub fn freeze(pid: u32, patience: Duration) -> Result<Self, TraceError> {
        let mut frozen = Self {
            pid,
            threads: Vec::new(),
        };
        let mut ended = BTreeSet::new();
        for _ in 0..MOST_ROUNDS {
            let mut arrivals = Vec::new();
            for tid in list_threads(pid)? {
                if ended.contains(&tid) || frozen.threads.iter().any(|known| known.tid() == tid) {
                    continue;
                }
                match Tracee::seize(tid)? {
                    Some(mut tracee) => match tracee.interrupt() {
                        Ok(()) => arrivals.push(tracee),
                        Err(TraceError::Ended { .. }) => drop(ended.insert(tid)),
                        Err(error) => return Err(error),
                    },
                    None => drop(ended.insert(tid)),
                }
            }
            if arrivals.is_empty() {
                return frozen.with_main_thread_first();
            }
            for mut tracee in arrivals {
                match tracee.wait_stopped(patience) {
                    Ok(()) => frozen.threads.push(tracee),
                    Err(TraceError::Ended { tid }) => drop(ended.insert(tid)),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(TraceError::Restless {
            pid,
            rounds: MOST_ROUNDS,
        })
    }

    /// The process.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Its threads, the main thread first, the others ascending by id.
    pub fn threads(&self) -> &[Tracee] {
        &self.threads
    }

    /// Its threads, to be changed.
    pub fn threads_mut(&mut self) -> &mut [Tracee] {
        &mut self.threads
    }

    /// Lets all threads go on, untraced.
    pub fn thaw(self) {
        drop(self);
    }

    fn with_main_thread_first(mut self) -> Result<Self, TraceError> {
        let pid = self.pid;
        self.threads
            .sort_by_key(|tracee| (tracee.tid() != pid, tracee.tid()));
        match self.threads.first() {
            Some(first) if first.tid() == pid => Ok(self),
            Some(_) => Err(TraceError::MainThreadEnded { pid }),
            None => Err(TraceError::Ended { tid: pid }),
        }
    }
}

fn list_threads(pid: u32) -> Result<Vec<u32>, TraceError> {
    let path = format!("/proc/{pid}/task");
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(TraceError::Ended { tid: pid });
        }
        Err(source) => return Err(TraceError::Proc { path, source }),
    };
    let mut threads = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| TraceError::Proc {
            path: path.clone(),
            source,
        })?;
        threads.extend(
            entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    Ok(threads)
}
