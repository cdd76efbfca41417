//! From a request to a running clone.

use core::arch::global_asm;
use core::mem::size_of;
use core::ptr::{addr_of, addr_of_mut};
use core::sync::atomic::{AtomicU32, Ordering};

use crate::interpret;
use crate::{fail, header, identity, sys};
use offshoot_plan::{MAX_SUBSTITUTIONS, PLAN_BASE, Phase, Reply, ReplyKind, Request, Thread, fd};

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const MSG_CMSG_CLOEXEC: u64 = 0x4000_0000;
const MSG_NOSIGNAL: u64 = 0x4000;
const CLONE_NEWPID: u32 = 0x2000_0000;
const CLONE_NEWTIME: u64 = 0x80;
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_PARENT: u64 = 0x8000;
const CLONE_CHILD_TID: u64 = 0x0020_0000 | 0x0100_0000; // CLEARTID | SETTID
const CLONE_PARENT_SETTID: u64 = 0x0010_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// VM, FS, FILES, SIGHAND, THREAD, SYSVSEM and SETTLS.
const CLONE_THREAD: u64 = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000 | 0x8_0000;
const FUTEX_WAIT_PRIVATE: u64 = 128;
const FUTEX_WAKE_PRIVATE: u64 = 129;
const EINTR: i64 = -4;
/// How old the clock of the template may be, in nanoseconds: making a time namespace takes some 30 µs.
const CLOCK_AGE_NS: i64 = 1_000_000_000;

const MAX_DESCRIPTORS: usize = MAX_SUBSTITUTIONS + 16;

/// `struct clone_args` (`clone3(2)`).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_bytes: u64,
    tls: u64,
    set_tid: u64,
    set_tid_count: u64,
    cgroup: u64,
}

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
struct Rights {
    bytes: u64,
    level: i32,
    kind: i32,
    descriptors: [i32; MAX_DESCRIPTORS],
}

const RIGHTS_HEAD_BYTES: u64 = 16;

/// What a request has brought.
struct Received {
    request: Request,
    rights: Rights,
    count: usize,
}

/// Threads wait here until it is not zero: no thread of the program runs before all exist.
static mut GO: u32 = 0;
/// How many threads have done their operations.
static ARRIVED: AtomicU32 = AtomicU32::new(0);
/// When the clock for children was made, in nanoseconds of `CLOCK_MONOTONIC`.
static mut CLOCK_MADE_NS: i64 = i64::MIN;

global_asm!(
    ".globl spawn_thread",
    // rdi: clone_args, rsi: their length, rdx: the plan's thread.
    "spawn_thread:",
    "push rbx",
    "mov rbx, rdx",
    "mov eax, 435",
    "syscall",
    "test rax, rax",
    "jz 2f",
    "pop rbx",
    "ret",
    "2:",
    "xor ebp, ebp",
    "mov rdi, rbx",
    "call {thread}",
    "hlt",
    ".globl return_to",
    // rdi: the signal frame. Loads every register of the program.
    "return_to:",
    // `rt_sigreturn` keeps the flags that a handler may not change, ID (bit 21) among them: it has to be right before.
    "mov rax, [rdi + 176]",
    "and eax, 0x200000",
    "pushfq",
    "and qword ptr [rsp], ~0x200000",
    "or [rsp], rax",
    "popfq",
    "mov rsp, rdi",
    "mov eax, 15",
    "syscall",
    "hlt",
    thread = sym thread,
);

unsafe extern "C" {
    fn spawn_thread(args: *const CloneArgs, bytes: u64, thread: *const Thread) -> i64;
    fn return_to(frame: u64) -> !;
}

fn own(descriptor: u32) -> u64 {
    u64::from(header().fd_base + descriptor)
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
    // SAFETY: all that the message points to lives until the call returns. Nobody listening is no reason to stop.
    unsafe {
        sys::call3(
            sys::SENDMSG,
            own(fd::CONTROL),
            addr_of!(message) as u64,
            MSG_NOSIGNAL,
        )
    };
}

/// Answers requests until the other side is gone.
pub fn serve() -> ! {
    loop {
        let Some(received) = receive() else {
            sys::exit(0);
        };
        let (pid, pidfd) = fork(&received);
        let kind = if pid > 0 {
            ReplyKind::Forked
        } else {
            ReplyKind::Failed
        };
        let reply = Reply {
            kind: kind as u32,
            pid: pid as i32,
            token: received.request.token,
            phase: Phase::Stub as u32,
            op: 2,
            result: pid,
        };
        say(&reply, (pid > 0).then_some(pidfd));
        // What came with the request, and the pidfd: nothing below the stub's own is the template's.
        // SAFETY: closes descriptors.
        unsafe { sys::call3(sys::CLOSE_RANGE, 0, own(0) - 1, 0) };
    }
}

/// The next request; none when the socket is closed or speaks nonsense.
fn receive() -> Option<Received> {
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

/// Makes the child. In the template: its id, or an error, and its pidfd.
fn fork(received: &Received) -> (i64, i32) {
    let request = &received.request;
    let mut next = 0;
    let mut take = |wanted: bool| {
        let found = if wanted {
            received.rights.descriptors[next]
        } else {
            -1
        };
        next += usize::from(wanted);
        found
    };
    let sandbox = take(request.flags & Request::SANDBOX != 0);
    let cgroup = take(request.flags & Request::CGROUP != 0);
    if let Err(error) = set_child_namespaces(request, sandbox) {
        return (error, -1);
    }
    let mut pidfd = -1_i32;
    let child_tid = header().main_child_tid;
    let mut args = CloneArgs {
        flags: CLONE_PIDFD | CLONE_PARENT,
        pidfd: addr_of_mut!(pidfd) as u64,
        ..CloneArgs::default()
    };
    if child_tid != 0 {
        args.flags |= CLONE_CHILD_TID;
        args.child_tid = child_tid;
    }
    if cgroup >= 0 {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup as u64;
    }
    // SAFETY: a fork: the child gets a copy of everything, and goes on here on a copy of this stack.
    let pid = unsafe {
        sys::call3(
            sys::CLONE3,
            addr_of!(args) as u64,
            size_of::<CloneArgs>() as u64,
            0,
        )
    };
    if pid == 0 {
        become_clone(received, next, sandbox);
    }
    (pid, pidfd)
}

/// The namespaces that only children enter: the sandbox's PIDs, and a clock that goes on where the image stopped.
fn set_child_namespaces(request: &Request, sandbox: i32) -> Result<(), i64> {
    let pid_namespace = if request.namespaces & CLONE_NEWPID != 0 {
        sandbox as u64
    } else {
        own(fd::PID_NAMESPACE)
    };
    // SAFETY: changes only what children get.
    let set = unsafe { sys::call3(sys::SETNS, pid_namespace, u64::from(CLONE_NEWPID), 0) };
    if sys::is_error(set) {
        return Err(set);
    }
    let clocks_ns = header().clocks_ns;
    if clocks_ns[0] == 0 {
        return Ok(());
    }
    let (monotonic_ns, boottime_ns) = (now_ns(1), now_ns(7));
    // SAFETY: the template has one thread.
    if unsafe { CLOCK_MADE_NS } > monotonic_ns - CLOCK_AGE_NS {
        return Ok(());
    }
    // SAFETY: makes a time namespace for children.
    let made = unsafe { sys::call3(sys::UNSHARE, CLONE_NEWTIME, 0, 0) };
    if sys::is_error(made) {
        return Err(made);
    }
    let mut text = Text::new();
    text.offset(b"monotonic ", clocks_ns[0] as i64 - monotonic_ns);
    text.offset(b"boottime ", clocks_ns[1] as i64 - boottime_ns);
    // SAFETY: writes the text.
    let written = unsafe {
        sys::call3(
            sys::WRITE,
            own(fd::CLOCKS),
            text.bytes.as_ptr() as u64,
            text.len as u64,
        )
    };
    if sys::is_error(written) {
        return Err(written);
    }
    // SAFETY: as above.
    unsafe { CLOCK_MADE_NS = monotonic_ns };
    Ok(())
}

fn now_ns(clock: u64) -> i64 {
    let mut time = [0_i64; 2];
    // SAFETY: writes a timespec.
    unsafe { sys::call3(sys::CLOCK_GETTIME, clock, time.as_mut_ptr() as u64, 0) };
    time[0].wrapping_mul(1_000_000_000).wrapping_add(time[1])
}

/// Lines of `/proc/pid/timens_offsets` (`time_namespaces(7)`): seconds, which may be negative, and nanoseconds.
struct Text {
    bytes: [u8; 128],
    len: usize,
}

impl Text {
    const fn new() -> Self {
        Self {
            bytes: [0; 128],
            len: 0,
        }
    }

    fn push(&mut self, byte: u8) {
        if self.len < self.bytes.len() {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
    }

    fn offset(&mut self, clock: &[u8], offset_ns: i64) {
        for &byte in clock {
            self.push(byte);
        }
        self.number(offset_ns.div_euclid(1_000_000_000));
        self.push(b' ');
        self.number(offset_ns.rem_euclid(1_000_000_000));
        self.push(b'\n');
    }

    fn number(&mut self, number: i64) {
        if number < 0 {
            self.push(b'-');
        }
        let mut left = number.unsigned_abs();
        let mut digits = [0_u8; 20];
        let mut count = 0;
        loop {
            digits[count] = b'0' + (left % 10) as u8;
            left /= 10;
            count += 1;
            if left == 0 {
                break;
            }
        }
        while count > 0 {
            count -= 1;
            self.push(digits[count]);
        }
    }
}

/// The child's whole way.
fn become_clone(received: &Received, first: usize, sandbox: i32) -> ! {
    let request = &received.request;
    let token = request.token;
    let stop = |op, result| fail(token, Phase::Stub, op, result);
    let mut next = first;
    if let Err(error) = join(received, &mut next, sandbox) {
        stop(3, error);
    }
    if let Err(error) = identity::apply(&header().credentials) {
        stop(4, error);
    }
    let park = take_descriptors(received, next).unwrap_or_else(|error| stop(5, error));
    let run = |phase, span| {
        if let Err((op, result)) = interpret::run(span) {
            fail(token, phase, op, result);
        }
    };
    run(Phase::Clone, header().clone);
    start_threads(token);
    if request.flags & Request::PREFAULT != 0 {
        run(Phase::Prefault, header().prefault);
    }
    let watched = request.flags & Request::WATCH != 0;
    if watched {
        run(Phase::Watch, header().watch);
    }
    if let Some(park) = park {
        wait(token, park);
    }
    await_threads();
    run(Phase::Resume, header().resume);
    if request.flags & Request::CONFIRM != 0 {
        reply(ReplyKind::Running, token);
    }
    // SAFETY: closes the stub's own descriptors; lets the threads go; then nothing of the stub runs any more.
    unsafe {
        if watched {
            sys::call3(sys::CLOSE_RANGE, own(0), own(fd::WATCHER) - 1, 0);
        }
        let kept = if watched { fd::WATCHER + 1 } else { 0 };
        sys::call3(sys::CLOSE_RANGE, own(kept), u64::from(u32::MAX), 0);
        if header().threads.count > 0 {
            addr_of_mut!(GO).write_volatile(1);
            sys::call3(
                sys::FUTEX,
                addr_of!(GO) as u64,
                FUTEX_WAKE_PRIVATE,
                i32::MAX as u64,
            );
        }
        return_to(header().main_frame)
    }
}

fn reply(kind: ReplyKind, token: u64) {
    // SAFETY: asks for a number.
    let pid = unsafe { sys::call3(sys::SETTID, 0, 0, 0) } as i32;
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

/// Enters the sandbox. Writing "0" moves the writer itself, which is cheap as long as it has one thread.
fn join(received: &Received, next: &mut usize, sandbox: i32) -> Result<(), i64> {
    let request = &received.request;
    for _ in 0..request.cgroup_files {
        let tasks = received.rights.descriptors[(*next).min(MAX_DESCRIPTORS - 1)] as u64;
        *next += 1;
        // SAFETY: writes one byte.
        let moved = unsafe { sys::call3(sys::WRITE, tasks, b"0".as_ptr() as u64, 1) };
        if sys::is_error(moved) {
            return Err(moved);
        }
    }
    let namespaces = request.namespaces & !CLONE_NEWPID;
    if sandbox >= 0 && namespaces != 0 {
        // SAFETY: changes the namespaces of this process only.
        let set = unsafe { sys::call3(sys::SETNS, sandbox as u64, u64::from(namespaces), 0) };
        if sys::is_error(set) {
            return Err(set);
        }
    }
    Ok(())
}

/// Gives what has come its numbers, and closes everything else. The descriptor to park at, among the stub's own.
fn take_descriptors(received: &Received, first: usize) -> Result<Option<u64>, i64> {
    let request = &received.request;
    let came = received.count.saturating_sub(first);
    let high = |at: usize| own(fd::FILES + header().kept_files) + at as u64;
    // Out of the way first: what has come lies where some of it may have to go.
    for at in 0..came {
        let from = received.rights.descriptors[first + at] as u64;
        move_to(from, high(at), true)?;
    }
    // SAFETY: closes descriptors of this process.
    unsafe { sys::call3(sys::CLOSE_RANGE, 0, own(0) - 1, 0) };
    let parks = request.flags & Request::PARK != 0;
    let skipped = usize::from(parks);
    let count = (request.substitutions as usize).min(MAX_SUBSTITUTIONS);
    for at in 0..count.min(came.saturating_sub(skipped)) {
        let close_on_exec = request.close_on_exec & (1 << at) != 0;
        move_to(
            high(skipped + at),
            u64::from(request.targets[at]),
            close_on_exec,
        )?;
    }
    Ok(parks.then(|| high(0)))
}

fn move_to(from: u64, to: u64, close_on_exec: bool) -> Result<(), i64> {
    let flags = if close_on_exec { 0o2_000_000 } else { 0 };
    // SAFETY: only descriptors change.
    let moved = unsafe { sys::call3(sys::DUP3, from, to, flags) };
    if sys::is_error(moved) {
        Err(moved)
    } else {
        Ok(())
    }
}

fn start_threads(token: u64) {
    let threads = header().threads;
    for index in 0..threads.count {
        let address = PLAN_BASE + threads.offset + index * size_of::<Thread>() as u64;
        let thread = address as *const Thread;
        // SAFETY: the nursery has checked that it lies within the plan.
        let Thread {
            child_tid,
            tls,
            stack_end,
            ..
        } = unsafe { core::ptr::read(thread) };
        let mut args = CloneArgs {
            flags: CLONE_THREAD,
            tls,
            stack: stack_end - 4096,
            stack_bytes: 4096,
            ..CloneArgs::default()
        };
        if child_tid != 0 {
            args.flags |= CLONE_CHILD_TID;
            args.child_tid = child_tid;
            // At once, too: a child writes its id only when it first runs, and others may look for it before.
            args.flags |= CLONE_PARENT_SETTID;
            args.parent_tid = child_tid;
        }
        // SAFETY: each thread has a stack of its own in the plan, and runs [`thread`] alone.
        let made = unsafe { spawn_thread(&args, size_of::<CloneArgs>() as u64, thread) };
        if sys::is_error(made) {
            fail(token, Phase::Stub, 6, made);
        }
    }
}

/// Waits until all threads have done their operations, if what follows needs it.
fn await_threads() {
    let wanted = header().threads.count as u32;
    while header().awaits_threads != 0 {
        let arrived = ARRIVED.load(Ordering::Acquire);
        if arrived >= wanted {
            return;
        }
        // SAFETY: waits for the word to change.
        unsafe {
            let word = addr_of!(ARRIVED) as u64;
            sys::call3(sys::FUTEX, word, FUTEX_WAIT_PRIVATE, u64::from(arrived))
        };
    }
}

/// A thread's way.
///
/// # Safety
/// `thread` is one of the plan's.
unsafe extern "C" fn thread(thread: *const Thread) -> ! {
    // SAFETY: as the caller's.
    let Thread { ops, frame, .. } = unsafe { core::ptr::read(thread) };
    if let Err((op, result)) = interpret::run(ops) {
        fail(0, Phase::Thread, op, result);
    }
    ARRIVED.fetch_add(1, Ordering::Release);
    if header().awaits_threads != 0 {
        // SAFETY: wakes the main thread.
        unsafe { sys::call3(sys::FUTEX, addr_of!(ARRIVED) as u64, FUTEX_WAKE_PRIVATE, 1) };
    }
    // SAFETY: waits for the main thread's word, then nothing of the stub runs in this thread any more.
    unsafe {
        while addr_of!(GO).read_volatile() == 0 {
            sys::call3(sys::FUTEX, addr_of!(GO) as u64, FUTEX_WAIT_PRIVATE, 0);
        }
        return_to(frame)
    }
}

/// Waits until the park descriptor can be read; if it is closed instead, nobody will ever wake this clone.
fn wait(token: u64, park: u64) {
    reply(ReplyKind::Parked, token);
    let mut word = 0_u64;
    loop {
        // SAFETY: reads eight bytes.
        let read = unsafe { sys::call3(sys::READ, park, addr_of_mut!(word) as u64, 8) };
        if read > 0 {
            return;
        }
        if read != EINTR {
            sys::exit(0);
        }
    }
}
