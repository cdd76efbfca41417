//! Threads: what each does before it goes on.

use offshoot_image::model::{Manifest, Registers, Scheduling, Thread};
use offshoot_plan::{Op, Rseq, Thread as PlanThread};

use super::builder::Builder;
use super::{frame, numbers as sys, process};

const PR_SET_PDEATHSIG: u64 = 1;
const PR_SET_NAME: u64 = 15;
const PR_SET_TIMERSLACK: u64 = 29;
const ARCH_SET_GS: u64 = 0x1001;
const SCHED_FLAG_RESET_ON_FORK: u64 = 1;
const IOPRIO_WHO_PROCESS: u64 = 1;
const PR_SET_TSC: u64 = 26;
const PR_TSC_SIGSEGV: u64 = 2;

/// What a thread gets from a template's only thread by `fork`.
pub(super) fn inherited(builder: &mut Builder, main: &Thread) {
    let mut ops = Vec::new();
    gs_base(&mut ops, main);
    name(builder, &mut ops, main);
    if main.scheduling != Scheduling::default() && !main.scheduling.reset_on_fork {
        ops.push(schedule(builder, main));
    }
    builder.template.extend(ops);
}

/// All threads; the main thread's frame's address.
pub(super) fn compile(builder: &mut Builder, manifest: &Manifest) -> u64 {
    let xcr0 = manifest.machine.cpu.xcr0;
    let Some((main, others)) = manifest.threads.split_first() else {
        return 0;
    };
    if main.robust_list.head != 0 {
        let set = [main.robust_list.head, main.robust_list.bytes, 0, 0, 0, 0];
        builder.clone.push(Op::new(sys::SET_ROBUST_LIST, set));
    }
    for thread in others {
        let ops = thread_ops(builder, thread, main);
        let record = PlanThread {
            child_tid: thread.clear_child_tid,
            tls: thread.registers.0[Registers::FS_BASE],
            stack_end: 0,
            ops: Default::default(),
            frame: frame::put(builder, thread, xcr0),
            rseq: rseq(thread),
        };
        builder.threads.push((record, ops));
    }
    let mut last = Vec::new();
    if main.scheduling.reset_on_fork {
        last.push(schedule(builder, main));
    }
    own_ways(
        builder,
        &mut last,
        main,
        &Thread {
            affinity: Vec::new(),
            io_priority: 0,
            ..main.clone()
        },
    );
    queue_pending(builder, &mut last, main);
    builder.resume.extend(last);
    frame::put(builder, main, xcr0)
}

fn thread_ops(builder: &mut Builder, thread: &Thread, main: &Thread) -> Vec<Op> {
    let mut ops = Vec::new();
    if thread.robust_list.head != 0 {
        let set = [
            thread.robust_list.head,
            thread.robust_list.bytes,
            0,
            0,
            0,
            0,
        ];
        ops.push(Op::new(sys::SET_ROBUST_LIST, set));
    }
    gs_base(&mut ops, thread);
    if thread.name != main.name {
        name(builder, &mut ops, thread);
    }
    if thread.timer_slack_ns != main.timer_slack_ns {
        let set = [PR_SET_TIMERSLACK, thread.timer_slack_ns, 0, 0, 0, 0];
        ops.push(Op::new(sys::PRCTL, set));
    }
    if thread.parent_death_signal != 0 {
        let set = [
            PR_SET_PDEATHSIG,
            u64::from(thread.parent_death_signal),
            0,
            0,
            0,
            0,
        ];
        ops.push(Op::new(sys::PRCTL, set));
    }
    if thread.scheduling != main.scheduling
        || thread.scheduling.reset_on_fork
        || main.scheduling.reset_on_fork
    {
        ops.push(schedule(builder, thread));
    }
    own_ways(builder, &mut ops, thread, main);
    queue_pending(builder, &mut ops, thread);
    ops
}

/// What a thread registers for restartable sequences.
pub(super) fn rseq(thread: &Thread) -> Rseq {
    thread.rseq.map_or_else(Rseq::default, |rseq| Rseq {
        address: rseq.address,
        bytes: rseq.bytes,
        signature: rseq.signature,
    })
}

fn gs_base(ops: &mut Vec<Op>, thread: &Thread) {
    let gs_base = thread.registers.0[Registers::GS_BASE];
    if gs_base != 0 {
        ops.push(Op::new(sys::ARCH_PRCTL, [ARCH_SET_GS, gs_base, 0, 0, 0, 0]));
    }
}

fn name(builder: &mut Builder, ops: &mut Vec<Op>, thread: &Thread) {
    let name = builder.put_path(&thread.name);
    ops.push(Op::new(sys::PRCTL, [PR_SET_NAME, name, 0, 0, 0, 0]));
}

/// `struct sched_attr` of 48 bytes (`sched_setattr(2)`).
fn schedule(builder: &mut Builder, thread: &Thread) -> Op {
    let Scheduling {
        policy,
        nice,
        priority,
        ..
    } = thread.scheduling;
    let size_and_policy = 48 | u64::from(policy) << 32;
    let flags = u64::from(thread.scheduling.reset_on_fork) * SCHED_FLAG_RESET_ON_FORK;
    let nice_and_priority = u64::from(nice as u32) | u64::from(priority) << 32;
    let words = [size_and_policy, flags, nice_and_priority, 0, 0, 0];
    let attributes = builder.put_words(&words);
    Op::new(sys::SCHED_SETATTR, [0, attributes, 0, 0, 0, 0])
}

/// Where a thread runs, and how urgent its reading and writing is, if it is not as `like` has it.
fn own_ways(builder: &mut Builder, ops: &mut Vec<Op>, thread: &Thread, like: &Thread) {
    if thread.affinity != like.affinity && !thread.affinity.is_empty() {
        let bytes = thread.affinity.len() as u64 * 8;
        let mask = builder.put_words(&thread.affinity);
        // A machine may have none of these processors.
        let set = Op::new(sys::SCHED_SETAFFINITY, [0, bytes, mask, 0, 0, 0]);
        ops.push(set.anything());
    }
    if thread.io_priority != like.io_priority {
        let set = [IOPRIO_WHO_PROCESS, 0, thread.io_priority.into(), 0, 0, 0];
        ops.push(Op::new(sys::IOPRIO_SET, set));
    }
    if thread.time_stamp_denied {
        ops.push(Op::new(
            sys::PRCTL,
            [PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0, 0],
        ));
    }
}

/// Queues a thread's own signals; only the thread itself may forge where they came from.
fn queue_pending(builder: &mut Builder, ops: &mut Vec<Op>, thread: &Thread) {
    if thread.pending.is_empty() {
        return;
    }
    let (group, own) = (builder.put_words(&[0]), builder.put_words(&[0]));
    ops.push(Op::new(sys::GETPID, [0; 6]).store(group));
    ops.push(Op::new(sys::GETTID, [0; 6]).store(own));
    for info in &thread.pending {
        let signal = process::signal_of(info);
        let info = builder.put(info, 8);
        let queue = [group, own, signal, info, 0, 0];
        ops.push(Op::new(sys::RT_TGSIGQUEUEINFO, queue).load(0).load(1));
    }
}
