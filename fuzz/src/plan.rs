//! Plans, and what is said over a template's socket.

use offshoot_clone::{Compilation, Memory, compile};
use offshoot_image::sample;
use offshoot_plan::{
    Check, ENGINE_BASE, ENGINE_BYTES, Header, MAGIC, Op, PLAN_BASE, Reply, Request, Span, Thread,
    VERSION, check, fd,
};

/// x86-64 system call numbers of those that a template may make and that name memory: `mmap`, `mprotect`, `madvise`.
const OF_MEMORY: [u32; 3] = [9, 10, 28];
/// Every call that can name a descriptor, and which of its arguments do, a bit each: `read`, `write`, `close`, `lseek`,
/// `ioctl`, `pread64`, `pwrite64`, `dup`, `sendfile`, `connect`, `sendto`, `sendmsg`, `recvmsg`, `bind`, `listen`,
/// `setsockopt`, `fcntl`, `ftruncate`, `fchmod`, `epoll_ctl`, `inotify_add_watch` and `_rm_watch`, `openat`, `splice`,
/// `tee`, `timerfd_settime`, `signalfd4`, `dup3`, `close_range`.
const OF_DESCRIPTORS: [(u32, u8); 29] = [
    (0, 1),
    (1, 1),
    (3, 1),
    (8, 1),
    (16, 1),
    (17, 1),
    (18, 1),
    (32, 1),
    (40, 3),
    (42, 1),
    (44, 1),
    (46, 1),
    (47, 1),
    (49, 1),
    (50, 1),
    (54, 1),
    (72, 1),
    (77, 1),
    (91, 1),
    (233, 0b101),
    (254, 1),
    (255, 1),
    (257, 1),
    (275, 0b101),
    (276, 3),
    (286, 1),
    (289, 1),
    (292, 3),
    (436, 3),
];
/// `mmap`, and that it maps no file.
const MMAP: u32 = 9;
const MAP_ANONYMOUS: u64 = 0x20;

/// Any bytes as a plan, with a header of this version and the right length: what is accepted lies within its bytes, and
/// its template leaves the engine's own memory alone, and no operation names a descriptor of the stub's.
pub fn plan(input: &[u8]) {
    let _ = (Thread::from_bytes(input), Op::from_bytes(input));
    let _ = check(input);
    let mut plan = input.to_vec();
    if Header::from_bytes(&plan).is_none() {
        return;
    }
    plan[..8].copy_from_slice(&MAGIC.to_le_bytes());
    plan[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let length = (plan.len() as u64).to_le_bytes();
    plan[16..24].copy_from_slice(&length);
    if check(&plan).is_ok() {
        uphold(&plan);
    }
}

/// What a stub counts on, found without the code that has checked it.
fn uphold(plan: &[u8]) {
    let header = Header::from_bytes(plan).expect("it was checked");
    let ops = |span| elements(plan, span, size_of::<Op>()).filter_map(Op::from_bytes);
    for op in ops(header.template) {
        let end = u128::from(op.args[0]) + u128::from(op.args[1]);
        let is_below = end <= ENGINE_BASE.into();
        let is_above = op.args[0] >= ENGINE_BASE + ENGINE_BYTES;
        assert!(!OF_MEMORY.contains(&op.number) || is_below || is_above);
        assert_eq!((op.loads, op.store), (0, 0), "{op:?} changes the plan");
    }
    let threads = elements(plan, header.threads, size_of::<Thread>());
    let of_threads = threads.filter_map(Thread::from_bytes).map(|one| one.ops);
    let spans = [
        header.template,
        header.memory,
        header.clone,
        header.prefault,
    ];
    for op in spans
        .into_iter()
        .chain([header.resume])
        .chain(of_threads)
        .flat_map(ops)
    {
        leaves_the_stubs_alone(&header, &op);
    }
    for op in ops(header.watch) {
        let watcher = u64::from(header.fd_base + fd::WATCHER);
        assert!(op.args[0] == watcher || op.expected == watcher);
    }
}

/// The elements of a span, which lies within the plan.
fn elements(plan: &[u8], span: Span, bytes: usize) -> impl Iterator<Item = &[u8]> {
    let end = u128::from(span.offset) + u128::from(span.count) * bytes as u128;
    assert!(end <= plan.len() as u128, "{span:?} lies outside");
    plan[span.offset as usize..end as usize].chunks_exact(bytes)
}

/// Neither its descriptors, nor what it has checked.
fn leaves_the_stubs_alone(header: &Header, op: &Op) {
    let own = header.fd_base..header.fd_base + fd::FILES;
    let is_own = |number: u64| own.contains(&(number as u32));
    let named = OF_DESCRIPTORS
        .iter()
        .find(|(number, _)| *number == op.number);
    let named = named.map_or(0, |(_, arguments)| *arguments);
    for (at, number) in op.args.into_iter().enumerate() {
        assert!(named & 1 << at == 0 || !is_own(number), "{op:?}");
        // A number that is loaded is not known.
        assert!(named & op.loads & 1 << at == 0, "{op:?}");
    }
    let maps_file = op.number == MMAP && op.args[3] & MAP_ANONYMOUS == 0;
    assert!(!maps_file || !is_own(op.args[4]), "{op:?}");
    assert!(
        op.check != Check::Descriptor as u8 || !is_own(op.expected),
        "{op:?}"
    );
    let first = [header.template, header.memory, header.clone, header.resume];
    let first = first
        .iter()
        .filter(|span| span.count > 0)
        .map(|span| span.offset)
        .min();
    let end = PLAN_BASE + first.unwrap_or(header.bytes);
    assert!(op.store == 0 || op.store < end, "{op:?} changes the plan");
}

/// Any bytes as a reply of a template.
pub fn reply(input: &[u8]) {
    let reply = Reply::from_bytes(input);
    assert_eq!(reply.is_some(), input.len() == size_of::<Reply>());
}

pub(crate) fn plan_samples() -> Vec<Vec<u8>> {
    let of = |memory| {
        let how = Compilation {
            memory,
            is_confined: false,
        };
        let plan = compile(&sample::manifest(4), how).expect("the sample is valid");
        assert_eq!(check(&plan.bytes), Ok(()), "the sample's plan is valid");
        plan.bytes
    };
    [Memory::Local, Memory::Mapped].map(of).to_vec()
}

pub(crate) fn reply_samples() -> Vec<Vec<u8>> {
    let request = Request::fork(1).to_bytes();
    vec![request[..size_of::<Reply>()].to_vec()]
}
