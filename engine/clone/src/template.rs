//! A template, as its client has it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use offshoot_image::Key;
use offshoot_image::model::Profile;
use offshoot_plan::{MAX_SUBSTITUTIONS, Reply, ReplyKind, Request, Who};
use offshoot_sys::packet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::nursery::NurseryError;
use crate::step;
use crate::{Confinement, Failure, Memory, Recipe, Substituted};

/// What a template is made of.
#[derive(Debug)]
pub struct TemplateSpec<'a> {
    /// The image, its parent, and so on; all of them, open for reading.
    pub images: &'a [OwnedFd],
    /// The key that they were sealed with.
    pub key: &'a Key,
    /// Where its pages live.
    pub memory: Memory,
    /// How a template of the same images was made before, with all else here the same: see [`Template::recipe`].
    pub recipe: Option<&'a Recipe>,
    /// So many of the images, the first ones, have every page checked first: not needed for files that were checked before and have
    /// not changed.
    pub images_to_check: usize,
    /// What a sandbox makes of every clone. Give it whenever clones join one; without it, a seed that had a seccomp filter
    /// is refused.
    pub confinement: Option<Confinement<'a>>,
    /// Which pages clones need, if that is known better than the image knows it.
    pub profile: Option<&'a Profile>,
    /// As whom the files are opened that the program had mapped; without it, with all rights of the nursery, on the word
    /// of the image. Give it whenever clones get a [`Fork::who`].
    pub files_as: Option<FileUser>,
    /// The root directory from which those files are opened: of a sandbox that has the seed's files where the seed had
    /// them. It may end once the template is there. Without it, the nursery's own.
    pub root: Option<BorrowedFd<'a>>,
}

/// As whom files are opened: with no other group than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileUser {
    /// Its user id.
    pub user: u32,
    /// Its group id.
    pub group: u32,
}

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The nursery cannot begin one; the text says why.
    #[error("the template could not be begun: {0}")]
    Begin(String),
    /// The image is refused; the text says why.
    #[error("{0}")]
    Refused(String),
    /// The stub failed.
    #[error("the template could not be made: {0}")]
    Stub(Failure),
    /// It ended without a word.
    #[error("the template ended while it was being made")]
    Ended,
    /// It cannot be talked to.
    #[error("cannot talk to the template")]
    Talk(#[source] io::Error),
    /// There is no nursery.
    #[error(transparent)]
    Nursery(NurseryError),
}

/// A template. Ends when this is dropped; its clones live on. It does not need the nursery that has made it.
#[derive(Debug)]
pub struct Template {
    control: OwnedFd,
    pid: i32,
    pidfd: OwnedFd,
    needs: Vec<Substituted>,
    recipe: Arc<Recipe>,
    next_token: u64,
    /// What clones have said while something else was waited for.
    heard: VecDeque<Reply>,
}

/// What is asked of a clone.
#[derive(Debug, Default)]
pub struct Fork<'a> {
    /// A file for each descriptor that comes from outside.
    pub substitutions: &'a [(u32, BorrowedFd<'a>)],
    /// The sandbox to join.
    pub sandbox: Option<SandboxJoin<'a>>,
    /// If there is one, the clone waits until eight bytes can be read from it, with its pages brought in. Give it the
    /// reading end of a pipe whose other end nobody else has: when that is closed, the clone ends.
    pub park: Option<BorrowedFd<'a>>,
    /// Whether the clone says when it goes on: [`Template::await_running`].
    pub confirm: bool,
    /// Who it becomes, whoever its seed was; without, it is who the seed was.
    pub who: Option<Who>,
    /// Whether it is watched, so that [`observe`](crate::observe) can tell afterwards which pages it needed. Such a
    /// clone is slower, and has one descriptor more than its seed.
    pub watch: bool,
}

/// A sandbox that a clone joins.
#[derive(Debug)]
pub struct SandboxJoin<'a> {
    /// The pidfd of a process in it.
    pub pidfd: BorrowedFd<'a>,
    /// The namespaces to join, as `setns(2)` takes them.
    pub namespaces: u32,
    /// Its directory in the cgroup2 hierarchy.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// The `tasks` files of its cgroup v1 groups.
    pub tasks: &'a [BorrowedFd<'a>],
}

/// A clone.
#[derive(Debug)]
pub struct Cloned {
    /// Its id, as the template sees it.
    pub pid: i32,
    /// Its pidfd.
    pub pidfd: OwnedFd,
    /// Names it in what it says later.
    pub token: u64,
}

/// Who should speak and does not for so long is stuck: a template answers within milliseconds, and its callers have nothing
/// else to wait for.
const LONGEST_SILENCE: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// Why there is no clone.
#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    /// Nothing was given for a descriptor that comes from outside.
    #[error("descriptor {number} ({description}) comes from outside: give a file for it")]
    Missing {
        /// Its number.
        number: u32,
        /// What it was.
        description: String,
    },
    /// A file was given for a descriptor that is the program's own.
    #[error("descriptor {number} does not come from outside")]
    Unwanted {
        /// Its number.
        number: u32,
    },
    /// More than a request can hold.
    #[error("{count} descriptors come from outside, {MAX_SUBSTITUTIONS} at most can be given")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// The template or the clone failed.
    #[error("the clone could not be made: {0}")]
    Failed(Failure),
    /// The template, or the clone, has ended without a word.
    #[error("it ended before it was ready")]
    Ended,
    /// The template, or the clone, was silent for 5 s, and was killed.
    #[error("it did not answer for {} s, and was killed", LONGEST_SILENCE.tv_sec)]
    Silent,
    /// It cannot be talked to.
    #[error("cannot talk to the template")]
    Talk(#[source] io::Error),
}

impl Template {
    /// A process that has said that it is one: its id and pidfd, what its clones need, and how it was made.
    pub(crate) fn new(
        control: OwnedFd,
        (pid, pidfd): (i32, OwnedFd),
        needs: Vec<Substituted>,
        recipe: Recipe,
    ) -> Self {
        Self {
            control,
            pid,
            pidfd,
            needs,
            recipe: Arc::new(recipe),
            next_token: 1,
            heard: VecDeque::new(),
        }
    }

    /// Its process id, in the nursery's namespace.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it was made. Another template is made by it in half the time, also when this one has ended.
    pub fn recipe(&self) -> &Arc<Recipe> {
        &self.recipe
    }

    /// What each clone must be given.
    pub fn needs(&self) -> &[Substituted] {
        &self.needs
    }

    /// Makes a clone; returns as soon as its process exists.
    ///
    /// # Errors
    /// [`ForkError`].
    pub fn fork(&mut self, fork: &Fork<'_>) -> Result<Cloned, ForkError> {
        let token = self.next_token;
        self.next_token += 1;
        let mut request = Request::fork(token);
        let fds = self.lay_out(fork, &mut request)?;
        packet::send(self.control.as_fd(), &request.to_bytes(), &fds).map_err(talk)?;
        loop {
            let (reply, mut fds) = self.receive(self.pidfd.as_fd())?;
            if reply.token == token && reply.kind == ReplyKind::Forked as u32 {
                let pidfd = fds.pop().ok_or(ForkError::Ended)?;
                return Ok(Cloned {
                    pid: reply.pid,
                    pidfd,
                    token,
                });
            }
            // A failure of the template itself has its pid in the result; one of a clone follows its birth.
            if reply.token == token && reply.kind == ReplyKind::Failed as u32 && reply.op == 2 {
                return Err(ForkError::Failed(failure(&self.recipe, &reply)));
            }
            self.heard.push_back(reply);
        }
    }

    /// Waits until a clone that was asked to confirm goes on.
    ///
    /// # Errors
    /// The clone failed on its way, or the template has ended.
    pub fn await_running(&mut self, cloned: &Cloned) -> Result<(), ForkError> {
        self.await_reply(cloned, ReplyKind::Running)
    }

    /// Waits until a parked clone waits to be woken.
    ///
    /// # Errors
    /// The clone failed on its way, or the template has ended.
    pub fn await_parked(&mut self, cloned: &Cloned) -> Result<(), ForkError> {
        self.await_reply(cloned, ReplyKind::Parked)
    }

    /// What a clone has said that failed on its way, if it has; does not wait. A clone that nobody asks about costs some
    /// bytes as long as the template is there.
    pub fn failure_of(&mut self, token: u64) -> Option<Failure> {
        let mut ready = [PollFd::new(&self.control, PollFlags::IN)];
        while let Ok(1..) = poll(&mut ready, Some(&Timespec::default())) {
            let packet = packet::receive(self.control.as_fd());
            let Ok(Some((bytes, _))) = packet else { break };
            self.heard.extend(Reply::from_bytes(&bytes));
            ready = [PollFd::new(&self.control, PollFlags::IN)];
        }
        let is_it = |reply: &Reply| reply.token == token && reply.kind == ReplyKind::Failed as u32;
        let index = self.heard.iter().position(is_it)?;
        let reply = self.heard.remove(index)?;
        Some(failure(&self.recipe, &reply))
    }

    fn await_reply(&mut self, cloned: &Cloned, kind: ReplyKind) -> Result<(), ForkError> {
        let is_it = |reply: &Reply| {
            reply.token == cloned.token
                && (reply.kind == kind as u32 || reply.kind == ReplyKind::Failed as u32)
        };
        let reply = match self.heard.iter().position(is_it) {
            Some(index) => self.heard.remove(index),
            None => None,
        };
        let reply = match reply {
            Some(reply) => reply,
            None => loop {
                let (reply, _) = self.receive(cloned.pidfd.as_fd())?;
                if is_it(&reply) {
                    break reply;
                }
                self.heard.push_back(reply);
            },
        };
        if reply.kind == ReplyKind::Failed as u32 {
            return Err(ForkError::Failed(failure(&self.recipe, &reply)));
        }
        Ok(())
    }

    /// The next reply. Several processes hold the socket, so its end says nothing of the one that should speak: that
    /// one is watched. What it has said before its end is still heard. One that is silent for [`LONGEST_SILENCE`] is killed:
    /// what others ask of it fails at once then.
    fn receive(&self, speaker: BorrowedFd<'_>) -> Result<(Reply, Vec<OwnedFd>), ForkError> {
        // Looked at in this order: who has ended before the first look has said all before the second.
        let mut ready = [
            PollFd::new(&speaker, PollFlags::IN),
            PollFd::new(&self.control, PollFlags::IN),
        ];
        let heard = rustix::io::retry_on_intr(|| poll(&mut ready, Some(&LONGEST_SILENCE)));
        if heard.map_err(talk)? == 0 {
            tracing::warn!(template = self.pid, "{}", ForkError::Silent);
            // It may have ended just now.
            let _ = pidfd_send_signal(speaker, Signal::KILL);
            return Err(ForkError::Silent);
        }
        if ready[1].revents().is_empty() {
            return Err(ForkError::Ended);
        }
        let packet = packet::receive(self.control.as_fd()).map_err(talk)?;
        let (bytes, fds) = packet.ok_or(ForkError::Ended)?;
        let reply = Reply::from_bytes(&bytes).ok_or(ForkError::Ended)?;
        Ok((reply, fds))
    }

    /// The descriptors of a request, in their order.
    fn lay_out<'a>(
        &self,
        fork: &Fork<'a>,
        request: &mut Request,
    ) -> Result<Vec<BorrowedFd<'a>>, ForkError> {
        let mut fds = Vec::new();
        if let Some(sandbox) = &fork.sandbox {
            request.flags |= Request::SANDBOX;
            request.namespaces = sandbox.namespaces;
            fds.push(sandbox.pidfd);
            if let Some(cgroup) = sandbox.cgroup {
                request.flags |= Request::CGROUP;
                fds.push(cgroup);
            }
            request.cgroup_files = sandbox.tasks.len() as u32;
            fds.extend(sandbox.tasks);
        }
        if let Some(park) = fork.park {
            request.flags |= Request::PARK | Request::PREFAULT;
            fds.push(park);
        }
        if let Some(who) = fork.who {
            request.flags |= Request::WHO;
            request.who = who;
        }
        if fork.watch {
            request.flags |= Request::WATCH;
        }
        if fork.confirm {
            request.flags |= Request::CONFIRM;
        }
        let by_number = |number: u32| {
            let mut given = fork.substitutions.iter();
            given.find(|(given, _)| *given == number)
        };
        // A file that was given for a duplicate serves as well.
        let given = |need: &Substituted| {
            let mut same = self
                .needs
                .iter()
                .filter(|other| other.open_file == need.open_file);
            by_number(need.number).or_else(|| same.find_map(|other| by_number(other.number)))
        };
        for (number, _) in fork.substitutions {
            if !self.needs.iter().any(|need| need.number == *number) {
                return Err(ForkError::Unwanted { number: *number });
            }
        }
        if self.needs.len() > MAX_SUBSTITUTIONS {
            return Err(ForkError::TooMany {
                count: self.needs.len(),
            });
        }
        for (index, need) in self.needs.iter().enumerate() {
            let (_, file) = given(need).ok_or_else(|| ForkError::Missing {
                number: need.number,
                description: need.description.clone(),
            })?;
            request.targets[index] = need.number;
            request.close_on_exec |= u64::from(need.close_on_exec) << index;
            fds.push(*file);
        }
        request.substitutions = self.needs.len() as u32;
        Ok(fds)
    }
}

fn talk(errno: Errno) -> ForkError {
    match errno {
        Errno::PIPE | Errno::CONNRESET => ForkError::Ended,
        errno => ForkError::Talk(errno.into()),
    }
}

/// A failure, with what the plan says of it.
pub(crate) fn failure(recipe: &Recipe, reply: &Reply) -> Failure {
    let Reply {
        phase, op, result, ..
    } = *reply;
    let plan = recipe.read_plan().unwrap_or_default();
    Failure {
        phase,
        op,
        result,
        asked: step::asked(&plan, phase, op),
    }
}
