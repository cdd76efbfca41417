//! The nursery: a small single-threaded process that clones the inits and the programs of sandboxes.
//!
//! The daemon starts it by executing its own program again, with a `SOCK_SEQPACKET` socket as
//! standard input. It holds no secret: its environment is empty, its file system is the sandboxes'
//! root. It takes one packet at a time, clones, and hands the new process's pidfd to the daemon; set-up
//! happens in the child, so that many are in flight. What it has cloned it also reaps ([`children`]), and tells
//! how programs ended. It ends when the daemon's end of the socket closes, and all sandboxes with it (each init has
//! asked for `SIGKILL` at its parent's death, and takes its PID namespace along).

mod children;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

use offshoot_sys::clone::{self, CloneRequest, SingleThread};
use offshoot_sys::fds;
use offshoot_sys::namespace::{Namespaces, join};
use offshoot_sys::signal::default_ignored;
use rustix::event::{PollFd, PollFlags, Timespec, epoll};
use rustix::fs::Mode;
use rustix::process::{PidfdFlags, Resource, Rlimit, Signal};
use seccompiler::BpfProgram;
use serde::{Deserialize, Serialize};

use crate::build::{self, NetState};
use crate::paths::PathRules;
use crate::root::RootFs;
use crate::stage::{At, Failure, Stage};
use crate::wire::{self, Greeting, Kind, Report};
use crate::{holder, program, seccomp};
use children::{Child, Children};

/// What the daemon tells the nursery on its command line, after the hidden subcommand.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) daemon_pid: i32,
    pub(crate) root: RootFs,
    pub(crate) landlock: bool,
}

/// What every clone inherits from the nursery's memory.
pub(crate) struct Inherited {
    /// The system call filter that each program's process adds to the nursery's own, compiled.
    pub(crate) inner_filter: BpfProgram,
    /// What each program may open, if the kernel has Landlock.
    pub(crate) path_rules: Option<PathRules>,
    /// The program that inits become.
    pub(crate) holder: OwnedFd,
    /// What a network namespace reads like that nobody has used.
    pub(crate) unused_net: NetState,
    /// The nursery itself.
    nursery: OwnedFd,
}

impl Inherited {
    /// Whether the nursery has ended; `getppid` cannot tell across a PID namespace.
    pub(crate) fn nursery_has_ended(&self) -> rustix::io::Result<bool> {
        let mut polled = [PollFd::new(&self.nursery, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        Ok(rustix::event::poll(&mut polled, Some(&now))? > 0)
    }
}

/// The limits of every process of a sandbox, as in AWS Lambda's environment. Those of open files and of processes are set
/// in each program ([`program`]): the nursery itself needs more descriptors; and all inits of the machine are one user, for
/// whom the kernel executes no program while that user has more processes than the caller's limit (`EAGAIN`, `execve(2)`).
pub(crate) const LIMITS: [(Resource, u64); 6] = [
    (Resource::Memlock, 64 << 10),
    (Resource::Stack, 8 << 20),
    // Not 0: that would still start a handler to which `core_pattern` pipes, as root, on the host;
    // 1 byte stops that as well (core(5), `do_coredump`).
    (Resource::Core, 1),
    // The largest `/tmp` that a function may have (10,240 MB). What a sandbox stores is limited by its file systems
    // and its memory; this limits what they do not: the length of sparse files, and of a file that somebody gives
    // to a program as its output.
    (Resource::Fsize, 10_240 << 20),
    // Whatever the daemon may do itself.
    (Resource::Nice, 0),
    (Resource::Rtprio, 0),
];

/// Runs the nursery: the whole of the hidden subcommand's process.
///
/// Must be called before the process has opened anything or started a thread: it closes every
/// descriptor above standard error. Arguments: the settings are the last one.
pub fn nursery_main() -> ExitCode {
    // Executed by descriptor, it would be called `exe` in process lists.
    let _ = rustix::thread::set_name(c"nursery");
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let greeting = Greeting::Failed {
                what: error.what,
                errno: error.errno,
            };
            if let Ok(bytes) = wire::encode(&greeting) {
                let _ = wire::send(rustix::stdio::stdin(), &bytes, &[]);
            }
            ExitCode::FAILURE
        }
    }
}

/// Why the nursery could not start; it travels to the daemon.
struct RunError {
    what: String,
    errno: i32,
}

impl RunError {
    fn new(what: impl Into<String>, error: &io::Error) -> Self {
        Self {
            what: what.into(),
            errno: crate::stage::errno_of(error),
        }
    }
}

fn run() -> Result<(), RunError> {
    let doing = |what: &'static str| move |error: io::Error| RunError::new(what, &error);
    let errno = |what: &'static str| {
        move |error: rustix::io::Errno| RunError::new(what, &io::Error::from(error))
    };
    fds::close_inherited().map_err(doing("close descriptors"))?;
    let settings = read_settings().map_err(doing("read the settings"))?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(errno("ask for the signal at the daemon's death"))?;
    let parent = rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero);
    if parent.map(|pid| pid.get()) != Some(settings.daemon_pid) {
        return Err(RunError {
            what: "find the daemon alive".into(),
            errno: libc::ESRCH,
        });
    }
    let thread = SingleThread::check().map_err(doing("count threads"))?;
    let thread = thread.ok_or(RunError {
        what: "be alone".into(),
        errno: libc::EBUSY,
    })?;
    default_ignored().map_err(doing("stop ignoring signals"))?;
    shed_privileges().map_err(doing("limit what sandboxes inherit"))?;
    let unused_net = NetState::of_unused_namespace(&thread)
        .map_err(doing("read an unused network namespace"))?;
    let holder = holder::open().map_err(doing("write the program of inits"))?;
    let me = rustix::process::getpid();
    let nursery = rustix::process::pidfd_open(me, PidfdFlags::empty())
        .map_err(errno("open its own pidfd"))?;
    // The root's devices are for everybody; what a sandbox makes is not.
    rustix::process::umask(Mode::empty());
    settings
        .root
        .enter()
        .map_err(|error| RunError::new(error.what, &error.source))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let path_rules = settings.landlock.then(PathRules::of_kernel).flatten();
    let inner_filter = seccomp::inner(seccomp::table::SETUP);
    seccomp::load(&seccomp::outer(seccomp::table::SETUP))
        .map_err(doing("load the system call filter"))?;
    let greeting = wire::encode(&Greeting::Ready).map_err(doing("encode"))?;
    wire::send(rustix::stdio::stdin(), &greeting, &[]).map_err(errno("greet"))?;
    let inherited = Inherited {
        inner_filter,
        path_rules,
        holder,
        unused_net,
        nursery,
    };
    serve(&thread, &inherited).map_err(errno("wait for requests"))
}

fn read_settings() -> io::Result<Settings> {
    let argument = std::env::args()
        .next_back()
        .ok_or(io::ErrorKind::InvalidInput)?;
    wire::decode(argument.as_bytes())
}

/// Sets once what a fork and an exec carry over, so that no sandbox pays for it.
fn shed_privileges() -> io::Result<()> {
    // A daemon that is protected from the OOM killer must not hand that on.
    std::fs::write("/proc/self/oom_score_adj", "0")?;
    raise(Resource::Nofile)?;
    raise(Resource::Nproc)?;
    for (resource, limit) in LIMITS {
        let both = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        rustix::process::setrlimit(resource, both)?;
    }
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::thread::clear_ambient_capability_set()?;
    empty_bounding_set()
}

/// Two descriptors for each program and one for each init, and a process each: as many as may be.
fn raise(resource: Resource) -> io::Result<()> {
    let maximum = rustix::process::getrlimit(resource).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

/// Without a bounding set no exec gains a capability; the nursery's own stay (capabilities(7)).
fn empty_bounding_set() -> io::Result<()> {
    for number in 0..64 {
        let Some(capability) = rustix::thread::CapabilitySet::from_bits(1 << number) else {
            continue;
        };
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The first number that the kernel does not know.
            Err(rustix::io::Errno::INVAL) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Takes requests until the daemon closes its end, and reaps in between.
fn serve(thread: &SingleThread, inherited: &Inherited) -> rustix::io::Result<()> {
    let socket = rustix::stdio::stdin();
    let mut children = Children::new(socket)?;
    let mut events = Vec::with_capacity(64);
    loop {
        events.clear();
        match epoll::wait(
            children.epoll(),
            rustix::buffer::spare_capacity(&mut events),
            None,
        ) {
            Err(rustix::io::Errno::INTR) => continue,
            result => result.map(drop)?,
        }
        for event in &events {
            if !Children::is_request(event) {
                children.reap(event);
                continue;
            }
            let Ok(Some((bytes, fds))) = wire::receive(socket) else {
                return Ok(());
            };
            obey(thread, inherited, &mut children, &bytes, fds);
        }
    }
}

/// Carries out one request. Its first descriptor is the control socket, on which the outcome is told.
fn obey(
    thread: &SingleThread,
    inherited: &Inherited,
    children: &mut Children,
    bytes: &[u8],
    mut fds: Vec<OwnedFd>,
) {
    let Some(kind) = wire::kind_of(bytes) else {
        return;
    };
    let fixed = match kind {
        Kind::Build => 2,
        Kind::Run => 4,
    };
    if fds.len() < fixed {
        return;
    }
    let rest = fds.split_off(fixed);
    let cloned = match kind {
        Kind::Build => clone_init(thread, inherited, bytes, &fds, rest),
        Kind::Run => clone_program(thread, inherited, bytes, &fds, rest),
    };
    let init = match kind {
        Kind::Build => None,
        Kind::Run => fds.pop(),
    };
    let control = fds.swap_remove(0);
    let Some(pidfd) = report_clone(control.as_fd(), cloned) else {
        return;
    };
    let child = match init {
        None => Child::init(pidfd),
        Some(init) => Child::program(pidfd, control, init),
    };
    children.add(child);
}

/// `fds`: control socket, cgroup2 directory.
fn clone_init(
    thread: &SingleThread,
    inherited: &Inherited,
    bytes: &[u8],
    fds: &[OwnedFd],
    rest: Vec<OwnedFd>,
) -> Result<clone::Spawned, Failure> {
    let request = CloneRequest {
        new_pid_namespace: true,
        into_cgroup: Some(fds[1].as_fd()),
        ..CloneRequest::default()
    };
    clone::spawn(thread, &request, |child| {
        build::main(child, inherited, bytes, &fds[0], rest)
    })
    .at(Stage::Clone)
}

/// `fds`: control socket, birth socket, cgroup2 directory, pidfd of the sandbox's init.
fn clone_program(
    thread: &SingleThread,
    inherited: &Inherited,
    bytes: &[u8],
    fds: &[OwnedFd],
    mut rest: Vec<OwnedFd>,
) -> Result<clone::Spawned, Failure> {
    let sandbox = fds[3].as_fd();
    let request = CloneRequest {
        into_cgroup: Some(fds[2].as_fd()),
        ..CloneRequest::default()
    };
    rest.insert(0, fds[3].try_clone().at(Stage::Clone)?);
    join(sandbox, Namespaces::PID).at(Stage::Join)?;
    let spawned = clone::spawn(thread, &request, |child| {
        program::main(child, inherited, bytes, &fds[1], rest)
    })
    .at(Stage::Clone);
    // The next init's PID namespace must begin at the nursery's own.
    match join(inherited.nursery.as_fd(), Namespaces::PID) {
        Ok(()) => spawned,
        // Nothing could be cloned in the right place any more: better end, and be started again.
        Err(_) => std::process::exit(1),
    }
}

/// Hands a pidfd to the daemon, and returns it; if that has lost interest, the process ends at once.
fn report_clone(
    control: BorrowedFd<'_>,
    cloned: Result<clone::Spawned, Failure>,
) -> Option<OwnedFd> {
    let (report, pidfd) = match cloned {
        Ok(spawned) => (Report::Cloned { pid: spawned.pid }, Some(spawned.pidfd)),
        Err(failure) => (Report::Failed(failure), None),
    };
    let descriptors: Vec<BorrowedFd<'_>> = pidfd.iter().map(AsFd::as_fd).collect();
    let sent =
        wire::encode(&report).and_then(|bytes| Ok(wire::send(control, &bytes, &descriptors)?));
    if let (Err(_), Some(pidfd)) = (sent, &pidfd) {
        let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    }
    pidfd
}
