//! Real processes, stopped and let go. Needs root (`ptrace(2)`, `/proc/pid/mem`).
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use offshoot_trace::{Frozen, Injection, Memory, Queue, SYSCALL_INSTRUCTION, TraceError};

const PATIENCE: Duration = Duration::from_secs(2);

struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn python(source: &str) -> Self {
        let mut child = Command::new("/usr/bin/python3")
            .args(["-I", "-S", "-u", "-c", source])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self {
            child,
            input,
            output,
        };
        assert_eq!(program.line(), "ready");
        program
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < 5 * PATIENCE, "it never came to be");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The vDSO's first `syscall` instruction.
fn syscall_at(pid: u32) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).unwrap();
    let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
    let start = u64::from_str_radix(start, 16).unwrap();
    let end = u64::from_str_radix(end, 16).unwrap();
    let mut code = vec![0; (end - start) as usize];
    Memory::open(pid)
        .unwrap()
        .read_at(start, &mut code)
        .unwrap();
    start
        + code
            .windows(2)
            .position(|two| two == SYSCALL_INSTRUCTION)
            .unwrap() as u64
}

const THREADS: &str = "
import threading, time
count = [0] * 8
def work(n):
    while True:
        count[n] += 1
        time.sleep(0.001)
for n in range(8):
    threading.Thread(target=work, args=(n,), daemon=True).start()
print('ready')
while True:
    input()
    print(sum(count))
";

#[test]
fn all_threads_stop_and_go_on() {
    let mut program = Program::python(THREADS);
    let frozen = Frozen::freeze(program.pid(), PATIENCE).unwrap();
    assert_eq!(frozen.threads().len(), 9);
    assert_eq!(frozen.threads()[0].tid(), program.pid());
    for thread in frozen.threads() {
        assert_ne!(thread.registers().unwrap()[16], 0);
        assert!(thread.xsave().unwrap().len() >= 576);
        assert!(thread.rseq().unwrap().is_some());
    }
    frozen.thaw();
    program.tell("");
    let before: u64 = program.line().parse().unwrap();
    until(|| {
        program.tell("");
        program.line().parse::<u64>().unwrap() > before
    });
}

#[test]
fn injected_calls_are_the_processs_own_and_leave_no_trace() {
    let mut program = Program::python(
        "import time\nprint('ready')\nbegan = time.monotonic()\ntime.sleep(1.5)\nprint(1.49 < time.monotonic() - began < 2.2)\ninput()",
    );
    // Two thirds of it: begun anew, it would take 2.5 s.
    std::thread::sleep(Duration::from_millis(1000));
    let pid = program.pid();
    let at = syscall_at(pid);
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut frozen = Frozen::freeze(pid, PATIENCE).unwrap();
    let registers = frozen.threads()[0].registers().unwrap();
    let mask = frozen.threads()[0].signal_mask().unwrap();
    let mut injection = Injection::begin(&mut frozen.threads_mut()[0], at).unwrap();
    assert_eq!(injection.call(39, [0; 6]).unwrap(), i64::from(pid)); // getpid
    assert_eq!(injection.call(3, [999, 0, 0, 0, 0, 0]).unwrap(), -9); // close: EBADF
    injection.end().unwrap();
    assert_eq!(frozen.threads()[0].registers().unwrap(), registers);
    assert_eq!(frozen.threads()[0].signal_mask().unwrap(), mask);
    assert_eq!(
        std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap(),
        maps
    );
    frozen.thaw();
    // The sleep that was interrupted by the kernel's restart mechanism goes on for what was left.
    assert_eq!(program.line(), "True");
}

#[test]
fn pause_still_returns_after_a_signal_that_came_while_frozen() {
    let mut program = Program::python(
        "import signal\nsignal.signal(signal.SIGUSR1, lambda *a: None)\nprint('ready')\nsignal.pause()\nprint('woken')",
    );
    std::thread::sleep(Duration::from_millis(50));
    let pid = program.pid();
    let at = syscall_at(pid);
    let mut frozen = Frozen::freeze(pid, PATIENCE).unwrap();
    let mut injection = Injection::begin(&mut frozen.threads_mut()[0], at).unwrap();
    let tid = injection.call(186, [0; 6]).unwrap();
    assert_eq!(injection.call(62, [tid as u64, 10, 0, 0, 0, 0]).unwrap(), 0); // kill(SIGUSR1)
    injection.end().unwrap();
    let pending = frozen.threads()[0].pending(Queue::Process).unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0][0], 10);
    assert!(
        frozen.threads()[0]
            .pending(Queue::Thread)
            .unwrap()
            .is_empty()
    );
    frozen.thaw();
    assert_eq!(program.line(), "woken");
}

#[test]
fn stopped_process_stays_stopped() {
    let program = Program::python("print('ready')\ninput()");
    let pid = program.pid();
    let kill = |signal: &str| {
        assert!(
            Command::new("kill")
                .args([signal, &pid.to_string()])
                .status()
                .unwrap()
                .success()
        );
    };
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    };
    kill("-STOP");
    until(|| state() == 'T');
    let at = syscall_at(pid);
    let mut frozen = Frozen::freeze(pid, PATIENCE).unwrap();
    let mut injection = Injection::begin(&mut frozen.threads_mut()[0], at).unwrap();
    assert_eq!(injection.call(39, [0; 6]).unwrap(), i64::from(pid));
    injection.end().unwrap();
    frozen.thaw();
    std::thread::sleep(Duration::from_millis(20));
    until(|| state() == 'T');
    kill("-CONT");
    until(|| state() == 'S');
}

#[test]
fn traced_process_is_refused_by_its_tracer() {
    let program = Program::python("print('ready')\ninput()");
    let pid = program.pid();
    let (frozen_tx, frozen_rx) = std::sync::mpsc::channel();
    let (done_tx, done_rx) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        let frozen = Frozen::freeze(pid, PATIENCE).unwrap();
        frozen_tx.send(()).unwrap();
        done_rx.recv().unwrap();
        frozen.thaw();
    });
    frozen_rx.recv().unwrap();
    let refused = Frozen::freeze(pid, PATIENCE).unwrap_err();
    assert!(matches!(refused, TraceError::AlreadyTraced { tid, .. } if tid == pid));
    done_tx.send(()).unwrap();
    other.join().unwrap();
}

#[test]
fn process_survives_the_death_of_its_tracer() {
    let mut program = Program::python("print('ready')\nprint(input())");
    let pid = program.pid();
    std::thread::spawn(move || {
        // Never dropped: the end of the thread is all that lets go.
        std::mem::forget(Frozen::freeze(pid, PATIENCE).unwrap());
    })
    .join()
    .unwrap();
    program.tell("alive");
    assert_eq!(program.line(), "alive");
}

#[test]
fn ended_process_is_told() {
    let mut program = Program::python("print('ready')");
    let pid = program.pid();
    program.child.wait().unwrap();
    assert!(matches!(
        Frozen::freeze(pid, PATIENCE),
        Err(TraceError::Ended { .. })
    ));
}
