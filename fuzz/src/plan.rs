//! Plans, and what is said over a template's socket.

use offshoot_clone::{Compilation, Memory, compile};
use offshoot_image::sample;
use offshoot_plan::{
    ENGINE_BASE, ENGINE_BYTES, Header, MAGIC, Op, Reply, Request, Span, Thread, VERSION, check,
};

/// x86-64 system call numbers of those that a template may make and that name memory: `mmap`, `mprotect`, `madvise`.
const OF_MEMORY: [u32; 3] = [9, 10, 28];

/// Any bytes as a plan, with a header of this version and the right length: what is accepted lies within its bytes, and
/// its template leaves the engine's own memory alone.
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
    let lies_within = |span: Span, bytes: usize| {
        let end = u128::from(span.offset) + u128::from(span.count) * bytes as u128;
        assert!(end <= plan.len() as u128, "{span:?} lies outside");
    };
    for span in [header.clone, header.prefault, header.watch, header.resume] {
        lies_within(span, size_of::<Op>());
    }
    lies_within(header.template, size_of::<Op>());
    lies_within(header.threads, size_of::<Thread>());
    for index in 0..header.template.count {
        let at = (header.template.offset + index * size_of::<Op>() as u64) as usize;
        let op = Op::from_bytes(&plan[at..]).expect("it lies within");
        let end = u128::from(op.args[0]) + u128::from(op.args[1]);
        let is_below = end <= ENGINE_BASE.into();
        let is_above = op.args[0] >= ENGINE_BASE + ENGINE_BYTES;
        assert!(!OF_MEMORY.contains(&op.number) || is_below || is_above);
    }
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
            sandbox_filters: false,
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
