//! From a request to a child.

use core::mem::size_of;
use core::ptr::{addr_of, addr_of_mut};

use offshoot_plan::{Phase, Reply, ReplyKind, Request};

use crate::message::{Received, receive, say};
use crate::{child, clock, generation, header, own, place, sys};

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_PARENT: u64 = 0x8000;
/// `CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID`.
pub const CLONE_CHILD_TID: u64 = 0x0020_0000 | 0x0100_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// Ids of clones in their sandboxes: the kernel, too, gives none below again (`RESERVED_PIDS`).
const FIRST_ID: u64 = 300;
const LAST_ID: u64 = 30_000;

/// `struct clone_args` (`clone3(2)`).
#[repr(C)]
#[derive(Default)]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_bytes: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_count: u64,
    pub cgroup: u64,
}

/// Answers requests until the other side is gone.
pub fn serve() -> ! {
    loop {
        let Some(received) = receive() else {
            sys::exit(0);
        };
        let (pid, pidfd) = fork(&received);
        let kind = if pid > 0 {
            ReplyKind::Forked
        } else {
            ReplyKind::Failed
        };
        let reply = Reply {
            kind: kind as u32,
            pid: pid as i32,
            token: received.request.token,
            phase: Phase::Stub as u32,
            op: 2,
            result: pid,
        };
        say(&reply, (pid > 0).then_some(pidfd));
        // What came with the request, and the pidfd: nothing below the stub's own is the template's.
        // SAFETY: closes descriptors.
        unsafe { sys::call3(sys::CLOSE_RANGE, 0, own(0) - 1, 0) };
    }
}

/// The id that a clone gets in the namespace of its sandbox, in which there is nothing yet but its first process: in the
/// order of the ids that are given there, every clone would be the process that its seed was. It is above the seed's: a
/// generator that has not been used since the seed was a clone itself still has the id of that one's seed. In a namespace
/// that others use, the kernel chooses.
fn own_id(request: &Request, in_sandbox: bool) -> i32 {
    if !in_sandbox || !clock::joins_pids(request) {
        return 0;
    }
    // A seed of a whole machine may have any id; one of a sandbox has a low one.
    let seed = Some(header().pid).filter(|seed| *seed < LAST_ID).unwrap_or(0);
    let first = FIRST_ID.max(seed + 1);
    let id = first + request.token % (LAST_ID - first);
    let is_seeds = id == header().pid;
    (id + u64::from(is_seeds)) as i32
}

/// Makes the child. In the template: its id, or an error, and its pidfd.
fn fork(received: &Received) -> (i64, i32) {
    let request = &received.request;
    let mut next = 0;
    let mut take = |wanted: bool| {
        let found = if wanted {
            received.rights.descriptors[next]
        } else {
            -1
        };
        next += usize::from(wanted);
        found
    };
    let sandbox = take(request.flags & Request::SANDBOX != 0);
    let cgroup = take(request.flags & Request::CGROUP != 0);
    if let Err(error) = clock::set_child_namespaces(request, sandbox) {
        return (error, -1);
    }
    let mut pidfd = -1_i32;
    let child_tid = header().main_child_tid;
    let mut args = CloneArgs {
        flags: CLONE_PIDFD | CLONE_PARENT,
        pidfd: addr_of_mut!(pidfd) as u64,
        ..CloneArgs::default()
    };
    if child_tid != 0 {
        args.flags |= CLONE_CHILD_TID;
        args.child_tid = child_tid;
    }
    if cgroup >= 0 {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup as u64;
    }
    let id = own_id(request, sandbox >= 0);
    if id != 0 {
        args.set_tid = addr_of!(id) as u64;
        args.set_tid_count = 1;
    }
    generation::count();
    // SAFETY: a fork: the child gets a copy of everything, and goes on here on a copy of this stack.
    let pid = unsafe {
        sys::call3(
            sys::CLONE3,
            addr_of!(args) as u64,
            size_of::<CloneArgs>() as u64,
            0,
        )
    };
    if pid == 0 {
        place::leave();
        child::become_clone(received, next, sandbox);
    }
    (pid, pidfd)
}
