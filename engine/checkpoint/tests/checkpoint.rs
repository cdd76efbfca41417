//! Checkpoints of real programs, left running. Needs root.
#![allow(clippy::unwrap_used)]

mod support;

use offshoot_checkpoint::{CheckpointError, Options, checkpoint, checkpoint_reviewed};
use offshoot_image::model::{
    Backing, ContentKind, Mapping, PAGE_BYTES, Registers, SpecialKind, TimerNotice,
};
use support::{Program, TestPool, image_page, options};

const COUNTER: &str = "
import sys
print('ready')
n = 0
for line in sys.stdin:
    n += 1
    print(n, line.strip())
";

#[test]
fn python_goes_on_and_its_image_is_whole() {
    let pool = TestPool::new();
    let mut program = Program::python(COUNTER);
    assert_eq!(program.ask("a"), "1 a");
    let maps = program.maps();
    let report = program.checkpoint(&pool, "first").unwrap();
    assert_eq!(program.maps(), maps);
    assert_eq!(program.ask("b"), "2 b");
    let lineage = pool.lineage("first");
    assert_eq!(lineage.image.id(), report.id);
    assert_eq!(
        lineage.image.verify().unwrap().page_bytes,
        report.pages * PAGE_BYTES
    );
    let manifest = &lineage.manifest;
    assert_eq!(manifest.mappings.len(), report.mappings);
    assert_eq!(
        manifest.process.cwd,
        std::env::current_dir()
            .unwrap()
            .as_os_str()
            .as_encoded_bytes()
    );
    assert!(
        manifest.files[manifest.process.executable as usize]
            .path
            .starts_with(b"/usr/bin/python3")
    );
    assert_eq!(manifest.process.memory.auxv.last(), Some(&0));
    assert_eq!(manifest.process.limits.len(), 16);
    assert!(manifest.process.clocks.boottime_ns >= manifest.process.clocks.monotonic_ns);
    let kinds: Vec<SpecialKind> = manifest
        .machine
        .vdso
        .mappings
        .iter()
        .map(|m| m.kind)
        .collect();
    assert!(kinds.contains(&SpecialKind::Vdso) && kinds.contains(&SpecialKind::Vvar));
}

#[test]
fn image_that_a_review_refuses_was_never_there_and_the_process_goes_on() {
    let pool = TestPool::new();
    let mut program = Program::python(COUNTER);
    let options = Options {
        leave_running: false,
        ..options("unwanted")
    };
    let refused = checkpoint_reviewed(program.pid(), &options, &pool.pool, &|manifest, image| {
        assert_eq!(image.name().as_str(), "unwanted");
        assert!(
            pool.pool.open_image(image.name()).is_err(),
            "it has its name already"
        );
        let runs = manifest.mappings.iter().map(|mapping| mapping.runs.len());
        assert!(runs.sum::<usize>() > 0, "there is nothing to be reviewed");
        Err("as it is".into())
    });
    let error = refused.unwrap_err();
    assert!(
        matches!(error, CheckpointError::Rejected { ref source, .. } if source.to_string() == "as it is")
    );
    assert_eq!(pool.files(), 0);
    assert_eq!(program.ask("a"), "1 a");
}

#[test]
fn image_of_a_stopped_program_has_every_page_as_it_is() {
    let pool = TestPool::new();
    let program = Program::python(COUNTER);
    program.signal("STOP");
    program.checkpoint(&pool, "still").unwrap();
    let lineage = pool.lineage("still");
    let mut compared = 0;
    for mapping in &lineage.manifest.mappings {
        for page in mapping.start / PAGE_BYTES..mapping.end / PAGE_BYTES {
            let stored = image_page(&lineage, page);
            if mapping.backing == Backing::Anonymous && mapping.protection.read() {
                let stored = stored.unwrap_or_else(|| vec![0; PAGE_BYTES as usize]);
                assert!(stored == program.page(page), "{:#x}", page * PAGE_BYTES);
                compared += 1;
            } else if let Some(stored) = stored {
                assert!(stored == program.page(page), "{:#x}", page * PAGE_BYTES);
                compared += 1;
            }
        }
    }
    assert!(compared > 2000, "{compared}");
    program.signal("CONT");
}

#[test]
fn threads_are_ready_to_make_their_calls_again() {
    let pool = TestPool::new();
    let mut program = Program::python(
        "
import threading, sys
lock = threading.Lock(); lock.acquire()
def work():
    with lock: pass
threads = [threading.Thread(target=work, name=f'worker{n}') for n in range(8)]
for t in threads: t.start()
print('ready')
for line in sys.stdin:
    lock.release()
    for t in threads: t.join()
    print('joined', len(threads))
",
    );
    std::thread::sleep(std::time::Duration::from_millis(100));
    let report = program.checkpoint(&pool, "nine").unwrap();
    assert_eq!(report.threads, 9);
    assert_eq!(program.ask("go"), "joined 8");
    let lineage = pool.lineage("nine");
    for thread in &lineage.manifest.threads {
        let registers = thread.registers.0;
        assert_eq!(registers[Registers::ORIG_RAX], u64::MAX);
        let rip = registers[Registers::RIP];
        let code = image_page(&lineage, rip / PAGE_BYTES).unwrap();
        let at = (rip % PAGE_BYTES) as usize;
        assert_eq!(
            code[at..at + 2],
            [0x0f, 0x05],
            "each waits in a call that is made again"
        );
        assert_ne!(thread.clear_child_tid, 0);
        assert_ne!(thread.robust_list.head, 0);
        assert!(thread.rseq.is_some());
        assert_eq!(thread.timer_slack_ns, 50_000);
    }
}

#[test]
fn node_goes_on_with_all_its_threads() {
    let pool = TestPool::new();
    let mut program = Program::node(
        "const fs = require('fs'); let n = 0; console.log('ready');
         process.stdin.on('data', d => fs.readFile('/proc/self/comm', () =>
             console.log(++n + ' ' + d.toString().trim())));",
    );
    assert_eq!(program.ask("a"), "1 a");
    for round in 0..3 {
        let report = program.checkpoint(&pool, &format!("node-{round}")).unwrap();
        assert!(report.threads > 4, "{report:?}");
        assert!(report.descriptors > 10, "{report:?}");
        assert_eq!(program.ask("b"), format!("{} b", round + 2));
        pool.lineage(&format!("node-{round}"))
            .image
            .verify()
            .unwrap();
    }
}

#[test]
fn process_that_is_not_left_running_ends() {
    let pool = TestPool::new();
    let mut program = Program::python(COUNTER);
    let options = Options {
        leave_running: false,
        ..options("last")
    };
    let report = checkpoint(program.pid(), &options, &pool.pool).unwrap();
    assert!(!program.end().success());
    assert_eq!(
        pool.lineage("last").image.verify().unwrap().page_bytes,
        report.pages * PAGE_BYTES
    );
}

#[test]
fn child_image_stores_only_what_differs() {
    let pool = TestPool::new();
    let mut program = Program::python(COUNTER);
    let first = program.checkpoint(&pool, "parent").unwrap();
    assert_eq!(program.ask("a"), "1 a");
    program.signal("STOP");
    let with_parent = |name: &str, parent: &str| {
        let parent = Some(support::image_name(parent));
        let options = Options {
            parent,
            ..options(name)
        };
        checkpoint(program.pid(), &options, &pool.pool).unwrap()
    };
    let second = with_parent("child", "parent");
    let third = with_parent("grandchild", "child");
    assert!(second.pages < first.pages / 4, "{first:?} {second:?}");
    assert!(third.pages <= second.pages, "{third:?}");
    assert!(second.runs < first.runs * 3, "{first:?} {second:?}");
    let lineage = pool.lineage("grandchild");
    assert_eq!(lineage.ancestors.len(), 2);
    for mapping in &lineage.manifest.mappings {
        for page in mapping.runs.iter().flat_map(|run| run.page..run.end()) {
            assert!(image_page(&lineage, page).unwrap() == program.page(page));
        }
    }
    program.signal("CONT");
}

#[test]
fn shared_memory_and_nameless_files_are_contents() {
    let pool = TestPool::new();
    let program = Program::python(
        "
import mmap, os, sys
shared = mmap.mmap(-1, 40960); shared[8192:8195] = b'abc'
fd = os.memfd_create('mine'); os.ftruncate(fd, 1 << 20)
memfd = mmap.mmap(fd, 1 << 20); memfd[65536:65541] = b'hello'
copy = mmap.mmap(fd, 1 << 20, flags=mmap.MAP_PRIVATE); copy[0:4] = b'copy'
path = '/tmp/offshoot-deleted-%d' % os.getpid()
f = open(path, 'w+b'); f.write(b'x' * 5000); f.flush()
gone = mmap.mmap(f.fileno(), 5000, flags=mmap.MAP_PRIVATE); f.close(); os.unlink(path)
gone[0]
print('ready')
sys.stdin.read()
",
    );
    program.checkpoint(&pool, "contents").unwrap();
    let lineage = pool.lineage("contents");
    let manifest = &lineage.manifest;
    assert_eq!(manifest.contents.len(), 3);
    let data = |page: u64, content: &offshoot_image::model::Content| {
        let run = content
            .runs
            .iter()
            .find(|run| run.page <= page && page < run.end())
            .unwrap();
        let mut bytes = vec![0; PAGE_BYTES as usize];
        lineage
            .image
            .read_pages_at(run.file_page + page - run.page, &mut bytes)
            .unwrap();
        bytes
    };
    for (index, content) in manifest.contents.iter().enumerate() {
        let mapped: Vec<&Mapping> = manifest
            .mappings
            .iter()
            .filter(|m| matches!(m.backing, Backing::Content { content, .. } if content as usize == index))
            .collect();
        match &content.kind {
            ContentKind::SharedAnonymous => {
                assert!(mapped[0].shared && mapped[0].runs.is_empty());
                assert_eq!(&data(2, content)[..3], b"abc");
                assert_eq!(content.runs.len(), 1);
            }
            ContentKind::Memfd { name, .. } => {
                assert_eq!(name, b"mine");
                assert_eq!(mapped.len(), 2);
                assert_eq!(&data(16, content)[..5], b"hello");
                let private = mapped.iter().find(|mapping| !mapping.shared).unwrap();
                assert_eq!(private.runs.iter().map(|run| run.pages).sum::<u32>(), 1);
            }
            ContentKind::DeletedFile { .. } => {
                assert_eq!(content.bytes, 5000);
                assert_eq!(data(1, content)[903], b'x');
                assert_eq!(data(1, content)[904], 0);
            }
        }
    }
}

#[test]
fn timers_handlers_and_waiting_signals_are_kept() {
    let pool = TestPool::new();
    let mut program = Program::python(
        "
import ctypes, os, signal, sys
signal.signal(signal.SIGUSR2, lambda *a: print('usr2'))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
signal.setitimer(signal.ITIMER_REAL, 1000, 500)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
os.kill(os.getpid(), signal.SIGUSR2)
class Event(ctypes.Structure):
    _fields_ = [('value', ctypes.c_void_p), ('signo', ctypes.c_int), ('notify', ctypes.c_int), ('pad', ctypes.c_char * 48)]
libc = ctypes.CDLL(None)
timer = ctypes.c_void_p()
assert libc.timer_create(1, ctypes.byref(Event(0x1234, 34, 0)), ctypes.byref(timer)) == 0
spec = (ctypes.c_long * 4)(7, 5, 3600, 0)
assert libc.timer_settime(timer, 0, spec, None) == 0
libc.prctl(1, 15); libc.prctl(29, 77777)
os.umask(0o27)
print('ready')
sys.stdin.readline()
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])
",
    );
    program.checkpoint(&pool, "timers").unwrap();
    assert_eq!(program.ask("go"), "usr2");
    let manifest = pool.lineage("timers").manifest;
    let (process, main) = (&manifest.process, &manifest.threads[0]);
    assert_eq!(process.umask, 0o27);
    assert_eq!((main.parent_death_signal, main.timer_slack_ns), (15, 77777));
    assert_eq!(main.signal_mask, 1 << 11);
    assert_eq!(process.pending.len(), 1);
    assert_eq!(process.pending[0][0], 12);
    let action = |signal| {
        process
            .actions
            .iter()
            .find(|action| action.signal == signal)
            .unwrap()
    };
    assert!(action(12).handler > 1);
    assert_eq!(action(14).handler, 1);
    let alarm = process.interval_timers[0];
    assert_eq!((alarm.which, alarm.interval_us), (0, 500_000_000));
    assert!((900_000_000..=1_000_000_000).contains(&alarm.left_us));
    let timer = process.posix_timers[0];
    assert_eq!(
        timer.notice,
        TimerNotice::Signal {
            signal: 34,
            value: 0x1234
        }
    );
    assert_eq!((timer.clock, timer.interval_ns), (1, 7_000_000_005));
    assert!(timer.left_ns > 3_500_000_000_000);
}

#[test]
fn filter_that_forbids_the_questions_does_not_kill_the_program() {
    let pool = TestPool::new();
    // Any call of sigaltstack (131) or getitimer (36) kills the process.
    let mut program = Program::python(
        "
import ctypes, struct, sys
def op(code, jt, jf, k): return struct.pack('HBBI', code, jt, jf, k)
program = op(0x20, 0, 0, 0) + op(0x15, 2, 0, 131) + op(0x15, 1, 0, 36) + op(6, 0, 0, 0x7fff0000) + op(6, 0, 0, 0x80000000)
code = ctypes.create_string_buffer(program)
fprog = struct.pack('HxxxxxxQ', 5, ctypes.addressof(code))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.create_string_buffer(fprog), 0, 0) == 0
print('ready')
print('got', sys.stdin.readline())
",
    );
    program.checkpoint(&pool, "filtered").unwrap();
    assert_eq!(program.ask("it"), "got it");
    let process = pool.lineage("filtered").manifest.process;
    assert_eq!(process.seccomp, offshoot_image::model::SeccompMode::Filter);
    assert!(process.no_new_privs);
}

#[test]
fn thread_that_reads_clocks_is_never_frozen_inside_the_vdso() {
    let pool = TestPool::new();
    let program = Program::python(
        "
import time
print('ready')
while True: time.monotonic()
",
    );
    for round in 0..10 {
        let name = format!("clock-{round}");
        program.checkpoint(&pool, &name).unwrap();
        let manifest = pool.lineage(&name).manifest;
        let vdso = manifest
            .machine
            .vdso
            .mappings
            .iter()
            .find(|m| m.kind == SpecialKind::Vdso)
            .unwrap();
        let rip = manifest.threads[0].registers.0[Registers::RIP];
        assert!(!(vdso.start..vdso.start + vdso.bytes).contains(&rip));
    }
}
