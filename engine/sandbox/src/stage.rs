//! The steps of making a sandbox, by which errors and timings are named.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// One step of making a sandbox, in the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The daemon makes the control groups and writes their limits.
    Cgroup,
    /// The daemon opens the code directory as a detached mount.
    TaskDir,
    /// The daemon opens the runtime's directory as a detached mount.
    RuntimeDir,
    /// The daemon opens the layers, as one directory or as an overlay, as a detached mount.
    Layers,
    /// The nursery receives and understands the request.
    Request,
    /// The nursery clones the sandbox's init.
    Clone,
    /// Init ties its life to the nursery's.
    Parent,
    /// A process moves itself into the sandbox's cgroup v1 groups.
    Attach,
    /// Init enters new namespaces.
    Namespaces,
    /// Init compares a network namespace that was used before with one that was not.
    NetworkState,
    /// Init sets the host name.
    Hostname,
    /// Init mounts `/proc` and covers parts of it.
    Proc,
    /// Init mounts `/tmp` and `/dev/shm`.
    Temporary,
    /// Init writes the sandbox's own files of `/etc`.
    Etc,
    /// The daemon attaches code and layers, or init the runtime.
    Code,
    /// Init brings the loopback interface up.
    Loopback,
    /// The runtime process binds the Runtime API's address.
    RuntimeApi,
    /// The daemon makes the link to the outside and init configures its end.
    Egress,
    /// Init gives up its rights and becomes the holder.
    Holder,
    /// A ghost sandbox is taken: its limits are set, the function's code is mounted.
    Take,
    /// The runtime process enters the sandbox's namespaces.
    Join,
    /// The runtime process arranges its descriptors.
    Descriptors,
    /// The runtime process gives up root and all capabilities.
    Credentials,
    /// The runtime process gives up rights to files by where they lie.
    Landlock,
    /// The runtime process loads the system call filter.
    Seccomp,
    /// The runtime process enters its working directory.
    Cwd,
    /// The runtime process executes the program.
    Exec,
}

impl Stage {
    /// The name used in logs, errors and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::TaskDir => "task_dir",
            Self::RuntimeDir => "runtime_dir",
            Self::Layers => "layers",
            Self::Request => "request",
            Self::Clone => "clone",
            Self::Parent => "parent",
            Self::Attach => "attach",
            Self::Namespaces => "namespaces",
            Self::NetworkState => "network_state",
            Self::Hostname => "hostname",
            Self::Proc => "proc",
            Self::Temporary => "temporary",
            Self::Etc => "etc",
            Self::Code => "code",
            Self::Loopback => "loopback",
            Self::RuntimeApi => "runtime_api",
            Self::Egress => "egress",
            Self::Holder => "holder",
            Self::Take => "take",
            Self::Join => "join",
            Self::Descriptors => "descriptors",
            Self::Credentials => "credentials",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Cwd => "cwd",
            Self::Exec => "exec",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A step that failed, in the form that travels from init to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
}

/// Names the stage of a failed system call.
pub(crate) trait At<T> {
    fn at(self, stage: Stage) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, io::Error> {
    fn at(self, stage: Stage) -> Result<T, Failure> {
        self.map_err(|error| Failure {
            stage,
            errno: errno_of(&error),
        })
    }
}

impl<T> At<T> for Result<T, rustix::io::Errno> {
    fn at(self, stage: Stage) -> Result<T, Failure> {
        self.map_err(|errno| Failure {
            stage,
            errno: errno.raw_os_error(),
        })
    }
}

/// The errno of an error, or `EIO` for those that Rust's library made up itself.
pub(crate) fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

impl Failure {
    /// A request that is not what it should be.
    pub(crate) fn of_request() -> Self {
        Self {
            stage: Stage::Request,
            errno: libc::EBADMSG,
        }
    }
}

/// Measures the stages, each from the end of the one before.
#[derive(Debug)]
pub(crate) struct StageClock {
    last: Instant,
    stages_us: Vec<(Stage, u32)>,
}

impl StageClock {
    pub(crate) fn start() -> Self {
        Self {
            last: Instant::now(),
            stages_us: Vec::with_capacity(16),
        }
    }

    /// The stage that has just ended.
    pub(crate) fn end(&mut self, stage: Stage) {
        let now = Instant::now();
        self.stages_us.push((stage, micros(now - self.last)));
        self.last = now;
    }

    pub(crate) fn stages_us(self) -> Vec<(Stage, u32)> {
        self.stages_us
    }
}

/// Whole microseconds; what does not fit is as long as anybody cares.
pub(crate) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
