//! The nursery: a small single-threaded process that makes templates and reaps what ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use offshoot_sys::clone::{CloneRequest, SingleThread, spawn};
use offshoot_sys::packet;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, WaitOptions};

use crate::maker;
use crate::recipe::{Recipe, sealed_memory};
use crate::template::{Template, TemplateError, TemplateSpec};
use crate::wire::{self, Make, Notice};

/// `fs.nr_open` by default: the kernel's own limit of a process.
const MOST_DESCRIPTORS: u64 = 1 << 20;

/// Why a nursery does not work.
#[derive(Debug, thiserror::Error)]
pub enum NurseryError {
    /// It cannot be started.
    #[error("cannot start the nursery of templates")]
    Start(#[source] io::Error),
    /// It has ended.
    #[error("the nursery of templates has ended")]
    Ended,
    /// It cannot be talked to.
    #[error("cannot talk to the nursery of templates")]
    Talk(#[source] io::Error),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its id, in the nursery's namespace.
    pub pid: i32,
    /// Its status, as `wait(2)` has it.
    pub status: i32,
}

impl Exit {
    /// The exit code, if it exited.
    pub fn code(&self) -> Option<i32> {
        (self.status & 0x7f == 0).then_some((self.status >> 8) & 0xff)
    }

    /// The signal that killed it, if one did.
    pub fn signal(&self) -> Option<i32> {
        let signal = self.status & 0x7f;
        (signal != 0 && signal != 0x7f).then_some(signal)
    }
}

/// A running nursery, as its client has it. It ends when this is dropped, and templates with it; clones live on.
#[derive(Debug)]
pub struct Nursery {
    socket: OwnedFd,
    child: Child,
    exits: Vec<Exit>,
}

impl Nursery {
    /// Starts `program` with `arguments`; it must call [`main`].
    ///
    /// # Errors
    /// The program cannot be started, or says nothing.
    pub fn start(program: &Path, arguments: &[&str]) -> Result<Self, NurseryError> {
        let (socket, theirs) = packet::pair().map_err(|errno| NurseryError::Start(errno.into()))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::from(theirs))
            .env_clear()
            .spawn()
            .map_err(NurseryError::Start)?;
        let mut nursery = Self {
            socket,
            child,
            exits: Vec::new(),
        };
        match nursery.receive()?.0 {
            Notice::Ready => Ok(nursery),
            Notice::Failed { what } => Err(NurseryError::Start(io::Error::other(what))),
            _ => Err(NurseryError::Ended),
        }
    }

    /// Makes a template.
    ///
    /// # Errors
    /// The image is refused, or the nursery has ended.
    pub fn template(&mut self, spec: &TemplateSpec<'_>) -> Result<Template, TemplateError> {
        let (control, theirs) = packet::pair()
            .map_err(|errno| TemplateError::Nursery(NurseryError::Talk(errno.into())))?;
        let make = wire::encode(&Make {
            memory: spec.memory,
            has_recipe: spec.recipe.is_some(),
            check_pages: spec.check_pages,
            sandbox_filters: spec.sandbox_filters,
            profile: spec.profile.cloned(),
            key: spec.key.0,
        });
        let make = make.map_err(|error| TemplateError::Nursery(NurseryError::Talk(error)))?;
        let mut fds = vec![theirs.as_fd()];
        if let Some(recipe) = spec.recipe {
            fds.extend([recipe.plan.as_fd(), recipe.rest.as_fd()]);
        }
        fds.extend(spec.images.iter().map(AsFd::as_fd));
        packet::send(self.socket.as_fd(), &make, &fds)
            .map_err(|errno| TemplateError::Nursery(NurseryError::Talk(errno.into())))?;
        drop(theirs);
        let (pid, pidfd) = loop {
            let (notice, mut fds) = self.receive().map_err(TemplateError::Nursery)?;
            match notice {
                Notice::Making { pid } => {
                    break (
                        pid,
                        fds.pop()
                            .ok_or(TemplateError::Nursery(NurseryError::Ended))?,
                    );
                }
                Notice::Ended { pid, status } => self.exits.push(Exit { pid, status }),
                Notice::Failed { what } => return Err(TemplateError::Refused(what)),
                Notice::Ready => {}
            }
        };
        Template::await_ready(control, pid, pidfd)
    }

    /// The next process that has ended; waits for one.
    ///
    /// # Errors
    /// The nursery has ended.
    pub fn next_exit(&mut self) -> Result<Exit, NurseryError> {
        if !self.exits.is_empty() {
            return Ok(self.exits.remove(0));
        }
        loop {
            if let (Notice::Ended { pid, status }, _) = self.receive()? {
                return Ok(Exit { pid, status });
            }
        }
    }

    /// The nursery's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn receive(&mut self) -> Result<(Notice, Vec<OwnedFd>), NurseryError> {
        let packet = packet::receive(self.socket.as_fd());
        match packet.map_err(|errno| NurseryError::Talk(errno.into()))? {
            Some((bytes, fds)) => Ok((wire::decode(&bytes).map_err(NurseryError::Talk)?, fds)),
            None => Err(NurseryError::Ended),
        }
    }
}

impl AsFd for Nursery {
    /// Readable when there is something to hear.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let _ = self.child.wait();
    }
}

/// The nursery's own life, with its client on standard input. Returns the process's exit code.
pub fn main() -> u8 {
    let socket = io::stdin();
    match run(socket.as_fd()) {
        Ok(()) => 0,
        Err(error) => {
            let what = error.to_string();
            if let Ok(bytes) = wire::encode(&Notice::Failed { what }) {
                let _ = packet::send(socket.as_fd(), &bytes, &[]);
            }
            1
        }
    }
}

fn run(socket: BorrowedFd<'_>) -> io::Result<()> {
    let thread = SingleThread::check()?.ok_or(io::ErrorKind::ResourceBusy)?;
    raise_descriptor_limit()?;
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
    let images: Vec<OwnedFd> = fds.collect();
    let (Some(control), false) = (control, images.is_empty()) else {
        return say(
            socket,
            &Notice::Failed {
                what: "the request brings no image".into(),
            },
        );
    };
    let spawned = spawn(thread, &CloneRequest::default(), |child| {
        maker::become_template(child, &make, &control, stub, recipe.as_ref(), &images)
    });
    match spawned {
        Ok(spawned) => {
            let notice = wire::encode(&Notice::Making { pid: spawned.pid })?;
            packet::send(socket, &notice, &[spawned.pidfd.as_fd()])?;
            Ok(())
        }
        Err(error) => say(
            socket,
            &Notice::Failed {
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
