//! The root file system that all sandboxes of a launcher share, read-only.
//!
//! The nursery builds it once, in a mount namespace of its own, makes it its root and lets go of
//! the host's file system. An init inherits it by `CLONE_NEWNS` and adds only what is its own:
//! `/proc`, `/tmp`, `/dev/shm`, `/run/offshoot`, code and layers. So no process on a sandbox's side
//! of the nursery ever has a host path to resolve.

mod build;
mod host_usr;

use serde::{Deserialize, Serialize};

pub(crate) use build::{BuildError, write_new};

/// Where a sandbox's own `/etc` files live; the shared `/etc` has symbolic links to them.
pub(crate) const OWN_ETC: &str = "run/offshoot";
/// The files in [`OWN_ETC`].
pub(crate) const OWN_ETC_FILES: [&str; 5] = ["passwd", "group", "hosts", "hostname", "resolv.conf"];

/// What the sandboxes' root file system is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RootFs {
    /// The host's `/usr`, read-only, and an `/etc` that holds what programs need and no more.
    #[default]
    HostUsr,
}

impl RootFs {
    /// Builds it and makes it this process's root; the caller's mounts are gone afterwards.
    pub(crate) fn enter(&self) -> Result<(), BuildError> {
        match self {
            Self::HostUsr => host_usr::enter(),
        }
    }
}
