//! The nursery: a small single-threaded process that makes templates and reaps what ends.

mod life;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use offshoot_sys::packet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::confine::Confined;
use crate::making::Making;
use crate::template::{Template, TemplateError, TemplateSpec};
use crate::wire::{self, Make, Notice};

pub use life::main;

/// Why a nursery does not work.
#[derive(Debug, thiserror::Error)]
pub enum NurseryError {
    /// It cannot be started.
    #[error("cannot start {} as the nursery of templates", program.display())]
    Start {
        /// What should have become the nursery.
        program: PathBuf,
        /// Why it has not.
        #[source]
        source: io::Error,
    },
    /// It has ended without a word.
    #[error("the nursery of templates has ended")]
    Ended,
    /// It has ended because of something that it could not do; the text says what.
    #[error("the nursery of templates has ended: {0}")]
    GaveUp(String),
    /// It, and the one that followed it, have ended while they made the same template.
    #[error("two nurseries of templates have ended while they made this template")]
    EndedAgain,
    /// It has ended, and no other one can be started.
    #[error("the nursery of templates has ended and cannot be started again")]
    Restart(#[source] Box<Self>),
    /// It cannot be talked to.
    #[error("cannot talk to the nursery of templates")]
    Talk(#[source] io::Error),
}

impl NurseryError {
    /// Whether this says that the nursery's process has ended, or is about to.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::Ended | Self::GaveUp(_))
    }

    fn talk(errno: Errno) -> Self {
        match errno {
            Errno::PIPE | Errno::CONNRESET => Self::Ended,
            errno => Self::Talk(errno.into()),
        }
    }
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

/// A running nursery, as its client has it. It ends when this is dropped.
///
/// Templates and clones do not need it: they go on, whether this is dropped or the nursery is killed, each template
/// until its [`Template`] is dropped. Whoever adopts orphans (`PR_SET_CHILD_SUBREAPER`, else the first process of the
/// namespace) is their parent then, also of clones that such a template makes later, and reaps them.
#[derive(Debug)]
pub struct Nursery {
    socket: OwnedFd,
    child: Child,
    pidfd: OwnedFd,
    exits: Vec<Exit>,
    /// The last request's.
    number: u32,
}

impl Nursery {
    /// Starts `program` with `arguments`; it must call [`main`].
    ///
    /// # Errors
    /// The program cannot be started, or ends instead of becoming a nursery.
    pub fn start(program: &Path, arguments: &[&str]) -> Result<Self, NurseryError> {
        Self::try_start(program, arguments).map_err(|source| NurseryError::Start {
            program: program.to_owned(),
            source,
        })
    }

    fn try_start(program: &Path, arguments: &[&str]) -> io::Result<Self> {
        let (socket, theirs) = packet::pair()?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::from(theirs))
            .env_clear()
            .spawn()?;
        let pidfd = match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(errno) => {
                drop(socket);
                let _ = child.wait();
                return Err(errno.into());
            }
        };
        let mut nursery = Self {
            socket,
            child,
            pidfd,
            exits: Vec::new(),
            number: 0,
        };
        match nursery.receive() {
            Ok((Notice::Ready, _)) => Ok(nursery),
            Ok(_) => Err(io::Error::other("it does not speak as a nursery does")),
            Err(NurseryError::GaveUp(what)) => Err(io::Error::other(what)),
            Err(NurseryError::Talk(error)) => Err(error),
            Err(_) => Err(io::Error::other("it ended before it was ready")),
        }
    }

    /// Makes a template.
    ///
    /// # Errors
    /// The image is refused, or the nursery has ended.
    pub fn template(&mut self, spec: &TemplateSpec<'_>) -> Result<Template, TemplateError> {
        self.begin(spec)?.finish()
    }

    /// Begins to make a template; returns as soon as its process exists.
    ///
    /// # Errors
    /// There can be no process, or the nursery has ended.
    pub fn begin(&mut self, spec: &TemplateSpec<'_>) -> Result<Making, TemplateError> {
        self.number = next_number();
        let control = self.ask(spec).map_err(TemplateError::Nursery)?;
        loop {
            let (notice, mut fds) = self.receive().map_err(TemplateError::Nursery)?;
            match notice {
                Notice::Making { number, pid } if number == self.number => {
                    let pidfd = fds.pop().ok_or_else(no_pidfd)?;
                    return Ok(Making::new(control, pid, pidfd));
                }
                Notice::Ended { pid, status } => self.exits.push(Exit { pid, status }),
                Notice::Failed { number, what } if number == self.number => {
                    return Err(TemplateError::Begin(what));
                }
                // Of a request that was given up; its template ends, as nobody holds its socket.
                Notice::Making { .. } | Notice::Failed { .. } => {}
                Notice::Ready | Notice::Ending { .. } => {}
            }
        }
    }

    /// Asks for a template; gives our end of its control socket.
    fn ask(&self, spec: &TemplateSpec<'_>) -> Result<OwnedFd, NurseryError> {
        let (control, theirs) = packet::pair().map_err(NurseryError::talk)?;
        let make = wire::encode(&Make {
            number: self.number,
            memory: spec.memory,
            has_recipe: spec.recipe.is_some(),
            images_to_check: spec.images_to_check,
            confined: spec.confinement.as_ref().map(Confined::new),
            profile: spec.profile.cloned(),
            files_as: spec.files_as,
            has_root: spec.root.is_some(),
            key: spec.key.0,
        });
        let make = make.map_err(NurseryError::Talk)?;
        let mut fds = vec![theirs.as_fd()];
        if let Some(recipe) = spec.recipe {
            fds.extend([recipe.plan.as_fd(), recipe.rest.as_fd()]);
        }
        fds.extend(spec.root);
        fds.extend(spec.images.iter().map(AsFd::as_fd));
        packet::send(self.socket.as_fd(), &make, &fds).map_err(NurseryError::talk)?;
        Ok(control)
    }

    /// The next process that has ended; waits for one.
    ///
    /// # Errors
    /// The nursery has ended. What ends from now on is known by its pidfd only.
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

    /// Whether its process has not ended yet.
    pub(crate) fn is_alive(&self) -> bool {
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let now = Timespec::default();
        !matches!(poll(&mut ended, Some(&now)), Ok(1..))
    }

    /// Reaps the nursery, which must have ended or be about to. Gives what it has reported and nobody has asked for, and
    /// how it ended.
    pub(crate) fn bury(mut self) -> (Vec<Exit>, io::Result<ExitStatus>) {
        let status = self.child.wait();
        let mut exits = std::mem::take(&mut self.exits);
        while let Ok((notice, _)) = self.receive() {
            if let Notice::Ended { pid, status } = notice {
                exits.push(Exit { pid, status });
            }
        }
        (exits, status)
    }

    /// The next notice. A maker that is on its way holds the nursery's end of the socket, too, so that its end says
    /// nothing: the process is watched. What it has said before its end is still heard.
    fn receive(&mut self) -> Result<(Notice, Vec<OwnedFd>), NurseryError> {
        loop {
            // In this order: if the process had ended when the kernel looked, all that it said was there when the
            // kernel looked at the socket.
            let mut ready = [
                PollFd::new(&self.pidfd, PollFlags::IN),
                PollFd::new(&self.socket, PollFlags::IN),
            ];
            rustix::io::retry_on_intr(|| poll(&mut ready, None)).map_err(NurseryError::talk)?;
            if ready[1].revents().is_empty() {
                return Err(NurseryError::Ended);
            }
            let (bytes, fds) = match packet::receive(self.socket.as_fd()) {
                Ok(Some(packet)) => packet,
                Ok(None) => return Err(NurseryError::Ended),
                // Said once, and first, if it has ended with a request unread.
                Err(Errno::CONNRESET) => continue,
                Err(errno) => return Err(NurseryError::talk(errno)),
            };
            return match wire::decode(&bytes).map_err(NurseryError::Talk)? {
                Notice::Ending { what } => Err(NurseryError::GaveUp(what)),
                notice => Ok((notice, fds)),
            };
        }
    }
}

/// The kernel leaves descriptors out that the receiver has no room for.
fn no_pidfd() -> TemplateError {
    let error = io::Error::other("the template's pidfd did not come with its id");
    TemplateError::Nursery(NurseryError::Talk(error))
}

/// Counts the requests of all nurseries of this process, whose templates thus take turns with the processors; and those of
/// two processes do not begin with the same one.
fn next_number() -> u32 {
    static REQUESTS: AtomicU32 = AtomicU32::new(0);
    let before = REQUESTS.fetch_add(1, Ordering::Relaxed);
    std::process::id().wrapping_add(before)
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
