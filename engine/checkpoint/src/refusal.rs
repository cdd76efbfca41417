//! What an image cannot hold.

use std::fmt;

/// Something about a process that a checkpoint cannot carry over. The message says what it is, which one, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller itself.
    #[error("process {pid} is the one that takes the checkpoint; let another process do it")]
    Itself {
        /// The process.
        pid: u32,
    },
    /// No program at all.
    #[error("process {pid} is a thread of the kernel; checkpoint a program instead")]
    KernelThread {
        /// The process.
        pid: u32,
    },
    /// Not there any more, but not yet waited for.
    #[error("process {pid} has ended; start it again and checkpoint it while it runs")]
    Ended {
        /// The process.
        pid: u32,
    },
    /// Not x86-64.
    #[error("process {pid} runs a program of another kind than 64-bit x86; build it for x86-64")]
    Architecture {
        /// The process.
        pid: u32,
    },
    /// Under a debugger or another checkpoint.
    #[error("process {pid} is traced by process {tracer}; end the tracer first")]
    Traced {
        /// The process.
        pid: u32,
        /// Its tracer.
        tracer: u32,
    },
    /// A tree of processes.
    #[error("process {pid} has child processes ({}); let them end, and be waited for, before the checkpoint", Numbers(.children))]
    Children {
        /// The process.
        pid: u32,
        /// Its children, as our PID namespace counts; zombies are among them.
        children: Vec<u32>,
    },
    /// Between `vfork` and `exec`, or made by `clone` with `CLONE_VM`.
    #[error(
        "process {pid} shares its memory with its parent {parent}; wait until it has executed a program of its own"
    )]
    SharedMemory {
        /// The process.
        pid: u32,
        /// The process that it shares it with.
        parent: u32,
    },
    /// A thread with its own current directory and umask.
    #[error(
        "thread {tid} has a current directory of its own (CLONE_FS); let all threads share one"
    )]
    ThreadApart {
        /// The thread.
        tid: u32,
    },
    /// A thread with its own user, groups or capabilities.
    #[error(
        "thread {tid} has credentials of its own ({field} in /proc/{tid}/status), which an image has once for all threads; change them for the whole process (setuid of the C library does)"
    )]
    ThreadCredentials {
        /// The thread.
        tid: u32,
        /// Which of them.
        field: &'static str,
    },
    /// A changed root.
    #[error(
        "process {pid} has the root {root} (chroot); give it a mount namespace whose root it is (pivot_root)"
    )]
    Root {
        /// The process.
        pid: u32,
        /// Its root directory.
        root: String,
    },
    /// No directory to begin in.
    #[error(
        "the current directory of process {pid} has been removed ({path}); let it change to one that exists"
    )]
    WorkingDirectory {
        /// The process.
        pid: u32,
        /// Where it was.
        path: String,
    },
    /// The program's file has no name.
    #[error(
        "the executable of process {pid} has no name any more; keep the file, or start the program from one that stays"
    )]
    Executable {
        /// The process.
        pid: u32,
    },
    /// `SECCOMP_MODE_STRICT`.
    #[error(
        "thread {tid} is in the strict mode of seccomp, which cannot be set for a clone; use a filter"
    )]
    StrictSeccomp {
        /// The thread.
        tid: u32,
    },
    /// `PR_SET_SYSCALL_USER_DISPATCH`.
    #[error(
        "thread {tid} handles its system calls itself (PR_SET_SYSCALL_USER_DISPATCH); turn that off before the checkpoint"
    )]
    SyscallUserDispatch {
        /// The thread.
        tid: u32,
    },
    /// `SCHED_DEADLINE` or a policy that this version does not know.
    #[error(
        "thread {tid} is scheduled by policy {policy}, which clones cannot have; use SCHED_OTHER, SCHED_FIFO or SCHED_RR"
    )]
    Scheduling {
        /// The thread.
        tid: u32,
        /// `SCHED_*`.
        policy: u32,
    },
    /// It sits in the kernel's own code and does not leave it.
    #[error("thread {tid} did not leave the vDSO within {steps} instructions; try again")]
    InsideVdso {
        /// The thread.
        tid: u32,
        /// How many instructions it was given.
        steps: u32,
    },
    /// It cannot be stepped out of the vDSO, because stepping would change the action of `SIGTRAP`.
    #[error(
        "thread {tid} is inside the vDSO and its process ignores SIGTRAP; try again, or do not ignore SIGTRAP"
    )]
    IgnoresTrap {
        /// The thread.
        tid: u32,
    },
    /// A mapping of a kind that cannot be made anew.
    #[error("the mapping at {start:#x} {what}; {remedy}")]
    Mapping {
        /// Its first address.
        start: u64,
        /// What it is.
        what: MappingObstacle,
        /// What to do.
        remedy: &'static str,
    },
    /// A clock that only that process has.
    #[error(
        "timer {id} runs on clock {clock}, the processor time of a single process or thread; delete it before the checkpoint"
    )]
    TimerClock {
        /// The timer.
        id: u32,
        /// The clock.
        clock: i32,
    },
}

/// What kind of mapping an image cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappingObstacle {
    /// `MAP_HUGETLB`.
    HugeTlb,
    /// Memory of a device, or a ring of the kernel's.
    Device,
    /// Registered with `userfaultfd(2)`.
    UserFault,
    /// A protection key.
    ProtectionKey,
    /// `map_shadow_stack(2)`.
    ShadowStack,
    /// In the engine's own region.
    EngineRegion,
    /// A mapping that the kernel made and this version does not know.
    Unknown,
}

impl fmt::Display for MappingObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HugeTlb => "is of huge pages from the reserved pool (hugetlb)",
            Self::Device => "is of a device",
            Self::UserFault => "is served by userfaultfd",
            Self::ProtectionKey => "has a protection key",
            Self::ShadowStack => "is a shadow stack",
            Self::EngineRegion => "lies in the region that clones need for themselves",
            Self::Unknown => "is a special one of the kernel's",
        })
    }
}

impl MappingObstacle {
    /// The refusal of a mapping that is this.
    pub(crate) const fn at(self, start: u64) -> Refusal {
        let remedy = match self {
            Self::HugeTlb => "use transparent huge pages (madvise with MADV_HUGEPAGE)",
            Self::Device | Self::Unknown => "unmap it before the checkpoint",
            Self::UserFault => "unregister it before the checkpoint",
            Self::ProtectionKey => {
                "start the program without protection keys (V8: --no-memory-protection-keys)"
            }
            Self::ShadowStack => "start the program with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off",
            Self::EngineRegion => "let the program map it at another address",
        };
        Refusal::Mapping {
            start,
            what: self,
            remedy,
        }
    }
}

/// Numbers with commas, the first few of them.
struct Numbers<'a>(&'a [u32]);

impl fmt::Display for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        for (nth, number) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            write!(f, "{comma}{number}")?;
        }
        match self.0.len().checked_sub(SHOWN + 1) {
            Some(more) => write!(f, " and {} more", more + 1),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_the_children_and_what_to_do() {
        let text = Refusal::Children {
            pid: 7,
            children: (10..20).collect(),
        }
        .to_string();
        assert!(
            text.contains("(10, 11, 12, 13, 14, 15, 16, 17 and 2 more)"),
            "{text}"
        );
        assert!(text.contains("let them end"));
        let text = Refusal::Children {
            pid: 7,
            children: (10..18).collect(),
        }
        .to_string();
        assert!(text.contains("16, 17)"), "{text}");
    }
}
