//! What a sandbox shall be: the caller's description, and the check of it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::code::CodeDirs;
use crate::error::SpecError;
use crate::net::NetworkPolicy;

/// The least memory with which a sandbox starts at all, in bytes.
pub const MIN_MEMORY_BYTES: u64 = 8 << 20;
/// The least size of `/tmp`; a tmpfs of size 0 would have no limit (`tmpfs(5)`).
pub const MIN_TMP_BYTES: u64 = 64 << 10;
/// All of `argv` and `env` together, with terminators; the kernel takes a quarter of the stack
/// limit of 8 MiB (`execve(2)`).
pub const MAX_ARGUMENT_BYTES: usize = 1 << 20;

/// Whose functions may follow each other in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account(Arc<str>);

impl From<&str> for Account {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// A sandbox and the one program that runs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSpec {
    /// A name in logs and errors: 1 to 64 of `A-Z a-z 0-9 . _ -`, not beginning with a dot.
    pub id: String,
    /// Whose program it is: the sandbox was used by nobody else before, and will be by nobody else.
    pub account: Account,
    /// The program (a path inside the sandbox, or a name looked up in `PATH` of `env`) and its
    /// arguments.
    pub argv: Vec<String>,
    /// The program's whole environment.
    pub env: Vec<(String, String)>,
    /// The working directory: an absolute path inside the sandbox.
    pub cwd: String,
    /// The host name: 1 to 64 of `A-Z a-z 0-9 . -`.
    pub hostname: String,
    /// The limit of all memory that the sandbox is charged for, tmpfs contents included. Its share
    /// of the CPUs follows from it: 1769 MB stand for one CPU.
    pub memory_bytes: u64,
    /// The size of `/tmp`.
    pub tmp_bytes: u64,
    /// The function's code and layers.
    pub code: CodeDirs,
    /// What it may reach of the network.
    pub network: NetworkPolicy,
    /// Whether a listener bound to 127.0.0.1:9001 inside the sandbox is handed to the caller.
    pub runtime_api: bool,
}

/// The descriptors that the program starts with, besides an empty standard input.
#[derive(Debug)]
pub struct SandboxFds {
    /// Becomes descriptor 3.
    pub channel: Option<OwnedFd>,
    /// Becomes standard output and standard error. A pipe, normally: a regular file may grow to 10 GiB.
    pub output: OwnedFd,
}

impl SandboxSpec {
    /// Refuses what cannot be carried out, before anything is made.
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        let word = |text: &str, extra: &[u8]| {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || extra.contains(&byte);
            (1..=64).contains(&text.len()) && text.bytes().all(good)
        };
        if !word(&self.id, b"._-") || self.id.starts_with('.') {
            return Err(SpecError::Id {
                id: self.id.clone(),
            });
        }
        if !word(&self.hostname, b".-") {
            return Err(SpecError::Hostname {
                hostname: self.hostname.clone(),
            });
        }
        if self.memory_bytes < MIN_MEMORY_BYTES || i64::try_from(self.memory_bytes).is_err() {
            return Err(SpecError::Memory {
                memory_bytes: self.memory_bytes,
            });
        }
        if self.tmp_bytes < MIN_TMP_BYTES || i64::try_from(self.tmp_bytes).is_err() {
            return Err(SpecError::Tmp {
                tmp_bytes: self.tmp_bytes,
            });
        }
        if !self.cwd.starts_with('/') || self.cwd.contains('\0') {
            return Err(SpecError::Cwd {
                cwd: self.cwd.clone(),
            });
        }
        if let Some(policy) = self.network.egress() {
            policy.check()?;
        }
        self.check_program()
    }

    /// Whether the sandbox needs a link to the outside.
    pub(crate) fn wants_egress(&self) -> bool {
        self.network.wants_egress()
    }

    fn check_program(&self) -> Result<(), SpecError> {
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(SpecError::NoProgram);
        }
        if let Some(argument) = self.argv.iter().find(|argument| argument.contains('\0')) {
            return Err(SpecError::Argument {
                argument: argument.clone(),
            });
        }
        let bad_pair = |(name, value): &&(String, String)| {
            name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
        };
        if let Some((name, _)) = self.env.iter().find(bad_pair) {
            return Err(SpecError::Environment { name: name.clone() });
        }
        let arguments = self.argv.iter().map(|argument| argument.len() + 1);
        let pairs = self
            .env
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2);
        let len_bytes: usize = arguments.chain(pairs).sum();
        if len_bytes > MAX_ARGUMENT_BYTES {
            return Err(SpecError::TooLong { len_bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn good() -> SandboxSpec {
        SandboxSpec {
            id: "a-1".into(),
            account: Account::from("a"),
            argv: vec!["/bin/true".into()],
            env: vec![("PATH".into(), "/bin".into())],
            cwd: "/".into(),
            hostname: "box".into(),
            memory_bytes: 128 << 20,
            tmp_bytes: 1 << 20,
            code: CodeDirs::default(),
            network: NetworkPolicy::None,
            runtime_api: false,
        }
    }

    #[test]
    fn plain_spec_is_accepted() {
        good().check().unwrap();
    }

    #[test]
    fn id_that_could_leave_its_cgroup_is_refused() {
        for id in ["", ".", "..", "a/b", "a\0", &"x".repeat(65), ".hidden", "ä"] {
            let spec = SandboxSpec {
                id: id.into(),
                ..good()
            };
            assert!(matches!(spec.check(), Err(SpecError::Id { .. })), "{id:?}");
        }
    }

    #[test]
    fn tmp_of_size_zero_is_refused_because_tmpfs_would_not_limit_it() {
        let spec = SandboxSpec {
            tmp_bytes: 0,
            ..good()
        };
        assert!(matches!(spec.check(), Err(SpecError::Tmp { .. })));
    }

    #[test]
    fn environment_name_with_equals_sign_is_refused() {
        let spec = SandboxSpec {
            env: vec![("A=B".into(), "c".into())],
            ..good()
        };
        assert!(matches!(spec.check(), Err(SpecError::Environment { .. })));
    }

    #[test]
    fn program_without_name_is_refused() {
        for argv in [vec![], vec![String::new()]] {
            let spec = SandboxSpec { argv, ..good() };
            assert!(matches!(spec.check(), Err(SpecError::NoProgram)));
        }
    }
}
