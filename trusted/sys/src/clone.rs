//! `clone3` with a closure as the child's body.
//!
//! The child is a copy of the calling process (no `CLONE_VM`): it runs the closure and exits; it
//! never returns into the caller's stack, and a panic in it ends it at once.
// UNSAFETY: clone3 duplicates the process behind the libc's back, and _exit skips destructors.
#![expect(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Proof that the process had one thread when it was last looked at.
///
/// A forked child has only the calling thread: a lock held by another one would stay locked for
/// ever. Not `Send`, so that it cannot reach a thread whose existence would make it a lie.
pub struct SingleThread {
    task_dir: Option<std::fs::File>,
    _not_send: PhantomData<*const ()>,
}

impl SingleThread {
    /// Looks at `/proc/self/task`; `None` when the process has more than one thread.
    ///
    /// # Errors
    /// `/proc` is not mounted or not readable.
    pub fn check() -> io::Result<Option<Self>> {
        let task_dir = std::fs::File::open("/proc/self/task")?;
        let token = Self {
            task_dir: Some(task_dir),
            _not_send: PhantomData,
        };
        Ok(token.holds()?.then_some(token))
    }

    /// A directory in `/proc` has two links of its own and one per thread (`proc(5)`).
    fn holds(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        match &self.task_dir {
            Some(dir) => Ok(dir.metadata()?.nlink() == 3),
            None => Ok(true),
        }
    }
}

/// What the new process gets besides a copy of the caller.
#[derive(Default)]
pub struct CloneRequest<'fd> {
    /// The child is PID 1 of a new PID namespace (`CLONE_NEWPID`).
    pub new_pid_namespace: bool,
    /// Other new namespaces (`CLONE_NEWNS` and the like), made by the caller's thread.
    pub new_namespaces: crate::namespace::Namespaces,
    /// A directory of a cgroup2 hierarchy in which the child starts (`CLONE_INTO_CGROUP`).
    pub into_cgroup: Option<BorrowedFd<'fd>>,
    /// The caller sleeps until the child has executed a program or ended (`CLONE_VFORK`; the
    /// address space is still copied).
    pub wait_for_exec: bool,
}

/// A process made by [`spawn`].
#[derive(Debug)]
pub struct Spawned {
    /// Its PID in the caller's PID namespace.
    pub pid: i32,
    /// A pidfd, close-on-exec.
    pub pidfd: OwnedFd,
}

/// What the body of a child may do that other code may not; see [`crate::fds`].
pub struct FreshChild {
    thread: SingleThread,
}

impl FreshChild {
    /// The child has exactly the thread that runs this.
    pub fn single_thread(&self) -> &SingleThread {
        &self.thread
    }
}

/// Makes a child that runs `body` and exits with the code which that returns.
///
/// The child's exit signal is `SIGCHLD`. Signal handlers (not ignored signals) are reset in it.
///
/// # Errors
/// The errors of `clone3(2)`; `EBUSY`-class ones when the process has got a second thread
/// ([`io::ErrorKind::ResourceBusy`]).
pub fn spawn(
    thread: &SingleThread,
    request: &CloneRequest<'_>,
    body: impl FnOnce(&FreshChild) -> u8,
) -> io::Result<Spawned> {
    if !thread.holds()? {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    let mut pidfd: libc::c_int = -1;
    let mut args = clone_args(request, &mut pidfd);
    // SAFETY:
    // 1. `args` is a valid `clone_args` of the size that is passed; `pidfd` outlives the call.
    // 2. No CLONE_VM: the child writes only to its copy of this stack.
    // 3. The process has one thread (checked above), so no lock is held by a thread that the
    //    child lacks.
    let result = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw mut args,
            size_of::<libc::clone_args>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    if result == 0 {
        run_child(body);
    }
    // SAFETY: CLONE_PIDFD was given and the call succeeded, so this is a new descriptor which
    // nobody else knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = i32::try_from(result).map_err(io::Error::other)?;
    Ok(Spawned { pid, pidfd })
}

fn clone_args(request: &CloneRequest<'_>, pidfd: &mut libc::c_int) -> libc::clone_args {
    // SAFETY: `clone_args` is plain integers; zero means "not wanted" in each.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (libc::CLONE_PIDFD as u64) | CLONE_CLEAR_SIGHAND;
    args.flags |= request.new_namespaces.bits() as u64;
    args.pidfd = std::ptr::from_mut(pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if request.new_pid_namespace {
        args.flags |= libc::CLONE_NEWPID as u64;
    }
    if request.wait_for_exec {
        args.flags |= libc::CLONE_VFORK as u64;
    }
    if let Some(cgroup) = request.into_cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    args
}

/// From `linux/sched.h`; the libc crate types them for `clone`, whose flags have 32 bits.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

fn run_child(body: impl FnOnce(&FreshChild) -> u8) -> ! {
    /// Ends the process when the body unwinds, before it reaches the caller's frames.
    struct EndOnUnwind;
    impl Drop for EndOnUnwind {
        fn drop(&mut self) {
            exit_now(101);
        }
    }
    let _guard = EndOnUnwind;
    let thread = SingleThread {
        task_dir: None,
        _not_send: PhantomData,
    };
    exit_now(body(&FreshChild { thread }))
}

/// Ends the process without running destructors, `atexit` functions or flushing buffers.
fn exit_now(code: u8) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(i32::from(code)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn process_with_several_threads_gets_no_token() {
        let (send, receive) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || receive.recv());
        assert!(SingleThread::check().unwrap().is_none());
        drop(send);
        other.join().unwrap().unwrap_err();
    }
}
