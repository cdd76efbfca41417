//! Why a launcher, a sandbox or its end failed: one error per operation.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::net::PolicyError;
use crate::stage::Stage;

/// What is wrong with a [`SandboxSpec`](crate::SandboxSpec).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The identifier is empty, too long or holds other characters than allowed.
    #[error("sandbox id {id:?} is not 1 to 64 letters, digits, dots, dashes or underscores")]
    Id {
        /// As given.
        id: String,
    },
    /// The host name is empty, too long or holds other characters than allowed.
    #[error("host name {hostname:?} is not 1 to 64 letters, digits, dots or dashes")]
    Hostname {
        /// As given.
        hostname: String,
    },
    /// The memory limit is too small to start anything, or absurd.
    #[error("a memory limit of {memory_bytes} bytes is outside what a sandbox can have")]
    Memory {
        /// As given.
        memory_bytes: u64,
    },
    /// The size of `/tmp` is too small, or absurd.
    #[error("a /tmp of {tmp_bytes} bytes is outside what a sandbox can have")]
    Tmp {
        /// As given.
        tmp_bytes: u64,
    },
    /// The working directory is not an absolute path.
    #[error("working directory {cwd:?} is not an absolute path")]
    Cwd {
        /// As given.
        cwd: String,
    },
    /// No program to run.
    #[error("argv names no program")]
    NoProgram,
    /// An argument holds a NUL byte.
    #[error("argument {argument:?} holds a NUL byte")]
    Argument {
        /// As given.
        argument: String,
    },
    /// An environment variable's name is empty or holds `=`, or a NUL byte is in it.
    #[error("environment variable {name:?} cannot be set")]
    Environment {
        /// As given.
        name: String,
    },
    /// The network policy cannot be carried out.
    #[error("the network policy is not usable")]
    Network(#[from] PolicyError),
    /// Arguments and environment together exceed [`MAX_ARGUMENT_BYTES`](crate::MAX_ARGUMENT_BYTES).
    #[error("arguments and environment of {len_bytes} bytes are too long")]
    TooLong {
        /// Their length.
        len_bytes: usize,
    },
}

/// Why a launcher could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The owner's name is empty, too long or holds other characters than allowed.
    #[error("owner {owner:?} is not 1 to 32 lower-case letters, digits or dashes")]
    Owner {
        /// As given.
        owner: String,
    },
    /// The caller is not root.
    #[error("sandboxes need root (effective uid 0), this process has uid {uid}")]
    NotRoot {
        /// The effective uid.
        uid: u32,
    },
    /// The control group hierarchies are missing or not usable.
    #[error("control groups are not usable")]
    Cgroup(#[from] CgroupError),
    /// The nursery could not be started.
    #[error("cannot start the nursery {exe:?}")]
    Nursery {
        /// The program that was to be executed.
        exe: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The nursery started and failed to prepare the root file system.
    #[error("the nursery failed to prepare ({what})")]
    Prepare {
        /// The step that failed.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A thread that mounts code into sandboxes could not be started.
    #[error("cannot start a thread that enters mount namespaces")]
    Hands {
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The nursery ended before it said that it is ready.
    #[error("the nursery ended before it was ready; its last words are on standard error")]
    NurseryGone,
    /// The network settings cannot be used.
    #[error("network settings are not usable")]
    Network(#[from] NetworkError),
}

/// Why the control groups of a launcher or sandbox could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CgroupError {
    /// Neither a cgroup v2 mount nor a v1 one offers what is needed.
    #[error("no mounted hierarchy offers {what}")]
    Missing {
        /// `cgroup2`, `memory`, `cpu` or `pids`.
        what: &'static str,
    },
    /// A file or directory of a hierarchy could not be made, read or written.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Why a sandbox could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The description is wrong.
    #[error("the sandbox's description is not usable")]
    Spec(#[from] SpecError),
    /// A step failed.
    #[error("sandbox {id}: stage {stage} failed")]
    Stage {
        /// The sandbox.
        id: String,
        /// The step.
        stage: Stage,
        /// Its errno.
        #[source]
        source: io::Error,
    },
    /// The control groups could not be made.
    #[error("sandbox {id}: no control groups")]
    Cgroup {
        /// The sandbox.
        id: String,
        /// Why not.
        #[source]
        source: CgroupError,
    },
    /// Every uid of the launcher's range is in use.
    #[error("all {limit} sandbox uids are in use")]
    NoSlot {
        /// How many there are.
        limit: u32,
    },
    /// The link to the outside could not be made.
    #[error("sandbox {id}: no network")]
    Network {
        /// The sandbox.
        id: String,
        /// Why not.
        #[source]
        source: NetworkError,
    },
    /// The nursery has ended, and with it all sandboxes; a new launcher is needed.
    #[error("the nursery has ended")]
    NurseryGone,
    /// Init ended before the program ran, without a word: killed from outside or out of memory.
    #[error("sandbox {id}: init ended during set-up ({oom_kills} kills for lack of memory)")]
    InitGone {
        /// The sandbox.
        id: String,
        /// How many processes of the sandbox the kernel killed for lack of memory.
        oom_kills: u64,
    },
    /// A used sandbox cannot be emptied.
    #[error("sandbox {id} cannot be emptied")]
    StillAlive {
        /// The sandbox.
        id: String,
        /// Why not.
        #[source]
        source: Box<DestroyError>,
    },
    /// What came over the control socket is not one of our messages.
    #[error("sandbox {id}: unreadable report from init")]
    Report {
        /// The sandbox.
        id: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why the network of a launcher or sandbox could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The `nft` program is not installed.
    #[error(
        "the program `nft` is missing: install the package `nftables` to give sandboxes egress"
    )]
    NftMissing,
    /// `nft` refused the rules.
    #[error("nft refused the rules: {message}")]
    Rules {
        /// What it said.
        message: String,
    },
    /// The address pool is not usable.
    #[error("address pool {pool} is not usable: {why}")]
    Pool {
        /// As given.
        pool: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// All address pairs are in use.
    #[error("all {limit} address pairs of the pool are in use")]
    NoAddress {
        /// How many there are.
        limit: u32,
    },
    /// A netlink request failed.
    #[error("cannot {action} link {link}: {message}")]
    Link {
        /// What was tried.
        action: &'static str,
        /// The interface.
        link: String,
        /// What the kernel said.
        message: String,
    },
    /// The policy cannot be carried out.
    #[error("the network policy is not usable")]
    Policy(#[from] PolicyError),
    /// The policy allows what no sandbox can reach.
    #[error("the network policy allows {destination}, which is {what}: no sandbox can reach it")]
    Forbidden {
        /// The entry of the policy.
        destination: String,
        /// What is there.
        what: &'static str,
    },
    /// The name server of a link could not be started.
    #[error("cannot listen at {address} port 53 for a sandbox's questions")]
    Resolver {
        /// The host's address of the link.
        address: Ipv4Addr,
        /// Why not; a program that listens on port 53 of all addresses is in the way.
        #[source]
        source: io::Error,
    },
    /// The kernel could not be made to forget the connections of an address.
    #[error("cannot remove the tracked connections of {address}")]
    Forget {
        /// The sandbox's address.
        address: Ipv4Addr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A kernel setting could not be read or written.
    #[error("cannot set {path}")]
    Setting {
        /// The file in `/proc/sys`.
        path: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Why a sandbox could not be removed completely. Its processes are dead unless the variant says
/// otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DestroyError {
    /// A process did not end within the time allowed: in the kernel, uninterruptible.
    #[error("sandbox {id}: processes are still alive {waited_ms} ms after SIGKILL")]
    StillAlive {
        /// The sandbox.
        id: String,
        /// How long was waited.
        waited_ms: u64,
    },
    /// A control group could not be removed.
    #[error("sandbox {id}: control group remains")]
    Cgroup {
        /// The sandbox.
        id: String,
        /// Why.
        #[source]
        source: CgroupError,
    },
    /// The host's end of the network link could not be removed.
    #[error("sandbox {id}: network link remains")]
    Network {
        /// The sandbox.
        id: String,
        /// Why.
        #[source]
        source: NetworkError,
    },
    /// The launcher's runtime has ended; the next start's sweep removes what remains.
    #[error("sandbox {id}: the launcher has ended before the removal was done")]
    LauncherGone {
        /// The sandbox.
        id: String,
    },
}
