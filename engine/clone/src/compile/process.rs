//! What all threads share, but memory and descriptors.

use offshoot_image::model::{Manifest, PosixTimer, Process, TimerNotice};
use offshoot_plan::Op;

use super::builder::{Builder, PlanFile};
use super::numbers as sys;

const PR_SET_PDEATHSIG: u64 = 1;
const PR_SET_DUMPABLE: u64 = 4;
const PR_SET_TIMERSLACK: u64 = 29;
const PR_SET_MM: u64 = 35;
const PR_SET_MM_MAP: u64 = 14;
const PR_SET_CHILD_SUBREAPER: u64 = 36;
const PR_SET_NO_NEW_PRIVS: u64 = 38;
const PR_SET_THP_DISABLE: u64 = 41;
/// Linux 6.16: the next timers get the ids that they ask for.
const PR_TIMER_CREATE_RESTORE_IDS: u64 = 77;
const PR_SET_MDWE: u64 = 65;
const PR_SET_MEMORY_MERGE: u64 = 67;
const ARCH_SET_FS: u64 = 0x1002;
const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
const XFEATURE_XTILE_DATA: u64 = 18;
const RLIMIT_NOFILE: u8 = 7;
/// SIGKILL and SIGSTOP.
const UNCHANGEABLE: [u8; 2] = [9, 19];
const MM_MAP_BYTES: u64 = 104;
const SIGEV_SIGNAL: u32 = 0;
const SIGEV_NONE: u32 = 1;
const SIGEV_THREAD_ID: u32 = 4;

/// Of the template; its clones inherit it.
pub(super) fn compile_template(builder: &mut Builder, manifest: &Manifest) {
    let process = &manifest.process;
    memory_layout(builder, process);
    for signal in (1..=64).filter(|signal| !UNCHANGEABLE.contains(signal)) {
        let action = process
            .actions
            .iter()
            .find(|action| action.signal == signal);
        // The nursery ignores some; the program did not.
        let words = action.map_or([0; 4], |action| {
            [action.handler, action.flags, action.restorer, action.mask]
        });
        let address = builder.put_words(&words);
        let set = [u64::from(signal), address, 0, 8, 0, 0];
        builder.template.push(Op::new(sys::RT_SIGACTION, set));
    }
    if let Some(main) = manifest.threads.first() {
        let fs_base = main.registers.0[offshoot_image::model::Registers::FS_BASE];
        let set = [ARCH_SET_FS, fs_base, 0, 0, 0, 0];
        builder.template.push(Op::new(sys::ARCH_PRCTL, set));
        super::threads::inherited(builder, main);
        let slack = [PR_SET_TIMERSLACK, main.timer_slack_ns, 0, 0, 0, 0];
        builder.template.push(Op::new(sys::PRCTL, slack));
    }
    if process.tiles_permitted {
        let ask = [ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA, 0, 0, 0, 0];
        builder.template.push(Op::new(sys::ARCH_PRCTL, ask));
    }
    if process.personality != 0 {
        let set = [u64::from(process.personality), 0, 0, 0, 0, 0];
        builder.template.push(Op::new(sys::PERSONALITY, set));
    }
    if process.thp_disabled {
        let set = [PR_SET_THP_DISABLE, 1, 0, 0, 0, 0];
        builder.template.push(Op::new(sys::PRCTL, set));
    }
    for limit in &process.limits {
        let words = builder.put_words(&[limit.soft, limit.hard]);
        let set = [0, u64::from(limit.resource), words, 0, 0, 0];
        let op = Op::new(sys::PRLIMIT64, set);
        // The stub's own descriptors may lie above the program's limit.
        if limit.resource == RLIMIT_NOFILE {
            builder.settle.push(op);
        } else {
            builder.template.push(op);
        }
    }
}

fn memory_layout(builder: &mut Builder, process: &Process) {
    let memory = &process.memory;
    let auxv = builder.put_words(&memory.auxv);
    let executable = builder.file(PlanFile::Named(process.executable));
    let words = [
        memory.code[0],
        memory.code[1],
        memory.data[0],
        memory.data[1],
        memory.brk[0],
        memory.brk[1],
        memory.stack,
        memory.arguments[0],
        memory.arguments[1],
        memory.environment[0],
        memory.environment[1],
        auxv,
        (memory.auxv.len() as u64 * 8) | executable << 32,
    ];
    let map = builder.put_words(&words);
    let set = [PR_SET_MM, PR_SET_MM_MAP, map, MM_MAP_BYTES, 0, 0];
    builder.template.push(Op::new(sys::PRCTL, set));
}

/// Of each clone, before its descriptors.
pub(super) fn compile_clone(builder: &mut Builder, manifest: &Manifest) {
    let process = &manifest.process;
    let cwd = builder.put_path(&process.cwd);
    let mut ops = vec![
        Op::new(sys::UMASK, [u64::from(process.umask), 0, 0, 0, 0, 0]),
        Op::new(sys::CHDIR, [cwd, 0, 0, 0, 0, 0]),
    ];
    let mut set = |what: u64, value: u64| ops.push(Op::new(sys::PRCTL, [what, value, 0, 0, 0, 0]));
    // 2 is the kernel's own: a program that may not be dumped because it changed who it is.
    set(PR_SET_DUMPABLE, u64::from(process.dumpable == 1));
    if process.no_new_privs {
        set(PR_SET_NO_NEW_PRIVS, 1);
    }
    if process.child_subreaper {
        set(PR_SET_CHILD_SUBREAPER, 1);
    }
    let death = manifest
        .threads
        .first()
        .map_or(0, |main| main.parent_death_signal);
    if death != 0 {
        set(PR_SET_PDEATHSIG, u64::from(death));
    }
    builder.clone.extend(ops);
    if process.oom_score_adj != 0 {
        oom_score(builder, process.oom_score_adj);
    }
}

/// Only a file sets it. A descriptor that is left is closed with the stub's own.
fn oom_score(builder: &mut Builder, adjustment: i32) {
    const O_WRONLY_CLOEXEC: u64 = 1 | sys::O_CLOEXEC;
    let path = builder.put_path(b"/proc/self/oom_score_adj");
    let text = adjustment.to_string();
    let bytes = text.len() as u64;
    let text = builder.put(text.as_bytes(), 1);
    let number = super::contents::aside(builder, 2);
    let open = [path, O_WRONLY_CLOEXEC, 0, 0, 0, 0];
    let write = [u64::from(number), text, bytes, 0, 0, 0];
    builder
        .clone
        .push(Op::new(sys::OPEN, open).descriptor(number, true));
    builder.clone.push(Op::new(sys::WRITE, write));
}

/// Right before the program goes on: what is pending, and what begins to run.
pub(super) fn compile_resume(builder: &mut Builder, manifest: &Manifest) {
    let process = &manifest.process;
    if !process.pending.is_empty() {
        let own = builder.put_words(&[0]);
        builder.resume.push(Op::new(sys::GETPID, [0; 6]).store(own));
        for info in &process.pending {
            let signal = signal_of(info);
            let info = builder.put(info, 8);
            let queue = [own, signal, info, 0, 0, 0];
            builder
                .resume
                .push(Op::new(sys::RT_SIGQUEUEINFO, queue).load(0));
        }
    }
    for timer in &process.interval_timers {
        let parts = |us: u64| [us / 1_000_000, us % 1_000_000];
        let [interval_s, interval_us] = parts(timer.interval_us);
        let [left_s, left_us] = parts(timer.left_us.max(1));
        let value = builder.put_words(&[interval_s, interval_us, left_s, left_us]);
        let set = [u64::from(timer.which), value, 0, 0, 0, 0];
        builder.resume.push(Op::new(sys::SETITIMER, set));
    }
    posix_timers(builder, manifest);
}

/// What holds for the program's memory from the end of its making on.
pub(super) fn compile_settle(builder: &mut Builder, process: &Process) {
    let mut set = |what: u64, value: u64| {
        let op = Op::new(sys::PRCTL, [what, value, 0, 0, 0, 0]);
        builder.settle.push(op);
    };
    if process.merges_memory {
        set(PR_SET_MEMORY_MERGE, 1);
    }
    // From now on nothing that is writable may become executable.
    if process.write_execute_denied != 0 {
        set(PR_SET_MDWE, process.write_execute_denied.into());
    }
}

/// The signal's number, the first field of `siginfo_t`.
pub(super) fn signal_of(info: &[u8]) -> u64 {
    info.first().copied().unwrap_or(0).into()
}

fn posix_timers(builder: &mut Builder, manifest: &Manifest) {
    let timers = &manifest.process.posix_timers;
    if timers.is_empty() {
        return;
    }
    let restore = |on: u64| Op::new(sys::PRCTL, [PR_TIMER_CREATE_RESTORE_IDS, on, 0, 0, 0, 0]);
    builder.resume.push(restore(1));
    for timer in timers {
        let (value, notify, signal, thread) = match timer.notice {
            TimerNotice::None => (0, SIGEV_NONE, 0, None),
            TimerNotice::Signal { signal, value } => (value, SIGEV_SIGNAL, signal, None),
            TimerNotice::ThreadSignal {
                signal,
                value,
                thread,
            } => (value, SIGEV_THREAD_ID, signal, Some(thread)),
        };
        let signal_and_notify = u64::from(signal) | u64::from(notify) << 32;
        let event = builder.put_words(&[value, signal_and_notify, 0, 0, 0, 0, 0, 0]);
        if let Some(thread) = thread {
            // `sigev_notify_thread_id`: the ids are new, and the kernel has written each where libc keeps it.
            copy_thread_id(builder, thread, event + 16);
        }
        let id = builder.put_words(&[u64::from(timer.id)]);
        let create = [timer.clock as u64, event, id, 0, 0, 0];
        builder.resume.push(Op::new(sys::TIMER_CREATE, create));
        arm(builder, timer);
    }
    builder.resume.push(restore(0));
}

/// Stores a thread's new id at an address of the plan.
fn copy_thread_id(builder: &mut Builder, thread: u32, to: u64) {
    let get = Op::new(sys::GETTID, [0; 6]).store(to);
    let others = (thread as usize).checked_sub(1);
    match others.and_then(|index| builder.threads.get_mut(index)) {
        // In the thread itself: the main thread waits for it (`Header::awaits_threads`).
        Some((_, ops)) => ops.push(get),
        None => builder.resume.push(get),
    }
}

/// Whether the main thread needs to know other threads' ids.
pub(super) fn awaits_threads(manifest: &Manifest) -> bool {
    let timers = &manifest.process.posix_timers;
    timers
        .iter()
        .any(|timer| matches!(timer.notice, TimerNotice::ThreadSignal { thread, .. } if thread > 0))
}

fn arm(builder: &mut Builder, timer: &PosixTimer) {
    if timer.left_ns == 0 {
        return;
    }
    let parts = |ns: u64| [ns / 1_000_000_000, ns % 1_000_000_000];
    let [interval_s, interval_ns] = parts(timer.interval_ns);
    let [left_s, left_ns] = parts(timer.left_ns);
    let value = builder.put_words(&[interval_s, interval_ns, left_s, left_ns]);
    let set = [u64::from(timer.id), 0, value, 0, 0, 0];
    builder.resume.push(Op::new(sys::TIMER_SETTIME, set));
}
