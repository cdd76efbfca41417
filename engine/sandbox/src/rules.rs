//! What a sandbox makes of a program that becomes one by another way than [`program`](crate::program)'s: a clone of a seed.
//!
//! A program inherits most of it from the nursery; a clone is made by somebody else, who is told what it is. Together the
//! two filters answer as the published table does ([`seccomp::table`]), and as those of every program.

use libc::c_long;
use seccompiler::BpfProgram;

use crate::paths::PathRules;
use crate::{nursery, program, seccomp};

/// Filters and limits for programs that are not executed in their sandbox.
///
/// Besides, such a program needs what [`Join`](crate::Join) says, no supplementary groups, no capabilities in any set, the
/// bounding one included, `PR_SET_NO_NEW_PRIVS`, and no descriptor of the host's.
#[derive(Debug, Clone)]
pub struct ProgramRules {
    /// The filter of system calls that whoever makes the program loads, and that it inherits. It lets the set-up's
    /// calls through.
    pub inherited: BpfProgram,
    /// The filter that the program loads as its last step.
    pub last: BpfProgram,
    /// Numbers of resources (`setrlimit(2)`), and what soft and hard limit are at most.
    pub limits: Vec<(u32, u64)>,
    /// What the program may open, if the kernel has Landlock: it restricts itself in its sandbox, before it has a second
    /// thread.
    pub paths: Option<PathRules>,
}

impl ProgramRules {
    /// For a program that makes `setup` calls before it runs.
    pub fn new(setup: &[c_long]) -> Self {
        Self {
            inherited: seccomp::outer(setup),
            last: seccomp::inner(setup),
            limits: limits(),
            paths: PathRules::of_kernel(),
        }
    }
}

fn limits() -> Vec<(u32, u64)> {
    let all = nursery::LIMITS.iter().chain(&program::LIMITS);
    all.map(|(resource, most)| (*resource as u32, *most))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_programs_by_the_kernels_numbers() {
        let limits = limits();
        let of = |resource: u32| {
            let mut found = limits.iter().filter(|(number, _)| *number == resource);
            (found.next().map(|(_, most)| *most), found.next())
        };
        assert_eq!(of(libc::RLIMIT_NOFILE), (Some(1024), None));
        assert_eq!(of(libc::RLIMIT_NPROC), (Some(742), None));
        assert_eq!(of(libc::RLIMIT_CORE), (Some(1), None));
        assert_eq!(of(libc::RLIMIT_RTPRIO), (Some(0), None));
        assert_eq!(of(libc::RLIMIT_CPU), (None, None));
    }
}
