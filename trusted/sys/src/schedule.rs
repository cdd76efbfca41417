//! How the kernel's scheduler treats a thread (`sched(7)`).
// UNSAFETY: raw system calls; their one pointer leads to a structure of ours.
#![expect(unsafe_code)]

use std::io;
use std::time::Duration;

/// `struct sched_attr` of `sched_setattr(2)`, without the fields that came later.
#[repr(C)]
#[derive(Debug, Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

/// `SCHED_FLAG_RESET_ON_FORK`.
const RESET_ON_FORK: u64 = 1;
const SIZE: u32 = size_of::<Attributes>() as u32;

/// The calling thread preempts every ordinary one from now on, and is preempted by none (`SCHED_FIFO`, lowest priority).
/// It must sleep nearly all the time.
///
/// # Errors
/// Those of `sched_setattr(2)`; `EPERM` also where the thread's control group has no real-time share.
pub fn run_before_all_others() -> io::Result<()> {
    set(
        0,
        Attributes {
            policy: libc::SCHED_FIFO as u32,
            priority: 1,
            ..Attributes::default()
        },
    )
}

/// Thread `tid` (0: the calling one) runs at this nice value, for at most `slice` (0.1 to 100 ms) at a time while others wait.
/// The shorter its slice, the sooner a thread that has slept gets a processor; its share of the processors follows from the
/// nice value alone (EEVDF, Linux 6.12; older kernels take no notice of the slice). Threads and processes that it makes
/// are ordinary again.
///
/// # Errors
/// Those of `sched_setattr(2)`; `EPERM` for a lower nice value without `CAP_SYS_NICE`.
pub fn run_soon(tid: i32, nice: i32, slice: Duration) -> io::Result<()> {
    set(
        tid,
        Attributes {
            policy: libc::SCHED_OTHER as u32,
            flags: RESET_ON_FORK,
            nice,
            runtime_ns: u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX),
            ..Attributes::default()
        },
    )
}

fn set(tid: i32, attributes: Attributes) -> io::Result<()> {
    let attributes = Attributes {
        size: SIZE,
        ..attributes
    };
    // SAFETY: the kernel reads as many bytes as `size` says, which are those of the structure, and keeps none of them.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setattr, tid, &raw const attributes, 0_u32) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::thread;

    /// A field of the calling thread's `stat`, counted from 0 behind the name (`proc_pid_stat(5)`).
    fn of_stat(field: usize) -> String {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let behind = stat.rsplit_once(") ").unwrap().1;
        behind.split(' ').nth(field).unwrap().to_owned()
    }

    const NICE: usize = 16;
    const POLICY: usize = 38;

    #[test]
    fn thread_that_runs_soon_makes_ordinary_ones() {
        let run = || {
            run_soon(0, -3, Duration::from_micros(100)).map(|()| {
                [
                    of_stat(NICE),
                    thread::spawn(|| of_stat(NICE)).join().unwrap(),
                ]
            })
        };
        match thread::spawn(run).join().unwrap() {
            Ok(nice) => assert_eq!(nice, ["-3", "0"]),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM)),
        }
        let error = run_soon(i32::MAX, 0, Duration::from_micros(100)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn realtime_thread_says_so_or_is_refused() {
        let run = || run_before_all_others().map(|()| of_stat(POLICY));
        match thread::spawn(run).join().unwrap() {
            Ok(policy) => assert_eq!(policy, libc::SCHED_FIFO.to_string()),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM)),
        }
    }
}
