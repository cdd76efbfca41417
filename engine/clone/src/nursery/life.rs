//! The nursery's own life: one thread that makes templates, waits for what ends, and waits.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use offshoot_sys::clone::{CloneRequest, SingleThread, spawn};
use offshoot_sys::packet;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, WaitOptions};

use crate::maker::{self, Given, Stub};
use crate::recipe::{Recipe, sealed_memory};
use crate::wire::{self, Make, Notice};

/// `fs.nr_open` by default: the kernel's own limit of a process.
const MOST_DESCRIPTORS: u64 = 1 << 20;

/// The nursery's own life, with its client on standard input. Returns the process's exit code.
pub fn main() -> u8 {
    let socket = io::stdin();
    match run(socket.as_fd()) {
        Ok(()) => 0,
        Err(error) => {
            let what = error.to_string();
            if let Ok(bytes) = wire::encode(&Notice::Ending { what }) {
                let _ = packet::send(socket.as_fd(), &bytes, &[]);
            }
            1
        }
    }
}

fn run(socket: BorrowedFd<'_>) -> io::Result<()> {
    let thread = SingleThread::check()?.ok_or(io::ErrorKind::ResourceBusy)?;
    raise_descriptor_limit()?;
    // A client that is protected from the kernel's want of memory must not hand that on.
    std::fs::write("/proc/self/oom_score_adj", "0")?;
    let stub = sealed_memory(c"stub", offshoot_stub::STUB, true)?;
    let ended = offshoot_sys::signal::child_signals()?;
    say(socket, &Notice::Ready)?;
    loop {
        let mut ready = [
            PollFd::new(&socket, PollFlags::IN),
            PollFd::new(&ended, PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let (asked, child) = (
            !ready[0].revents().is_empty(),
            !ready[1].revents().is_empty(),
        );
        if child {
            let _ = rustix::io::read(&ended, &mut [0_u8; 128]);
            reap(socket)?;
        }
        if asked {
            let Some((bytes, fds)) = packet::receive(socket)? else {
                return Ok(());
            };
            make(&thread, socket, &stub, &bytes, fds)?;
        }
    }
}

/// Descriptors of stubs lie above those of programs, which may go up to their limit.
fn raise_descriptor_limit() -> io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let most = Some(MOST_DESCRIPTORS);
    let raised = |maximum| Rlimit {
        current: maximum,
        maximum,
    };
    // Without CAP_SYS_RESOURCE the hard limit stays what it is.
    if rustix::process::setrlimit(Resource::Nofile, raised(most)).is_err() {
        rustix::process::setrlimit(Resource::Nofile, raised(limit.maximum))?;
    }
    Ok(())
}

fn make(
    thread: &SingleThread,
    socket: BorrowedFd<'_>,
    stub: &OwnedFd,
    bytes: &[u8],
    fds: Vec<OwnedFd>,
) -> io::Result<()> {
    let make: Make = wire::decode(bytes)?;
    let mut fds = fds.into_iter();
    let control = fds.next();
    let recipe = if make.has_recipe {
        fds.next().zip(fds.next())
    } else {
        None
    };
    let recipe = recipe.map(|(plan, rest)| Recipe { plan, rest });
    let root = if make.has_root { fds.next() } else { None };
    let images: Vec<OwnedFd> = fds.collect();
    let (Some(control), false) = (control, images.is_empty()) else {
        return say(
            socket,
            &Notice::Failed {
                number: make.number,
                what: "the request brings no image".into(),
            },
        );
    };
    let spawned = spawn(thread, &CloneRequest::default(), |child| {
        let stub = Stub {
            program: stub,
            number: make.number,
        };
        let given = Given {
            recipe: recipe.as_ref(),
            root: root.as_ref(),
            images: &images,
        };
        maker::become_template(child, &make, &control, stub, &given)
    });
    match spawned {
        Ok(spawned) => {
            let notice = wire::encode(&Notice::Making {
                number: make.number,
                pid: spawned.pid,
            })?;
            packet::send(socket, &notice, &[spawned.pidfd.as_fd()])?;
            Ok(())
        }
        Err(error) => say(
            socket,
            &Notice::Failed {
                number: make.number,
                what: error.to_string(),
            },
        ),
    }
}

/// Reports every child that has ended. A client that has gone is no reason to stop reaping; a report that is lost is one
/// to end, because the client would wait for it for ever.
fn reap(socket: BorrowedFd<'_>) -> io::Result<()> {
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        let notice = Notice::Ended {
            pid: pid.as_raw_nonzero().get(),
            status: status.as_raw(),
        };
        match say(socket, &notice) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn say(socket: BorrowedFd<'_>, notice: &Notice) -> io::Result<()> {
    packet::send(socket, &wire::encode(notice)?, &[])?;
    Ok(())
}
