//! The descriptors of a stopped process, and what they lead to.
//!
//! 1. `/proc/pid/fd` and `fdinfo` list the descriptors; `kcmp(2)` tells which are duplicates
//!    (`share`).
//! 2. Unix sockets are asked for their peers (`sock_diag(7)`), and all other processes are looked
//!    through for files that the target does not have for itself ([`Others`]), most of it before.
//! 3. Each description is duplicated into this process (`pidfd_getfd(2)`) and asked with ordinary
//!    calls that consume nothing: `tee(2)`, `MSG_PEEK`, `fcntl(2)`, `getsockopt(2)`.
//! 4. What a clone can make again goes into the manifest's tables ([`Tables`]); everything else is
//!    a [`Refusal`] that names the descriptor, what it is, and what to do. All are collected.
//!
//! What callers must still ensure: every thread of the target is stopped, and no other process
//! writes into what it maps. Needs root: `CAP_SYS_PTRACE`, `CAP_CHECKPOINT_RESTORE`,
//! `CAP_DAC_READ_SEARCH`, and `CAP_SYS_ADMIN` for a target in another network namespace.
//!
//! Cost: about ten system calls per descriptor, and one listing of `/proc` if the process has a
//! pipe, socket, event, FIFO or nameless file that is not external.

mod classify;
mod description;
mod error;
mod holders;
mod info;
mod kernel_files;
mod obstacle;
mod pipe;
mod regular;
mod root;
mod share;
mod socket;
mod special;
mod survey;
mod tables;
mod target;

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;

use offshoot_image::model::{Descriptor, OpenFile};

pub use error::{FileError, Refusal};
pub use holders::Others;
pub use obstacle::{Holder, InternetState, Obstacle};
pub use tables::{ContentSource, Place, Tables};
pub use target::Target;

use classify::Classifier;
use error::Halt;
use survey::Survey;

/// Reads all descriptors of a stopped process into the tables.
///
/// A description of which at least one descriptor is in `external` becomes
/// [`Substituted`](offshoot_image::model::OpenFileKind::Substituted), whatever it is.
///
/// # Errors
/// [`FileError::Refused`] with everything that an image cannot hold; then the tables are not fit
/// for use. Others if the process has ended, or the caller lacks a capability.
pub fn read(
    target: &Target,
    external: &BTreeSet<u32>,
    others: &mut Others,
    tables: &mut Tables,
) -> Result<(), FileError> {
    target.require_one_table()?;
    let readers = tables.contents.iter().map(|one| one.reader.as_raw_fd());
    let survey = Survey::take(target, external, &readers.collect(), others)?;
    let mut classifier = Classifier::new(&survey, tables);
    let mut refusals = Vec::new();
    for description in &survey.descriptions {
        match classifier.kind(description) {
            Ok(kind) => {
                let tables = &mut *classifier.tables;
                let open_file = tables::next(&tables.open_files);
                let flags = description.info.flags;
                tables.open_files.push(OpenFile { kind, flags });
                let descriptors = description.descriptors.iter();
                tables
                    .descriptors
                    .extend(descriptors.map(|&(number, close_on_exec)| Descriptor {
                        number,
                        close_on_exec,
                        open_file,
                    }));
            }
            Err(Halt::Refuse(obstacle)) => refusals.push(Refusal {
                descriptors: description.descriptors.iter().map(|one| one.0).collect(),
                obstacle,
            }),
            Err(Halt::Fail(error)) => return Err(error),
        }
    }
    tables.descriptors.sort_by_key(|one| one.number);
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(FileError::Refused(refusals))
    }
}
