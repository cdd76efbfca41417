//! The states of a sandbox, each a type, so that a step in the wrong state does not compile.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use offshoot_sys::namespace::Namespaces;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::roster::State;
use super::uncharged::Uncharged;
use crate::cgroup::{Group, GroupFds, Peak};
use crate::reaper::Remains;
use crate::spec::Account;
use crate::stage::Stage;

/// What is the same in every state: the parts, and how they are set up now.
#[derive(Debug)]
pub(crate) struct Shell {
    /// What has to be removed, and is if this is dropped.
    pub(crate) remains: Remains,
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    /// The ways into its groups, for as long as there is nobody in it: no second program joins, and descriptors are few.
    pub(crate) ways_in: Option<GroupFds>,
    pub(crate) peak: Arc<Peak>,
    pub(crate) net: OwnedFd,
    pub(crate) egress: bool,
    pub(crate) settings: Settings,
    /// Whose programs have run in it.
    pub(crate) account: Option<Account>,
    /// How many programs have.
    pub(crate) uses: u32,
    /// How long the stages of its making took, in microseconds.
    pub(crate) stages_us: Vec<(Stage, u32)>,
}

/// What a taker may want otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `None` before the first taker.
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) tmp_bytes: u64,
    pub(crate) hostname: String,
}

/// A prepared, empty sandbox that waits.
#[derive(Debug)]
pub struct Ghost(pub(crate) Shell);

/// A sandbox that is a function's, with its code and limits, in which nothing runs yet.
#[derive(Debug)]
pub struct Taken(pub(crate) Shell);

/// A sandbox in which a program runs.
#[derive(Debug)]
pub struct Occupied {
    pub(crate) shell: Shell,
    current: Arc<AtomicBool>,
    /// What its program had before it was in it, if that is a clone.
    uncharged: Option<Uncharged>,
}

/// A sandbox whose program shall end or has, with everything that it may have left.
#[derive(Debug)]
pub struct Dirty(pub(crate) Shell);

/// What a process needs to join a sandbox.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Join<'a> {
    /// The sandbox's init.
    pub pidfd: BorrowedFd<'a>,
    /// The namespaces, as `setns(2)` takes them; that of process ids must be joined before the process is cloned.
    pub namespaces: u32,
    /// The directory in the cgroup2 hierarchy, for `CLONE_INTO_CGROUP`.
    pub cgroup: BorrowedFd<'a>,
    /// The `tasks` files of the cgroup v1 groups, for the process to write itself into while it has one thread.
    pub tasks: &'a [OwnedFd],
    /// The user and group that programs have in it.
    pub uid: u32,
}

impl Shell {
    pub(crate) fn note(&self, state: State, holder: Option<&str>) {
        if let Some(entry) = &self.remains.entry {
            entry.write(self, state, holder);
        }
    }

    fn set(&self, state: State) {
        if let Some(entry) = &self.remains.entry {
            entry.set(state);
        }
    }
}

impl Ghost {
    /// The name of its control groups.
    pub fn id(&self) -> &str {
        self.0.remains.id()
    }

    /// How many programs have run in it.
    pub fn uses(&self) -> u32 {
        self.0.uses
    }

    pub(crate) fn note(&self) {
        self.0.note(State::Ghost, None);
    }

    /// Its init, as the host sees it.
    pub fn pid(&self) -> i32 {
        self.0.pid
    }
}

impl Taken {
    /// The name of its control groups.
    pub fn id(&self) -> &str {
        self.0.remains.id()
    }

    /// What a clone needs to join it. [`Taken::occupied`] must be called before the clone goes on.
    pub fn join(&self) -> Option<Join<'_>> {
        let ways_in = self.0.ways_in.as_ref()?;
        Some(Join {
            pidfd: self.0.remains.pidfd.as_ref()?.as_fd(),
            namespaces: (Namespaces::SANDBOX | Namespaces::PID)
                .bits()
                .cast_unsigned(),
            cgroup: ways_in.unified.as_fd(),
            tasks: &ways_in.attach,
            uid: self.0.uid,
        })
    }

    /// Its root directory, to open files in it that a program in it would find.
    ///
    /// # Errors
    /// Its init has ended, or those of `openat2(2)`.
    pub fn root(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = format!("/proc/{}/root", self.0.pid);
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        // The id may be another process's by now; the pidfd is not.
        let init = self.0.remains.pidfd.as_ref();
        let init = init.ok_or_else(|| io::Error::from(Errno::SRCH))?;
        let mut ended = [PollFd::new(init, PollFlags::IN)];
        match poll(&mut ended, Some(&Timespec::default()))? {
            0 => Ok(root),
            _ => Err(Errno::SRCH.into()),
        }
    }

    /// A process is in it now, or about to be.
    pub fn occupied(self) -> Occupied {
        self.0.set(State::Occupied);
        let shell = Shell {
            ways_in: None,
            ..self.0
        };
        Occupied {
            shell,
            current: Arc::new(AtomicBool::new(true)),
            uncharged: None,
        }
    }
}

/// The counter of a sandbox's highest use of memory.
#[derive(Debug, Clone)]
pub struct PeakMemory {
    peak: Arc<Peak>,
    current: Arc<AtomicBool>,
    limit_bytes: Option<u64>,
    uncharged_bytes: u64,
}

impl PeakMemory {
    /// In bytes; `None` when the kernel does not count it, or the sandbox is somebody else's by now.
    pub fn bytes(&self) -> Option<u64> {
        let bytes = self.peak.bytes(self.limit_bytes);
        // Looked at afterwards: what was read before the end is this program's.
        let bytes = self.current.load(Ordering::Acquire).then_some(bytes)??;
        Some(bytes.saturating_add(self.uncharged_bytes))
    }
}

impl Occupied {
    /// Counts memory that its program has had since before it was in it.
    pub(crate) fn with_uncharged(self, uncharged: Uncharged) -> Self {
        Self {
            uncharged: Some(uncharged),
            ..self
        }
    }

    /// The most memory that was in use at once, for whoever wants to read it later.
    pub fn peak_memory(&self) -> PeakMemory {
        PeakMemory {
            peak: Arc::clone(&self.shell.peak),
            current: Arc::clone(&self.current),
            limit_bytes: self.shell.settings.memory_bytes,
            uncharged_bytes: self.uncharged.as_ref().map_or(0, Uncharged::bytes),
        }
    }

    /// How many processes in it the kernel killed for lack of memory.
    pub fn oom_kills(&self) -> u64 {
        self.shell
            .remains
            .group
            .as_ref()
            .map_or(0, Group::oom_kills)
    }

    /// Kills everything in it; does not wait.
    pub fn kill(&self) {
        self.shell.remains.kill();
    }

    /// Kills everything in it and marks it for [repurposing](crate::Launcher::repurpose).
    pub fn end(self) -> Dirty {
        self.kill();
        self.current.store(false, Ordering::Release);
        self.shell.set(State::Dirty);
        Dirty(self.shell)
    }
}
