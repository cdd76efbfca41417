//! Which kind a description is of.

use std::collections::BTreeMap;

use offshoot_image::model::OpenFileKind;
use rustix::fs::{FileType, OFlags};

use super::description::Description;
use super::error::Halt;
use super::obstacle::Obstacle;
use super::socket;
use super::special::{self, device};
use super::survey::Survey;
use super::tables::Tables;
use super::{pipe, regular};

/// Classifies descriptions, and fills the tables that several of them share.
pub(super) struct Classifier<'a> {
    pub survey: &'a Survey<'a>,
    pub tables: &'a mut Tables,
    /// Indices of pipes, by device and inode.
    pub pipes: BTreeMap<(u64, u64), u32>,
}

impl<'a> Classifier<'a> {
    pub fn new(survey: &'a Survey<'a>, tables: &'a mut Tables) -> Self {
        Self {
            survey,
            tables,
            pipes: BTreeMap::new(),
        }
    }

    /// What a description becomes in the image.
    pub fn kind(&mut self, description: &Description) -> Result<OpenFileKind, Halt> {
        if description.external {
            let description = describe(description);
            return Ok(OpenFileKind::Substituted { description });
        }
        refuse_locks(description)?;
        description.refuse_signals()?;
        if description.info.has(OFlags::PATH) {
            return regular::kind(self.survey, description, self.tables);
        }
        if let Some(name) = special::anonymous_name(&description.link) {
            return special::kind(self.survey, description, &name);
        }
        let path = description.path();
        match FileType::from_raw_mode(description.stat.st_mode) {
            FileType::RegularFile | FileType::Directory => {
                regular::kind(self.survey, description, self.tables)
            }
            FileType::Fifo => pipe::kind(self, description),
            FileType::Socket => socket::kind(self, description),
            FileType::CharacterDevice => device::kind(self.survey, description),
            FileType::BlockDevice => Err(Obstacle::BlockDevice { path }.into()),
            _ => Err(Obstacle::Unreachable { path }.into()),
        }
    }
}

fn refuse_locks(description: &Description) -> Result<(), Halt> {
    match description.info.locks.first() {
        None => Ok(()),
        Some(lock) => Err(Obstacle::Locked {
            lock: lock.clone(),
            path: description.path(),
        }
        .into()),
    }
}

/// What a substituted description was, for messages.
fn describe(description: &Description) -> String {
    if FileType::from_raw_mode(description.stat.st_mode) == FileType::Socket
        && let Some(text) = socket::describe(description)
    {
        return text;
    }
    description.link.escape_ascii().to_string()
}
