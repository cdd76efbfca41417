//! Rules of the process, its timers and its machine.

use super::*;

#[test]
#[rustfmt::skip] // one case, one line
fn process_must_be_possible() {
    refuse(&[
        (|m| m.process.pid = 0, "the process has an impossible process id: 0x0"),
        (|m| m.process.umask = 0o1000, "the process has an impossible umask"),
        (|m| m.process.dumpable = 3, "the process has an impossible dumpable mode"),
        (|m| m.process.oom_score_adj = 1001, "the process has an impossible oom_score_adj"),
        (|m| m.process.executable = 1, "the process names file 1, of 1"),
        (|m| m.process.cwd = b"tmp".to_vec(), "the process has a path"),
        (|m| m.process.credentials.capabilities[2] = 1, "the process has bits in its effective capabilities"),
        (|m| m.process.credentials.capabilities[4] = 1, "the process has bits in its ambient capabilities"),
        (|m| m.process.credentials.securebits = 1 << 12, "the process has bits in its securebits"),
        (|m| m.process.credentials.supplementary = vec![0; 65_537], "the process has 65537 groups"),
        (|m| m.process.limits[0].resource = 16, "the limit of resource 16 has an impossible number"),
        (|m| m.process.limits[0].soft = u64::MAX, "the limit of resource 7 has an impossible soft limit above"),
        (|m| m.process.limits.push(m.process.limits[0]), "the limit of resource 7 occurs twice"),
        (|m| m.process.memory.stack = 0, "the process has its stack outside user space: 0x0"),
        (|m| m.process.memory.brk = [HEAP, TEXT], "the process has an impossible break: 0x400000"),
        (|m| m.process.memory.auxv = vec![0], "the process has an impossible length of the auxiliary vector: 0x1"),
        (|m| m.process.memory.auxv = vec![0; 130], "the process has 130 words in the auxiliary vector"),
        (|m| m.process.actions = vec![action(0)], "the action of signal 0 has signal 0"),
        (|m| m.process.actions = vec![action(9)], "the action of signal 9 has signal 9"),
        (|m| m.process.actions = vec![action(19)], "the action of signal 19 has signal 19"),
        (|m| m.process.actions = vec![action(65)], "the action of signal 65 has signal 65"),
        (|m| m.process.actions = vec![action(2), action(2)], "the action of signal 2 does not come after"),
        (
            |m| {
                m.process.actions = vec![SignalAction {
                    handler: 2,
                    ..action(2)
                }]
            },
            "the action of signal 2 has its handler",
        ),
        (
            |m| {
                m.process.actions = vec![SignalAction {
                    restorer: 1 << 63,
                    ..action(2)
                }]
            },
            "the action of signal 2 has its restorer",
        ),
        (
            |m| {
                m.process.actions = vec![SignalAction {
                    flags: 8,
                    ..action(2)
                }]
            },
            "the action of signal 2 has bits in its fl",
        ),
        (
            |m| {
                m.process.actions = vec![SignalAction {
                    mask: 256,
                    ..action(2)
                }]
            },
            "the action of signal 2 has bits in its s",
        ),
        (|m| m.process.pending = vec![vec![1; 127]], "the process has a pending signal whose record"),
        (|m| m.process.pending = vec![vec![0; 128]], "the process has signal 0"),
        (|m| m.process.clocks.monotonic_ns = 1 << 63, "the process has an impossible clock"),
    ]);
}

#[test]
#[rustfmt::skip] // one case, one line
fn timers_must_be_possible() {
    refuse(&[
        (|m| m.process.interval_timers = vec![interval(3)], "interval timer 3 has an impossible number"),
        (|m| m.process.interval_timers = vec![interval(1), interval(1)], "interval timer 1 occurs twice"),
        (|m| m.process.posix_timers = vec![posix(1 << 31, 1)], "timer 2147483648 has an impossible id"),
        (|m| m.process.posix_timers = vec![posix(0, 1), posix(0, 1)], "timer 0 occurs twice"),
        (|m| m.process.posix_timers = vec![posix(0, 4)], "timer 0 has an impossible clock"),
        (
            |m| {
                let notice = TimerNotice::Signal {
                    signal: 9,
                    value: 0,
                };
                m.process.posix_timers = vec![PosixTimer {
                    notice,
                    ..posix(0, 1)
                }];
            },
            "timer 0 has signal 9",
        ),
        (
            |m| {
                let notice = TimerNotice::ThreadSignal {
                    signal: 14,
                    value: 0,
                    thread: 2,
                };
                m.process.posix_timers = vec![PosixTimer {
                    notice,
                    ..posix(0, 1)
                }];
            },
            "timer 0 names thread 2, of 2",
        ),
    ]);
}

#[test]
#[rustfmt::skip] // one case, one line
fn machine_must_be_possible() {
    refuse(&[
        (|m| m.machine.cpu.vendor.clear(), "the machine has a name"),
        (|m| m.machine.cpu.vendor = "thirteen char".to_owned(), "the machine has a name"),
        (|m| m.machine.cpu.xcr0 = 1, "the machine has an impossible XCR0"),
        (|m| m.machine.cpu.xsave_bytes = 575, "the machine has an impossible XSAVE length"),
        (|m| m.machine.cpu.xsave_bytes = 65_537, "the machine has an impossible XSAVE length"),
        (|m| m.machine.kernel = "k".repeat(65), "the machine has a name"),
        (|m| special(m, 0).bytes = 0, "the kernel's mapping at 0x7fff00000000 is empty"),
        (|m| special(m, 0).bytes = u64::MAX, "the kernel's mapping at 0x7fff00000000 is empty or"),
        (|m| special(m, 0).bytes = 5, "the kernel's mapping at 0x7fff00000000 does not begin"),
        (|m| special(m, 1).start = 0x7fff_0000_0000, "the kernel's mapping at 0x7fff00000000 does not come"),
        (|m| special(m, 1).kind = SpecialKind::Vvar, "the kernel's mapping at 0x7fff00004000 occurs twice"),
    ]);
}
