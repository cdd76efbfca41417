//! Everything that is known of the process's descriptions before the first one is classified.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsRawFd, RawFd};

use rustix::fs::{FileType, OFlags};

use super::description::{Description, is_external};
use super::error::{FileError, Halt};
use super::holders::{self, Mark, Others, Wanted};
use super::obstacle::{Holder, Obstacle};
use super::root::Root;
use super::share;
use super::socket::diag::{self, UnixState};
use super::target::{Listed, Target};

/// All descriptions, and who else has them.
pub(super) struct Survey<'a> {
    pub target: &'a Target,
    pub root: &'a Root,
    pub descriptions: Vec<Description>,
    /// Unix sockets by inode, of those that are not external.
    pub unix: BTreeMap<u32, UnixState>,
    others: &'a Others,
    /// All descriptors.
    numbers: BTreeSet<u32>,
    /// Places in `descriptions`, by device and inode.
    inodes: BTreeMap<(u64, u64), Vec<usize>>,
}

impl<'a> Survey<'a> {
    /// `ours`: descriptors of this process that do not count as a use of the target's files.
    pub fn take(
        target: &'a Target,
        external: &BTreeSet<u32>,
        ours: &BTreeSet<RawFd>,
        others: &'a mut Others,
    ) -> Result<Self, FileError> {
        let listed = target.descriptors()?;
        require_open(&listed, external)?;
        let groups = share::group(target.id(), listed)?;
        let own = |group: &&Vec<Listed>| !is_external(group, external);
        let unix = diag::states(
            target,
            groups
                .iter()
                .filter(own)
                .filter_map(|group| socket_inode(group)),
        )?;
        let mut wanted = Wanted::default();
        for one in groups.iter().filter(own).filter_map(|group| group.first()) {
            wanted.add(&one.link, || target.is_fifo(one.number));
        }
        others.renew(target, &wanted, Some(ours));
        let numbers = groups.iter().flatten().map(|one| one.number).collect();
        let descriptions = groups
            .into_iter()
            .map(|group| Description::duplicate(target, group, external))
            .collect::<Result<Vec<_>, _>>()?;
        others.pass_over(descriptions.iter().map(|one| one.file.as_raw_fd()));
        let mut inodes: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, description) in descriptions.iter().enumerate() {
            inodes.entry(description.inode()).or_default().push(place);
        }
        Ok(Self {
            target,
            root: target.root()?,
            descriptions,
            unix,
            others,
            numbers,
            inodes,
        })
    }

    /// Who else holds what this mark is of.
    pub fn holders(&self, mark: &Mark) -> Vec<Holder> {
        self.others.of(self.target, mark, false)
    }

    /// Refuses a description whose file other processes have open.
    pub fn refuse_shared(&self, description: &Description, thing: &str) -> Result<(), Halt> {
        self.refuse_held(description, thing, false)
    }

    /// Refuses a description whose file other processes have open, if one of them or the process may write to it.
    pub fn refuse_written(&self, description: &Description, thing: &str) -> Result<(), Halt> {
        self.refuse_held(description, thing, !description.info.writable())
    }

    fn refuse_held(
        &self,
        description: &Description,
        thing: &str,
        writing: bool,
    ) -> Result<(), Halt> {
        let mark = mark(description);
        let holders = mark.map(|mark| self.others.of(self.target, &mark, writing));
        match holders {
            Some(holders) if !holders.is_empty() => Err(Obstacle::Shared {
                thing: thing.to_owned(),
                holders,
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// Whether a descriptor is open.
    pub fn is_open(&self, number: u32) -> bool {
        self.numbers.contains(&number)
    }

    /// All descriptions of the file that `description` is of, itself included, but for those that
    /// were opened with `O_PATH`.
    pub fn of_same_file(&self, description: &Description) -> Vec<&Description> {
        let places = self.inodes.get(&description.inode());
        let descriptions = places.into_iter().flatten();
        descriptions
            .filter_map(|&place| self.descriptions.get(place))
            .filter(|one| !one.info.has(OFlags::PATH))
            .collect()
    }
}

fn require_open(listed: &[Listed], external: &BTreeSet<u32>) -> Result<(), FileError> {
    for &number in external {
        if !listed.iter().any(|one| one.number == number) {
            return Err(FileError::ExternalNotOpen { number });
        }
    }
    Ok(())
}

/// The inode of a socket, if it is one that can be asked.
fn socket_inode(group: &[Listed]) -> Option<u32> {
    let first = group.first().filter(|one| !one.info.has(OFlags::PATH))?;
    let link = std::str::from_utf8(&first.link).ok()?;
    let inode = link.strip_prefix("socket:[")?.strip_suffix(']')?;
    inode.parse().ok()
}

/// What tells a description's file from all others; none for kinds that others may have open.
fn mark(description: &Description) -> Option<Mark> {
    let link = description.link.clone();
    if holders::is_event(&link) {
        return Some(Mark::Event(link, description.first()));
    }
    if holders::is_stream(&link) {
        return Some(Mark::Link(link));
    }
    let stat = &description.stat;
    let is_fifo = FileType::from_raw_mode(stat.st_mode) == FileType::Fifo;
    let looked_for = holders::may_be_shared(&link) || link.starts_with(b"/") && is_fifo;
    looked_for.then_some(Mark::Inode(link, stat.st_dev, stat.st_ino))
}
