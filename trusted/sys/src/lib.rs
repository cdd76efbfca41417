//! The kernel calls that no safe crate offers, each behind a safe face.
//!
//! Everything that `rustix` already gives safely is used from `rustix` by the callers; this crate
//! holds only what is left over:
//!
//! 1. [`clone`] has `clone3` into new namespaces and a cgroup, from a single-threaded process.
//! 2. [`namespace`] has `unshare` and `setns` of namespaces (never of the descriptor table); [`exec`] executes a
//!    program by its descriptor.
//! 3. [`mount_attr`] has `mount_setattr`.
//! 4. [`fds`] has the descriptor table of a fresh child: place, close, mark close-on-exec.
//! 5. [`ifaddr`] has interface flags, address and route by ioctl, for a process that has no netlink.
//! 6. [`signal`] has the dispositions that a child inherits.
//! 7. [`polled`] has descriptors that tokio waits on, where its safe types do not reach.
//! 8. [`kcmp`], [`handle`], [`owner`] and [`peek`] ask what only the kernel knows about a process's
//!    descriptors: which are duplicates, which file a handle names, who is signalled, what waits
//!    in a socket.
//! 9. [`pidfd`] has how a process ended that is nobody's child here.
//! 10. [`landlock`] has rules by which a thread gives up rights to files, and asks whether the kernel has it.
//! 11. [`schedule`] tells the scheduler before whom a thread runs.
//!
//! What callers must still ensure: the nursery stays single-threaded ([`clone::SingleThread`]
//! checks it at every clone). Cost: one system call per function, nothing else, except for the
//! check that precedes each clone (one `stat`).

pub mod clone;
pub mod exec;
pub mod fds;
pub mod handle;
pub mod ifaddr;
pub mod kcmp;
pub mod landlock;
pub mod mount_attr;
pub mod namespace;
pub mod owner;
pub mod packet;
pub mod peek;
pub mod pidfd;
pub mod polled;
pub mod schedule;
pub mod signal;
