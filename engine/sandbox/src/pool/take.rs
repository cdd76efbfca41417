//! Taking a ghost: what makes an empty sandbox a function's.

use std::io;
use std::os::fd::AsFd;

use super::hand::Hand;
use super::roster::State;
use super::states::{Ghost, Settings, Taken};
use crate::build::{attach, renew_tmp, write_names};
use crate::code::Code;
use crate::error::CreateError;
use crate::spec::Account;
use crate::stage::Stage;

/// What a taker wants.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) holder: &'a str,
    pub(crate) account: &'a Account,
    pub(crate) memory_bytes: u64,
    pub(crate) tmp_bytes: u64,
    pub(crate) hostname: &'a str,
    pub(crate) code: &'a Code,
}

/// A step inside that failed.
struct Failed(Stage, io::Error);

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self(Stage::Code, error)
    }
}

impl Ghost {
    /// Sets limits, size of `/tmp` and host name where they differ, and mounts the code. A ghost with which that fails is
    /// destroyed.
    pub(crate) fn take(mut self, hand: &Hand, wanted: &Wanted<'_>) -> Result<Taken, CreateError> {
        self.limit(wanted)?;
        let staged = |Failed(stage, source)| CreateError::Stage {
            id: self.0.remains.id().to_owned(),
            stage,
            source,
        };
        self.furnish(hand, wanted).map_err(staged)?;
        let shell = &mut self.0;
        shell.account = Some(wanted.account.clone());
        shell.uses += 1;
        shell.settings = Settings {
            memory_bytes: Some(wanted.memory_bytes),
            tmp_bytes: wanted.tmp_bytes,
            hostname: wanted.hostname.to_owned(),
        };
        self.0.note(State::Taken, Some(wanted.holder));
        Ok(Taken(self.0))
    }

    fn limit(&self, wanted: &Wanted<'_>) -> Result<(), CreateError> {
        let shell = &self.0;
        let Some(group) = &shell.remains.group else {
            return Ok(());
        };
        let limit = shell.settings.memory_bytes;
        if limit == Some(wanted.memory_bytes) {
            return Ok(());
        }
        let set = group.set_memory(limit, wanted.memory_bytes);
        set.map_err(|source| CreateError::Cgroup {
            id: shell.remains.id().to_owned(),
            source,
        })
    }

    fn furnish(&self, hand: &Hand, wanted: &Wanted<'_>) -> Result<(), Failed> {
        let shell = &self.0;
        let init = shell.remains.pidfd.as_ref();
        let init = init.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        let mounts = wanted.code.mounts();
        let mounts = mounts.map_err(|(stage, error)| Failed(stage, error))?;
        let renames = wanted.hostname != shell.settings.hostname;
        let resizes = wanted.tmp_bytes != shell.settings.tmp_bytes;
        if mounts.is_empty() && !renames && !resizes {
            return Ok(());
        }
        hand.inside(init.as_fd(), renames, || {
            if resizes {
                renew_tmp(wanted.tmp_bytes).map_err(|error| Failed(Stage::Temporary, error))?;
            }
            if renames {
                let set = rustix::system::sethostname(wanted.hostname.as_bytes());
                set.map_err(|errno| Failed(Stage::Hostname, errno.into()))?;
                write_names(wanted.hostname).map_err(|errno| Failed(Stage::Etc, errno.into()))?;
            }
            for (point, mount) in &mounts {
                attach(mount, point.path()).map_err(|errno| Failed(Stage::Code, errno.into()))?;
            }
            Ok(())
        })
    }
}
