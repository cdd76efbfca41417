//! Everything that is known of the process's descriptions before the first one is classified.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::RawFd;

use rustix::fs::{FileType, OFlags, Stat, stat};

use super::description::{Description, is_external};
use super::error::{FileError, Halt};
use super::holders::{Holders, Mark, Wanted};
use super::info::Info;
use super::obstacle::Obstacle;
use super::root::Root;
use super::share;
use super::socket::diag::{self, UnixState};
use super::target::{Listed, Target};

/// The link of an eventfd.
pub(super) const EVENT_LINK: &[u8] = b"anon_inode:[eventfd]";

/// All descriptions, and who else has them.
pub(super) struct Survey<'a> {
    pub target: &'a Target,
    pub root: &'a Root,
    pub descriptions: Vec<Description>,
    /// Unix sockets by inode, of those that are not external.
    pub unix: BTreeMap<u32, UnixState>,
    holders: Holders,
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
        ours: BTreeSet<RawFd>,
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
        let wanted = wanted(target, groups.iter().filter(own), &unix);
        let holders = Holders::scan(&wanted, target.id(), &ours);
        let numbers = groups.iter().flatten().map(|one| one.number).collect();
        let descriptions = groups
            .into_iter()
            .map(|group| Description::duplicate(target, group, external))
            .collect::<Result<Vec<_>, _>>()?;
        let mut inodes: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, description) in descriptions.iter().enumerate() {
            inodes.entry(description.inode()).or_default().push(place);
        }
        Ok(Self {
            target,
            root: target.root()?,
            descriptions,
            unix,
            holders,
            numbers,
            inodes,
        })
    }

    /// Who else holds what this mark is of.
    pub fn holders(&self, mark: &Mark) -> &[super::obstacle::Holder] {
        self.holders.of(mark)
    }

    /// Refuses a description whose file other processes have open.
    pub fn refuse_shared(&self, description: &Description, thing: &str) -> Result<(), Halt> {
        let mark = mark(&description.link, &description.info, || {
            Some(description.stat)
        });
        let holders = mark.map_or(&[][..], |mark| self.holders.of(&mark));
        if holders.is_empty() {
            return Ok(());
        }
        Err(Obstacle::Shared {
            thing: thing.to_owned(),
            holders: holders.to_vec(),
        }
        .into())
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

/// What to look for in other processes.
fn wanted<'g>(
    target: &Target,
    groups: impl Iterator<Item = &'g Vec<Listed>>,
    unix: &BTreeMap<u32, UnixState>,
) -> Wanted {
    let mut wanted = Wanted::default();
    for one in groups.filter_map(|group| group.first()) {
        let status = || stat(target.path(&format!("fd/{}", one.number))).ok();
        if let Some(mark) = mark(&one.link, &one.info, status) {
            wanted.add(mark, &one.link);
        }
    }
    for peer in unix.values().filter_map(|state| state.peer) {
        wanted.add(diag::mark(peer), &[]);
    }
    wanted
}

/// What tells a description's file from all others; none for kinds that others may have open.
fn mark(link: &[u8], info: &Info, status: impl FnOnce() -> Option<Stat>) -> Option<Mark> {
    if link == EVENT_LINK {
        return info.number("eventfd-id", 10).map(Mark::Event);
    }
    if link.starts_with(b"pipe:[") || link.starts_with(b"socket:[") {
        return Some(Mark::Link(link.to_vec()));
    }
    if !link.starts_with(b"/") {
        return None;
    }
    let stat = status()?;
    let is_fifo = FileType::from_raw_mode(stat.st_mode) == FileType::Fifo;
    (is_fifo || link.starts_with(b"/memfd:")).then_some(Mark::Inode(stat.st_dev, stat.st_ino))
}
