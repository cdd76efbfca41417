//! Signals that wait.
// UNSAFETY: PTRACE_PEEKSIGINFO reads a structure and fills an array by address.
#![expect(unsafe_code)]

use crate::raw::{self, op};
use crate::{TraceError, Tracee};

/// Length of a `siginfo_t`.
const SIGINFO_BYTES: usize = 128;
/// How many are fetched by one call.
const BATCH: usize = 32;
/// The kernel queues no more than `RLIMIT_SIGPENDING`; this only bounds our memory.
const MOST_PENDING: usize = 1 << 20;

/// Whose signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Those sent to the thread.
    Thread,
    /// Those sent to its process.
    Process,
}

impl Tracee {
    /// The signals that wait to be delivered, oldest first, each as a `siginfo_t`. They go on
    /// waiting.
    ///
    /// # Errors
    /// It is not stopped any more.
    pub fn pending(&self, queue: Queue) -> Result<Vec<[u8; SIGINFO_BYTES]>, TraceError> {
        #[repr(C)]
        struct Peek {
            offset: u64,
            flags: u32,
            count: i32,
        }
        let mut found = Vec::new();
        while found.len() < MOST_PENDING {
            let mut batch = [[0_u8; SIGINFO_BYTES]; BATCH];
            let peek = Peek {
                offset: found.len() as u64,
                flags: u32::from(queue == Queue::Process), // PTRACE_PEEKSIGINFO_SHARED
                count: BATCH as i32,
            };
            let (from, to) = (&raw const peek as u64, batch.as_mut_ptr() as u64);
            // SAFETY: 1. The kernel reads one `ptrace_peeksiginfo_args` at `addr` and writes at
            // most `count` structures of 128 bytes at `data`: the length of the batch.
            let count = unsafe { raw::request(op::PEEKSIGINFO, self.tid(), from, to) };
            let count = usize::try_from(self.check("PTRACE_PEEKSIGINFO", count)?).unwrap_or(0);
            found.extend(batch.into_iter().take(count));
            if count < BATCH {
                break;
            }
        }
        Ok(found)
    }
}
