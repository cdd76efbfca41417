//! What is said over a template's control socket, one packet each, little-endian as all of x86-64.

use core::mem::offset_of;

use crate::decode::Bytes;

/// Most descriptors that a request may substitute.
pub const MAX_SUBSTITUTIONS: usize = 64;

/// Most descriptors that a request may bring.
pub const MAX_BROUGHT: usize = MAX_SUBSTITUTIONS + 16;

/// What is asked of a template: a clone. With it travel, in this order: the sandbox's pidfd, the cgroup directory (v2), the
/// cgroup `tasks` files (v1), the park descriptor, the substituted files; each only if it is announced here.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// `Request::PARK` and the like.
    pub flags: u32,
    /// Comes back with every reply to this request.
    pub token: u64,
    /// Namespaces of the sandbox to join, as `setns(2)` takes them; 0 if there is no sandbox.
    pub namespaces: u32,
    /// How many cgroup `tasks` files come.
    pub cgroup_files: u32,
    /// How many files are substituted.
    pub substitutions: u32,
    /// Who the clone may be at most, with [`Request::WHO`].
    pub who: Who,
    /// Bit `n`: the nth substituted descriptor is closed on exec.
    pub close_on_exec: u64,
    /// The descriptors that they get.
    pub targets: [u32; MAX_SUBSTITUTIONS],
}

impl Request {
    /// A sandbox's pidfd comes with it.
    pub const SANDBOX: u32 = 1;
    /// A cgroup v2 directory comes with it.
    pub const CGROUP: u32 = 2;
    /// The clone waits until its park descriptor can be read.
    pub const PARK: u32 = 4;
    /// The clone says when it goes on.
    pub const CONFIRM: u32 = 8;
    /// The clone brings its pages in first.
    pub const PREFAULT: u32 = 16;
    /// The clone is watched: which pages does it touch?
    pub const WATCH: u32 = 32;
    /// The clone becomes [`Request::who`], whoever its seed was.
    pub const WHO: u32 = 64;
}

/// What a sandbox makes of whoever the seed was: its specification outranks what an image says.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Who {
    /// All of the clone's user ids. It has no supplementary groups, and gains no rights by executing programs
    /// (`PR_SET_NO_NEW_PRIVS`).
    pub user: u32,
    /// All of its group ids.
    pub group: u32,
    /// The capabilities that it may have at most, a bit each; of those it has what the seed had.
    pub capabilities: u64,
}

impl Request {
    /// A request for a clone and nothing else.
    pub const fn fork(token: u64) -> Self {
        Self {
            flags: 0,
            token,
            namespaces: 0,
            cgroup_files: 0,
            substitutions: 0,
            who: Who {
                user: 0,
                group: 0,
                capabilities: 0,
            },
            close_on_exec: 0,
            targets: [0; MAX_SUBSTITUTIONS],
        }
    }

    /// As it lies in memory, padding zero.
    pub fn to_bytes(&self) -> [u8; size_of::<Self>()] {
        let mut bytes = [0; size_of::<Self>()];
        let mut put = |offset: usize, value: &[u8]| {
            bytes[offset..offset + value.len()].copy_from_slice(value);
        };
        put(offset_of!(Self, flags), &self.flags.to_le_bytes());
        put(offset_of!(Self, token), &self.token.to_le_bytes());
        put(offset_of!(Self, namespaces), &self.namespaces.to_le_bytes());
        put(
            offset_of!(Self, cgroup_files),
            &self.cgroup_files.to_le_bytes(),
        );
        put(
            offset_of!(Self, substitutions),
            &self.substitutions.to_le_bytes(),
        );
        let who = offset_of!(Self, who);
        put(who + offset_of!(Who, user), &self.who.user.to_le_bytes());
        put(who + offset_of!(Who, group), &self.who.group.to_le_bytes());
        put(
            who + offset_of!(Who, capabilities),
            &self.who.capabilities.to_le_bytes(),
        );
        put(
            offset_of!(Self, close_on_exec),
            &self.close_on_exec.to_le_bytes(),
        );
        for (index, target) in self.targets.iter().enumerate() {
            put(offset_of!(Self, targets) + 4 * index, &target.to_le_bytes());
        }
        bytes
    }
}

impl Reply {
    /// From bytes as they lie in memory; none if there are too few or too many.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != size_of::<Self>() {
            return None;
        }
        let bytes = Bytes(bytes);
        Some(Self {
            kind: bytes.u32(offset_of!(Self, kind))?,
            pid: bytes.u32(offset_of!(Self, pid))? as i32,
            token: bytes.u64(offset_of!(Self, token))?,
            phase: bytes.u32(offset_of!(Self, phase))?,
            op: bytes.u32(offset_of!(Self, op))?,
            result: bytes.u64(offset_of!(Self, result))? as i64,
        })
    }
}

/// What a template or clone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ReplyKind {
    /// The template is made.
    Ready = 1,
    /// A clone exists; its pidfd comes with it.
    Forked = 2,
    /// A clone waits to be woken.
    Parked = 3,
    /// A clone goes on.
    Running = 4,
    /// It failed, and is gone.
    Failed = 5,
}

/// A reply.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reply {
    /// A [`ReplyKind`].
    pub kind: u32,
    /// The clone's process id, as the template sees it.
    pub pid: i32,
    /// The request's token.
    pub token: u64,
    /// Of a failure: the [`crate::Phase`].
    pub phase: u32,
    /// Of a failure: the operation's index.
    pub op: u32,
    /// Of a failure: the result of the system call.
    pub result: i64,
}
