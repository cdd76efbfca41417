//! What is refused before the process is stopped, so that a refusal costs it nothing.

use std::fs::File;
use std::io::Read;

use offshoot_trace::query;

use crate::proc::{self, Stat, Status};
use crate::{CheckpointError, Refusal};

/// `PF_KTHREAD` (Linux `sched.h`).
const KERNEL_THREAD: u64 = 0x0020_0000;
/// Number of the field with the task's flags in `/proc/pid/stat` (`proc(5)`).
const FLAGS_FIELD: usize = 9;
/// `ELFCLASS64`, little-endian; `EM_X86_64` (`elf(5)`).
const ELF_64_LITTLE: [u8; 2] = [2, 1];
const X86_64: [u8; 2] = [62, 0];

/// Checks everything that can be known of a running process.
pub(crate) fn check(pid: u32) -> Result<(), CheckpointError> {
    if pid == std::process::id() {
        return Err(Refusal::Itself { pid }.into());
    }
    let stat = Stat::read(pid)?;
    if stat.number(FLAGS_FIELD)? & KERNEL_THREAD != 0 {
        return Err(Refusal::KernelThread { pid }.into());
    }
    if matches!(stat.state(), 'Z' | 'X') {
        return Err(Refusal::Ended { pid }.into());
    }
    let status = Status::read(pid, pid)?;
    let tracer = status.last("TracerPid")?;
    if tracer != 0 {
        return Err(Refusal::Traced { pid, tracer }.into());
    }
    check_seccomp(pid, &status)?;
    check_architecture(pid)?;
    check_root(pid)?;
    check_relatives(pid, &status)
}

/// Checks again, with all threads stopped, what may have changed before they were.
pub(crate) fn check_frozen(
    pid: u32,
    tids: impl Iterator<Item = u32>,
) -> Result<(), CheckpointError> {
    let mut children = Vec::new();
    for tid in tids {
        children.extend(read_children(pid, tid)?);
        let apart = query::share(pid, tid, query::Shared::FileSystem).is_ok_and(|shared| !shared);
        if apart {
            return Err(Refusal::ThreadApart { tid }.into());
        }
    }
    if children.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Children { pid, children }.into())
    }
}

/// Strict mode ends a thread that does anything but read, write and exit.
pub(crate) fn check_seccomp(tid: u32, status: &Status) -> Result<bool, CheckpointError> {
    match status.text("Seccomp") {
        Some("1") => Err(Refusal::StrictSeccomp { tid }.into()),
        Some("0") | None => Ok(false),
        Some(_) => Ok(true),
    }
}

fn check_architecture(pid: u32) -> Result<(), CheckpointError> {
    let mut header = [0; 20];
    let path = format!("/proc/{pid}/exe");
    let read = File::open(&path).and_then(|mut file| file.read_exact(&mut header));
    read.map_err(|source| CheckpointError::Proc { path, source })?;
    if header[4..6] == ELF_64_LITTLE && header[18..20] == X86_64 {
        Ok(())
    } else {
        Err(Refusal::Architecture { pid }.into())
    }
}

fn check_root(pid: u32) -> Result<(), CheckpointError> {
    let root = proc::link(pid, "root")?;
    if root == b"/" {
        return Ok(());
    }
    let root = String::from_utf8_lossy(&root).into_owned();
    Err(Refusal::Root { pid, root }.into())
}

fn check_relatives(pid: u32, status: &Status) -> Result<(), CheckpointError> {
    let tasks =
        std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|source| CheckpointError::Proc {
            path: format!("/proc/{pid}/task"),
            source,
        })?;
    let mut children = Vec::new();
    for task in tasks.flatten() {
        let Some(tid) = task.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match read_children(pid, tid) {
            Ok(found) => children.extend(found),
            // A thread that ended meanwhile.
            Err(_) if tid != pid => {}
            Err(error) => return Err(error),
        }
    }
    if !children.is_empty() {
        return Err(Refusal::Children { pid, children }.into());
    }
    let parent = status.last("PPid")?;
    // Who may not be compared is a stranger, and strangers share no memory.
    let shared = parent != 0 && query::share(pid, parent, query::Shared::Memory).unwrap_or(false);
    if shared {
        Err(Refusal::SharedMemory { pid, parent }.into())
    } else {
        Ok(())
    }
}

/// `/proc/pid/task/tid/children`: the processes that this thread made.
fn read_children(pid: u32, tid: u32) -> Result<Vec<u32>, CheckpointError> {
    let name = format!("task/{tid}/children");
    let bytes = proc::read(pid, &name)?;
    let text = String::from_utf8_lossy(&bytes);
    let numbers = text.split_whitespace().map(|word| word.parse().ok());
    numbers
        .collect::<Option<_>>()
        .ok_or_else(|| proc::malformed(pid, &name, "list of numbers"))
}
