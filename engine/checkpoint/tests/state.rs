//! State that is easily forgotten: who the process is, on which processors it may run, what it was waiting for.
#![allow(clippy::unwrap_used)]

mod support;

use offshoot_checkpoint::{CheckpointError, Refusal, checkpoint};
use support::{Program, TestPool, options};

#[test]
fn processors_priorities_and_denials_are_kept() {
    let pool = TestPool::new();
    let mut program = Program::python(
        "
import ctypes, os, sys
libc = ctypes.CDLL(None)
os.sched_setaffinity(0, [0])
os.sched_setscheduler(0, os.SCHED_BATCH | os.SCHED_RESET_ON_FORK, os.sched_param(0))
assert libc.syscall(251, 1, 0, 2 << 13 | 6) == 0
assert libc.prctl(67, 1, 0, 0, 0) == 0
assert libc.prctl(65, 1, 0, 0, 0) == 0
print('ready')
print(sys.stdin.readline())
",
    );
    program.checkpoint(&pool, "kept").unwrap();
    assert_eq!(program.ask("on"), "on");
    let manifest = pool.lineage("kept").manifest;
    let (process, main) = (&manifest.process, &manifest.threads[0]);
    assert_eq!(
        (process.write_execute_denied, process.merges_memory),
        (1, true)
    );
    assert_eq!(main.io_priority, 2 << 13 | 6);
    assert_eq!(
        (main.scheduling.policy, main.scheduling.reset_on_fork),
        (3, true)
    );
    assert!(!main.time_stamp_denied);
    let processors = std::thread::available_parallelism().unwrap().get();
    let bound: &[u64] = if processors > 1 { &[1] } else { &[] };
    assert_eq!(main.affinity, bound);
}

#[test]
fn process_of_an_ordinary_user_is_read() {
    let pool = TestPool::new();
    let mut program = Program::python(
        "
import os, sys
os.setgroups([]); os.setresgid(1001, 1002, 1003); os.setresuid(2001, 2002, 2003)
print('ready')
print(sys.stdin.readline())
",
    );
    program.checkpoint(&pool, "ordinary").unwrap();
    assert_eq!(program.ask("on"), "on");
    let process = pool.lineage("ordinary").manifest.process;
    assert_eq!(process.credentials.users, [2001, 2002, 2003, 2002]);
    assert_eq!(process.credentials.capabilities[1], 0);
    assert_eq!(process.limits.len(), 16);
}

#[test]
fn thread_of_another_user_is_refused() {
    let pool = TestPool::new();
    let program = Program::python(
        "
import ctypes, sys, threading, time
libc = ctypes.CDLL(None)
def apart():
    assert libc.syscall(117, -1, 1234, -1) == 0
    print('ready')
    time.sleep(1000)
threading.Thread(target=apart, daemon=True).start()
sys.stdin.readline()
",
    );
    let error = program.checkpoint(&pool, "apart").unwrap_err();
    let apart = matches!(
        error,
        CheckpointError::Refused(Refusal::ThreadCredentials { field: "Uid", .. })
    );
    assert!(apart, "{error}");
}

/// `epoll_wait` and `sigtimedwait` end with `EINTR` at any stop, even one that no signal made.
#[test]
fn waits_are_not_interrupted_by_the_freeze() {
    let pool = TestPool::new();
    let mut program = Program::python(
        "
import ctypes, os, signal, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
r, w = os.pipe()
epoll = libc.epoll_create1(0)
event = (ctypes.c_uint32 * 3)(1, r, 0)
assert libc.epoll_ctl(epoll, 1, r, event) == 0
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
results = []
def wait_epoll():
    results.append(libc.epoll_wait(epoll, (ctypes.c_uint32 * 3)(), 1, 60000))
def wait_signal():
    mask, limit = ctypes.c_uint64(1 << 9), (ctypes.c_long * 2)(60, 0)
    results.append(libc.syscall(128, ctypes.byref(mask), None, limit, 8))
threads = [threading.Thread(target=one) for one in (wait_epoll, wait_signal)]
for one in threads: one.start()
time.sleep(0.05)
print('ready')
sys.stdin.readline()
early = list(results)
os.write(w, b'x'); os.kill(os.getpid(), signal.SIGUSR1)
for one in threads: one.join()
print(early, sorted(results))
",
    );
    for name in ["one", "two"] {
        program.checkpoint(&pool, name).unwrap();
        for thread in &pool.lineage(name).manifest.threads[1..] {
            let registers = thread.registers.0;
            let call = registers[offshoot_image::model::Registers::RAX];
            assert!([232, 128].contains(&call), "rax is {call}");
        }
    }
    assert_eq!(program.ask("go"), "[] [1, 10]");
}

#[test]
fn process_left_running_can_be_checkpointed_again_on_its_first_image() {
    let pool = TestPool::new();
    let mut program = Program::python(
        "
import sys
kept = [bytes([i]) * 4096 for i in range(250)]
print('ready')
for line in sys.stdin:
    kept.append(line.encode() * 1000)
    print(len(kept))
",
    );
    let first = program.checkpoint(&pool, "first").unwrap();
    assert_eq!(program.ask("a"), "251");
    let mut again = options("second");
    again.parent = Some(support::image_name("first"));
    let second = checkpoint(program.pid(), &again, &pool.pool).unwrap();
    assert_eq!(program.ask("b"), "252");
    let shared = second.parent_pages as f64 / first.pages as f64;
    assert!(shared > 0.7, "{first:?} {second:?}");
    let mut third = options("third");
    third.parent = Some(support::image_name("second"));
    third.leave_running = false;
    let third = checkpoint(program.pid(), &third, &pool.pool).unwrap();
    assert!(third.pages < first.pages / 3, "{first:?} {third:?}");
    pool.lineage("third").image.verify().unwrap();
    assert!(!program.end().success());
}
