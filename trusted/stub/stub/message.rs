//! What is said and heard over the control socket.

use core::mem::size_of;
use core::ptr::{addr_of, addr_of_mut};

use offshoot_plan::{MAX_BROUGHT, Reply, ReplyKind, Request, fd};

use crate::{own, sys};

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const MSG_CMSG_CLOEXEC: u64 = 0x4000_0000;
const MSG_NOSIGNAL: u64 = 0x4000;
const EINTR: i64 = -4;
const EPIPE: i64 = -32;
const ECONNRESET: i64 = -104;

pub const MAX_DESCRIPTORS: usize = MAX_BROUGHT;

/// `struct msghdr`.
#[repr(C)]
struct Message {
    name: u64,
    name_bytes: u64,
    parts: u64,
    part_count: u64,
    control: u64,
    control_bytes: u64,
    flags: u64,
}

/// `struct cmsghdr` with descriptors.
#[repr(C)]
pub struct Rights {
    bytes: u64,
    level: i32,
    kind: i32,
    pub descriptors: [i32; MAX_DESCRIPTORS],
}

const RIGHTS_HEAD_BYTES: u64 = 16;

/// What a request has brought.
pub struct Received {
    pub request: Request,
    pub rights: Rights,
    pub count: usize,
}

/// Sends a reply, with a descriptor if there is one.
pub fn say(reply: &Reply, descriptor: Option<i32>) {
    let part = [reply as *const Reply as u64, size_of::<Reply>() as u64];
    let rights = Rights {
        bytes: RIGHTS_HEAD_BYTES + 4,
        level: SOL_SOCKET,
        kind: SCM_RIGHTS,
        descriptors: {
            let mut all = [0; MAX_DESCRIPTORS];
            all[0] = descriptor.unwrap_or(0);
            all
        },
    };
    let message = Message {
        name: 0,
        name_bytes: 0,
        parts: part.as_ptr() as u64,
        part_count: 1,
        control: if descriptor.is_some() {
            addr_of!(rights) as u64
        } else {
            0
        },
        control_bytes: if descriptor.is_some() {
            RIGHTS_HEAD_BYTES + 8
        } else {
            0
        },
        flags: 0,
    };
    // SAFETY: all that the message points to lives until the call returns.
    let sent = unsafe {
        let message = addr_of!(message) as u64;
        sys::call3(sys::SENDMSG, own(fd::CONTROL), message, MSG_NOSIGNAL)
    };
    // Nobody listening is no reason to stop; but who listens would wait for ever for a message that was lost.
    if sys::is_error(sent) && sent != EPIPE && sent != ECONNRESET {
        sys::exit(96);
    }
}

/// The next request; none when the socket is closed or speaks nonsense.
pub fn receive() -> Option<Received> {
    loop {
        let mut received = Received {
            // SAFETY: numbers only.
            request: unsafe { core::mem::zeroed() },
            rights: Rights {
                bytes: 0,
                level: 0,
                kind: 0,
                descriptors: [0; MAX_DESCRIPTORS],
            },
            count: 0,
        };
        let part = [
            addr_of_mut!(received.request) as u64,
            size_of::<Request>() as u64,
        ];
        let mut message = Message {
            name: 0,
            name_bytes: 0,
            parts: part.as_ptr() as u64,
            part_count: 1,
            control: addr_of_mut!(received.rights) as u64,
            control_bytes: size_of::<Rights>() as u64,
            flags: 0,
        };
        // SAFETY: the message points to live, exclusive memory of the lengths that it says.
        let result = unsafe {
            let message = addr_of_mut!(message) as u64;
            sys::call3(sys::RECVMSG, own(fd::CONTROL), message, MSG_CMSG_CLOEXEC)
        };
        if result == EINTR {
            continue;
        }
        if result != size_of::<Request>() as i64 {
            return None;
        }
        if message.control_bytes >= RIGHTS_HEAD_BYTES && received.rights.kind == SCM_RIGHTS {
            let count = (received.rights.bytes - RIGHTS_HEAD_BYTES) / 4;
            received.count = (count as usize).min(MAX_DESCRIPTORS);
        }
        return Some(received);
    }
}

/// Says something about this clone.
pub fn reply(kind: ReplyKind, token: u64) {
    // SAFETY: asks for a number.
    let pid = unsafe { sys::call3(sys::GETTID, 0, 0, 0) } as i32;
    say(
        &Reply {
            kind: kind as u32,
            pid,
            token,
            ..Reply::default()
        },
        None,
    );
}
