//! What a template or clone was about when it failed, in words.
//!
//! The plan says what each operation is: it is read when there is a failure to tell of, and at no other time. Paths in it
//! come from an image, so they are quoted.

use std::io;

use offshoot_plan::{Header, Op, PLAN_BASE, Phase, Span};

/// Longest path that is shown (`PATH_MAX`).
const MAX_PATH_BYTES: usize = 4096;

/// A step of the stub that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The phase (`offshoot_plan::Phase`).
    pub phase: u32,
    /// The operation's index.
    pub op: u32,
    /// The system call's result.
    pub result: i64,
    /// What was asked of the kernel, if the plan tells.
    pub asked: Option<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let error = io::Error::from_raw_os_error(self.result.saturating_neg() as i32);
        let (what, op) = (self.phase_name(), self.op);
        match (&self.asked, self.own_step()) {
            (Some(asked), _) => write!(f, "{asked} ({what} {op}): {error}"),
            (None, Some(step)) => write!(f, "{step}: {error}"),
            (None, None) => write!(f, "{what} {op}: {error}"),
        }
    }
}

impl Failure {
    fn phase_name(&self) -> &'static str {
        match self.phase {
            0 => "its own step",
            1 => "template operation",
            2 => "clone operation",
            3 => "prefault operation",
            4 => "resume operation",
            5 => "thread operation",
            7 => "memory operation",
            8 => "settle operation",
            _ => "watch operation",
        }
    }

    /// The stub's own steps, by the numbers that it gives them.
    fn own_step(&self) -> Option<&'static str> {
        let steps = [
            "putting the kernel's own mappings where the program had them",
            "making the process",
            "joining the sandbox",
            "becoming its user",
            "taking the descriptors that came",
            "making a thread",
            "waiting to be woken",
            "learning where images are mapped",
            "taking the signal of traps",
            "loading the filter of traps",
            "the generation page",
            "loading the sandbox's filter and limits",
            "getting an id that is not its seed's",
            "giving up rights to files outside the sandbox",
        ];
        let index = (self.op as usize).checked_sub(1)?;
        let name = steps.get(index).copied();
        name.filter(|_| self.phase == Phase::Stub as u32)
    }
}

/// What an operation of a plan asks of the kernel. Of a thread's the number does not tell which thread's it is.
pub(crate) fn asked(plan: &[u8], phase: u32, op: u32) -> Option<String> {
    let header = Header::from_bytes(plan)?;
    let span = match phase {
        1 => header.template,
        2 => header.clone,
        3 => header.prefault,
        4 => header.resume,
        6 => header.watch,
        7 => header.memory,
        8 => header.settle,
        _ => return None,
    };
    let op = operation(plan, span, op)?;
    let path = |address| path(plan, address);
    match i64::from(op.number) {
        libc::SYS_chdir => Some(format!(
            "entering the working directory {}",
            path(op.args[0])?
        )),
        libc::SYS_open => Some(format!("opening {}", path(op.args[0])?)),
        libc::SYS_unlink => Some(format!("removing {}", path(op.args[0])?)),
        libc::SYS_inotify_add_watch => Some(format!("watching {}", path(op.args[1])?)),
        number => Some(format!("system call {number}")),
    }
}

fn operation(plan: &[u8], span: Span, index: u32) -> Option<Op> {
    if u64::from(index) >= span.count {
        return None;
    }
    let offset = usize::try_from(span.offset).ok()?;
    let at = offset.checked_add(index as usize * size_of::<Op>())?;
    Op::from_bytes(plan.get(at..)?)
}

fn path(plan: &[u8], address: u64) -> Option<String> {
    let at = usize::try_from(address.checked_sub(PLAN_BASE)?).ok()?;
    let bytes = plan.get(at..)?;
    let bytes = &bytes[..bytes.len().min(MAX_PATH_BYTES)];
    let bytes = bytes.split(|byte| *byte == 0).next()?;
    Some(format!("{:?}", String::from_utf8_lossy(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compilation, Memory, compile};
    use offshoot_image::sample;

    fn failure(asked: Option<String>) -> String {
        let failure = Failure {
            phase: 2,
            op: 1,
            result: -2,
            asked,
        };
        failure.to_string()
    }

    #[test]
    fn a_missing_working_directory_is_named() {
        let mut manifest = sample::manifest(4);
        manifest.process.cwd = b"/srv/app\n".to_vec();
        let how = Compilation {
            memory: Memory::Local,
            is_confined: false,
        };
        let plan = compile(&manifest, how).map(|plan| plan.bytes);
        let plan = plan.unwrap_or_default();
        assert_eq!(
            failure(asked(&plan, 2, 1)),
            "entering the working directory \"/srv/app\\n\" (clone operation 1): \
             No such file or directory (os error 2)"
        );
        assert_eq!(asked(&plan, 2, 0).as_deref(), Some("system call 95"));
    }

    #[test]
    fn what_is_not_in_the_plan_has_no_words() {
        for plan in [&[][..], &[0xff; 8192]] {
            assert_eq!(asked(plan, 2, 0), None);
        }
        let without = failure(None);
        assert_eq!(
            without,
            "clone operation 1: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn own_steps_have_names() {
        let failure = Failure {
            phase: 0,
            op: 3,
            result: -3,
            asked: None,
        };
        assert_eq!(
            failure.to_string(),
            "joining the sandbox: No such process (os error 3)"
        );
    }
}
