//! What all threads share.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use offshoot_image::model::{
    Clocks, Credentials, Limit, MemoryLayout, PosixTimer, Process, SeccompMode, TimerNotice,
};
use offshoot_trace::{Queue, Tracee};

use crate::interview::ProcessAnswers;
use crate::proc::{self, Stat, Status};
use crate::{CheckpointError, Refusal, limits, thread};

/// `CLOCK_*` that any process can have a timer on; the others are some process's own (`timer_create(2)`).
const TIMER_CLOCKS: [i32; 8] = [0, 1, 2, 3, 7, 8, 9, 11];

/// What `/proc` says of a frozen process.
pub(crate) struct Reading {
    status: Status,
    stat: Stat,
    /// Its POSIX timers; the times are asked of the process.
    pub timers: Vec<PosixTimer>,
    cwd: Vec<u8>,
    personality: u32,
    oom_score_adj: i32,
    auxv: Vec<u64>,
    limits: Vec<Limit>,
    pending: Vec<Vec<u8>>,
    realtime_ns: u64,
}

/// Reads a frozen process. `main` is its main thread, `tids` all its threads in the manifest's order, as our PID
/// namespace counts.
pub(crate) fn read(pid: u32, main: &Tracee, tids: &[u32]) -> Result<Reading, CheckpointError> {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Ok(Reading {
        status: Status::read(pid, pid)?,
        stat: Stat::read(pid)?,
        timers: read_timers(pid, tids)?,
        cwd: read_cwd(pid)?,
        personality: read_personality(pid)?,
        oom_score_adj: i32::try_from(proc::number(pid, "oom_score_adj")?).unwrap_or(0),
        auxv: read_auxv(pid)?,
        limits: limits::read(pid)?,
        pending: thread::pending(pid, main, Queue::Process)?,
        realtime_ns: u64::try_from(since_epoch.as_nanos()).unwrap_or(0),
    })
}

impl Reading {
    /// Signals that are caught or ignored, as bits.
    pub(crate) fn handled_signals(&self) -> Result<u64, CheckpointError> {
        Ok(self.status.bits("SigIgn")? | self.status.bits("SigCgt")?)
    }

    /// Whether `SIGTRAP` is ignored.
    pub(crate) fn ignores_trap(&self) -> Result<bool, CheckpointError> {
        Ok(self.status.bits("SigIgn")? & (1 << 4) != 0)
    }

    /// The process for the manifest, with what it said itself. `executable` is an index into the manifest's files.
    pub(crate) fn with(
        self,
        answers: ProcessAnswers,
        executable: u32,
    ) -> Result<Process, CheckpointError> {
        let status = &self.status;
        let umask = status
            .text("Umask")
            .and_then(|text| u32::from_str_radix(text, 8).ok());
        let pid = status.pid();
        let mut posix_timers = self.timers;
        for (timer, (left_ns, interval_ns)) in posix_timers.iter_mut().zip(&answers.timers) {
            (timer.left_ns, timer.interval_ns) = (*left_ns, *interval_ns);
        }
        Ok(Process {
            pid: status.last("NSpid")?,
            executable,
            cwd: self.cwd,
            umask: umask.ok_or_else(|| proc::malformed(pid, "status", "Umask"))?,
            personality: self.personality,
            dumpable: answers.dumpable,
            no_new_privs: status.text("NoNewPrivs") == Some("1"),
            child_subreaper: answers.child_subreaper,
            thp_disabled: answers.thp_disabled,
            write_execute_denied: answers.write_execute_denied,
            tiles_permitted: answers.tiles_permitted,
            merges_memory: answers.merges_memory,
            oom_score_adj: self.oom_score_adj,
            seccomp: match status.text("Seccomp") {
                Some("2") => SeccompMode::Filter,
                _ => SeccompMode::Disabled,
            },
            credentials: credentials(status, answers.securebits)?,
            limits: self.limits,
            memory: layout(&self.stat, answers.brk, self.auxv)?,
            actions: answers.actions,
            pending: self.pending,
            interval_timers: answers.interval_timers,
            posix_timers,
            clocks: Clocks {
                monotonic_ns: answers.monotonic_ns,
                boottime_ns: answers.boottime_ns,
                realtime_ns: self.realtime_ns,
            },
        })
    }
}

fn credentials(status: &Status, securebits: u32) -> Result<Credentials, CheckpointError> {
    let groups = status.numbers("Groups", 10)?;
    Ok(Credentials {
        users: status.ids("Uid")?,
        groups: status.ids("Gid")?,
        supplementary: groups
            .into_iter()
            .filter_map(|group| u32::try_from(group).ok())
            .collect(),
        capabilities: [
            status.bits("CapInh")?,
            status.bits("CapPrm")?,
            status.bits("CapEff")?,
            status.bits("CapBnd")?,
            status.bits("CapAmb")?,
        ],
        securebits,
    })
}

/// Field numbers are those of `/proc/pid/stat` in `proc(5)`.
fn layout(stat: &Stat, brk: u64, auxv: Vec<u64>) -> Result<MemoryLayout, CheckpointError> {
    Ok(MemoryLayout {
        code: [stat.number(26)?, stat.number(27)?],
        data: [stat.number(45)?, stat.number(46)?],
        brk: [stat.number(47)?, brk],
        stack: stat.number(28)?,
        arguments: [stat.number(48)?, stat.number(49)?],
        environment: [stat.number(50)?, stat.number(51)?],
        auxv,
    })
}

fn read_cwd(pid: u32) -> Result<Vec<u8>, CheckpointError> {
    let cwd = proc::link(pid, "cwd")?;
    // The link of a removed directory ends so, and one could be named so: only the directory itself can tell.
    let removed = cwd.ends_with(b" (deleted)") && {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(format!("/proc/{pid}/cwd")).map_or(true, |metadata| metadata.nlink() == 0)
    };
    if removed {
        let path = String::from_utf8_lossy(&cwd).into_owned();
        return Err(Refusal::WorkingDirectory { pid, path }.into());
    }
    Ok(cwd)
}

fn read_personality(pid: u32) -> Result<u32, CheckpointError> {
    let bytes = proc::read(pid, "personality")?;
    let text = String::from_utf8_lossy(&bytes);
    u32::from_str_radix(text.trim(), 16).map_err(|_| proc::malformed(pid, "personality", "number"))
}

fn read_auxv(pid: u32) -> Result<Vec<u64>, CheckpointError> {
    let bytes = proc::read(pid, "auxv")?;
    Ok(bytes
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_le_bytes(*word))
        .collect())
}

/// `/proc/pid/timers`: four lines for each timer (`proc_pid_timers(5)`).
fn read_timers(pid: u32, tids: &[u32]) -> Result<Vec<PosixTimer>, CheckpointError> {
    let bytes = proc::read(pid, "timers")?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let mut timers = Vec::new();
    while let Some(id) = lines.next() {
        let rest = [lines.next(), lines.next(), lines.next()];
        let timer = parse_timer(id, rest, tids);
        let timer = timer.ok_or_else(|| proc::malformed(pid, "timers", "timer"))?;
        if !TIMER_CLOCKS.contains(&timer.clock) {
            return Err(Refusal::TimerClock {
                id: timer.id,
                clock: timer.clock,
            }
            .into());
        }
        timers.push(timer);
    }
    Ok(timers)
}

fn parse_timer(id: &str, rest: [Option<&str>; 3], tids: &[u32]) -> Option<PosixTimer> {
    let [signal, notify, clock] = rest;
    let (signal, value) = signal?.strip_prefix("signal: ")?.split_once('/')?;
    let (how, whom) = notify?.strip_prefix("notify: ")?.split_once('/')?;
    let signal = signal.parse().ok()?;
    let value = u64::from_str_radix(value, 16).ok()?;
    let notice = match (how, whom.split_once('.')?) {
        ("none", _) => TimerNotice::None,
        (_, ("tid", tid)) => {
            let tid: u32 = tid.parse().ok()?;
            let thread = tids.iter().position(|known| *known == tid)?;
            TimerNotice::ThreadSignal {
                signal,
                value,
                thread: u32::try_from(thread).ok()?,
            }
        }
        _ => TimerNotice::Signal { signal, value },
    };
    Some(PosixTimer {
        id: id.strip_prefix("ID: ")?.parse().ok()?,
        clock: clock?.strip_prefix("ClockID: ")?.parse().ok()?,
        notice,
        left_ns: 0,
        interval_ns: 0,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn timers_of_proc_are_understood() {
        let rest = [
            Some("signal: 60/00007fff86e452a8"),
            Some("notify: signal/tid.2634"),
            Some("ClockID: 1"),
        ];
        let timer = parse_timer("ID: 5", rest, &[2600, 2634]).unwrap();
        assert_eq!((timer.id, timer.clock), (5, 1));
        let value = 0x7fff_86e4_52a8;
        assert_eq!(
            timer.notice,
            TimerNotice::ThreadSignal {
                signal: 60,
                value,
                thread: 1
            }
        );
        assert!(parse_timer("ID: 5", rest, &[2600]).is_none());
        let rest = [
            Some("signal: 0/0"),
            Some("notify: none/pid.7"),
            Some("ClockID: 0"),
        ];
        assert_eq!(
            parse_timer("ID: 0", rest, &[]).unwrap().notice,
            TimerNotice::None
        );
    }
}
