//! What the kernel tells about a thread or process that is not stopped.
// UNSAFETY: system calls that fill structures by address.
#![expect(unsafe_code)]

use std::io;

/// How a thread is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedulingPolicy {
    /// `SCHED_*`.
    pub policy: u32,
    /// Nice value.
    pub nice: i32,
    /// Real-time priority.
    pub priority: u32,
    /// Whether its children begin with the default (`SCHED_FLAG_RESET_ON_FORK`).
    pub reset_on_fork: bool,
}

/// What two threads or processes may share (`kcmp(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// The address space.
    Memory = 1,
    /// The descriptor table.
    Descriptors = 2,
    /// Root, current directory and umask.
    FileSystem = 3,
}

/// How a thread is scheduled (`sched_getattr(2)`).
///
/// # Errors
/// `ESRCH` if there is no such thread.
pub fn scheduling(tid: u32) -> io::Result<SchedulingPolicy> {
    /// `struct sched_attr`, first version.
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }
    const RESET_ON_FORK: u64 = 1;
    let mut attributes = Attributes::default();
    let size = size_of::<Attributes>();
    // SAFETY: the kernel writes at most `size` bytes to the structure.
    let done = unsafe {
        libc::syscall(
            libc::SYS_sched_getattr,
            u64::from(tid),
            &raw mut attributes,
            size,
            0,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(SchedulingPolicy {
        policy: attributes.policy,
        nice: attributes.nice,
        priority: attributes.priority,
        reset_on_fork: attributes.flags & RESET_ON_FORK != 0,
    })
}

/// A thread's priority for input and output (`ioprio_get(2)`): the class from bit 13 on, the priority below; 0 is none.
///
/// # Errors
/// `ESRCH` if there is no such thread.
pub fn io_priority(tid: u32) -> io::Result<u16> {
    /// `IOPRIO_WHO_PROCESS`: one thread, whatever the name.
    const THREAD: u64 = 1;
    // SAFETY: takes numbers only.
    let priority = unsafe { libc::syscall(libc::SYS_ioprio_get, THREAD, u64::from(tid)) };
    if priority < 0 {
        return Err(io::Error::last_os_error());
    }
    u16::try_from(priority).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Address and length of the head of a thread's list of robust locks (`get_robust_list(2)`);
/// address 0 is none.
///
/// # Errors
/// `ESRCH` if there is no such thread, `EPERM` if it may not be traced.
pub fn robust_list(tid: u32) -> io::Result<(u64, u64)> {
    let (mut head, mut bytes) = (0_u64, 0_u64);
    // SAFETY: the kernel writes one word to each.
    let done = unsafe {
        libc::syscall(
            libc::SYS_get_robust_list,
            u64::from(tid),
            &raw mut head,
            &raw mut bytes,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((head, bytes))
}

/// Whether two threads or processes share something.
///
/// # Errors
/// The errors of `kcmp(2)`; `ENOSYS` for a kernel without `CONFIG_KCMP`.
pub fn share(one: u32, other: u32, what: Shared) -> io::Result<bool> {
    compare((one, 0), (other, 0), what as u64)
}

/// Whether two descriptors, each of a process, lead to one open file description.
///
/// # Errors
/// The errors of `kcmp(2)`; `EBADF` for a descriptor that is not open.
pub fn share_file(one: (u32, u32), other: (u32, u32)) -> io::Result<bool> {
    const FILE: u64 = 0;
    compare(one, other, FILE)
}

fn compare(one: (u32, u32), other: (u32, u32), what: u64) -> io::Result<bool> {
    // SAFETY: takes numbers only.
    let order = unsafe {
        libc::syscall(
            libc::SYS_kcmp,
            u64::from(one.0),
            u64::from(other.0),
            what,
            u64::from(one.1),
            u64::from(other.1),
        )
    };
    if order < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(order == 0)
}

/// Who traces a thread (0: nobody), and whether it lives. `None` if there is no such thread.
pub(crate) fn tracer_and_life(tid: u32) -> Option<(u32, bool)> {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.trim()))
    };
    let lives = field("State:").is_some_and(|state| !state.starts_with(['Z', 'X', 'x']));
    let tracer = field("TracerPid:")
        .and_then(|pid| pid.parse().ok())
        .unwrap_or(0);
    Some((tracer, lives))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn own_scheduling_is_told() {
        assert_eq!(scheduling(std::process::id()).unwrap().priority, 0);
    }

    #[test]
    fn process_shares_memory_with_itself_and_not_with_its_child() {
        let own = std::process::id();
        assert!(share(own, own, Shared::Memory).unwrap());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let shares = share(own, child.id(), Shared::Memory);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!shares.unwrap());
    }
}
