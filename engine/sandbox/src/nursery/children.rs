//! What the nursery has cloned and must reap.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll;
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus};

use crate::build::tell;
use crate::wire::Report;

/// The number of the daemon's socket; children count from 1.
const REQUESTS: u64 = 0;

/// A child: an init, of which nobody wants to know how it ended, or a program.
#[derive(Debug)]
pub(super) struct Child {
    pidfd: OwnedFd,
    program: Option<Program>,
}

/// What a program's end sets off.
#[derive(Debug)]
struct Program {
    /// Whom to tell.
    control: OwnedFd,
    /// The init of its sandbox: with it ends all that the program has left behind.
    init: OwnedFd,
}

impl Child {
    pub(super) fn init(pidfd: OwnedFd) -> Self {
        Self {
            pidfd,
            program: None,
        }
    }

    pub(super) fn program(pidfd: OwnedFd, control: OwnedFd, init: OwnedFd) -> Self {
        let program = Some(Program { control, init });
        Self { pidfd, program }
    }

    fn ended(self, status: Option<WaitIdStatus>) {
        let Some(Program { control, init }) = self.program else {
            return;
        };
        let _ = rustix::process::pidfd_send_signal(init, Signal::KILL);
        let code = status.as_ref().and_then(WaitIdStatus::exit_status);
        let signal = status.as_ref().and_then(WaitIdStatus::terminating_signal);
        match (code, signal) {
            (Some(code), _) => tell(control.as_fd(), &Report::Exited { code }, &[]),
            (None, Some(signal)) => tell(control.as_fd(), &Report::Signaled { signal }, &[]),
            // The end of the socket says that it is lost.
            (None, None) => {}
        }
    }
}

/// All children, and the set of descriptors on which the nursery waits.
#[derive(Debug)]
pub(super) struct Children {
    epoll: OwnedFd,
    living: HashMap<u64, Child>,
    last: u64,
}

impl Children {
    /// Waits for requests on `socket`, too.
    pub(super) fn new(socket: BorrowedFd<'_>) -> rustix::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(REQUESTS);
        epoll::add(&epoll, socket, data, epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            living: HashMap::new(),
            last: REQUESTS,
        })
    }

    pub(super) fn epoll(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Whether an event is a request of the daemon's, or its end.
    pub(super) fn is_request(event: &epoll::Event) -> bool {
        event.data.u64() == REQUESTS
    }

    pub(super) fn add(&mut self, child: Child) {
        self.last += 1;
        let data = epoll::EventData::new_u64(self.last);
        // At each change: one that is traced is there, and cannot be reaped.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        match epoll::add(&self.epoll, &child.pidfd, data, flags) {
            Ok(()) => drop(self.living.insert(self.last, child)),
            // It could not be reaped; without a way to learn of its end it must not run.
            Err(_) => {
                let _ = rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL);
                let _ = rustix::process::waitid(
                    WaitId::PidFd(child.pidfd.as_fd()),
                    WaitIdOptions::EXITED,
                );
                child.ended(None);
            }
        }
    }

    /// Reaps the child of an event. One that ended while it was traced, as by a checkpoint, can be reaped only when its tracer
    /// has let go, which is another event (`ptrace(2)`, "Death under ptrace").
    pub(super) fn reap(&mut self, event: &epoll::Event) {
        let Entry::Occupied(entry) = self.living.entry(event.data.u64()) else {
            return;
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = rustix::process::waitid(WaitId::PidFd(entry.get().pidfd.as_fd()), options);
        if matches!(status, Ok(None)) {
            return;
        }
        let child = entry.remove();
        let _ = epoll::delete(&self.epoll, &child.pidfd);
        child.ended(status.ok().flatten());
    }
}
