//! Which other processes share the process's pipes, sockets, events, FIFOs and nameless files.
//!
//! Looking through all processes takes milliseconds, so it is done before the target is stopped ([`Others::look`]): what
//! they have open that might be shared is noted, whatever it is. Once the target is stopped only processes that are new
//! are looked at ([`Others::renew`]), and what was noted is compared with what the target has now.
//!
//! The first look must precede the first duplicate that we make, because our own process counts too: whoever started the
//! target may hold the other end of its standard output. Processes that end or hide meanwhile are passed over, so that
//! "no holder found" is no proof; for pipes, [`super::pipe`] asks the kernel as well.
//!
//! Cost: 3 to 4 µs for each descriptor of each process, and 10 µs for each process if the target shares memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use offshoot_trace::query;

use super::obstacle::Holder;
use super::target::Target;

/// Kinds of anonymous inodes whose state all that have them open share.
const EVENTS: [&[u8]; 5] = [
    b"anon_inode:[eventfd]",
    b"anon_inode:[eventpoll]",
    b"anon_inode:[timerfd]",
    b"anon_inode:[signalfd]",
    b"anon_inode:inotify",
];

/// What tells one file from all others in the whole system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// A pipe or socket by its link, `pipe:[7]`.
    Link(Vec<u8>),
    /// An event of the target by its link and one of the target's descriptors.
    Event(Vec<u8>, u32),
    /// A file by its link, device and inode.
    Inode(Vec<u8>, u64, u64),
}

/// What other processes have that the target may share with them.
#[derive(Debug, Default)]
pub struct Others {
    /// Processes whose descriptors were looked at.
    seen: BTreeSet<i32>,
    /// Last components of the links that are looked for by inode: other links need no `stat`, which a network file system
    /// could answer slowly.
    names: BTreeSet<Vec<u8>>,
    /// Pipes, sockets and events, by link.
    open: BTreeMap<Vec<u8>, Vec<Open>>,
    /// Files, by the last component of their links.
    files: BTreeMap<Vec<u8>, Vec<Open>>,
    /// Processes whose shared mappings were looked at.
    mappers_seen: BTreeSet<i32>,
    /// Who maps a file shared, by device and inode, and whether for writing.
    mapped: BTreeMap<(u64, u64), Vec<(i32, bool)>>,
    /// Descriptors of this process that are duplicates of the target's by now. Before, other files may have had their
    /// numbers: those of another checkpoint that this process makes at the same time.
    duplicates: BTreeSet<RawFd>,
}

/// A descriptor of another process.
#[derive(Debug, Clone, Copy)]
struct Open {
    pid: i32,
    number: u32,
    /// Device and inode when it was noted, of a file that this process has: its number may be a duplicate's later.
    was: Option<(u64, u64)>,
}

/// What the target has that it may share.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Whether it has any such descriptor.
    any: bool,
    /// Whether it has memory that could be shared.
    memory: bool,
    names: BTreeSet<Vec<u8>>,
}

impl Wanted {
    /// Notes what a magic link of the target leads to; `is_fifo` is asked only of paths.
    pub fn add(&mut self, link: &[u8], is_fifo: impl FnOnce() -> bool) {
        let is_memory = may_be_shared(link);
        if is_memory || link.starts_with(b"/") && is_fifo() {
            self.names.insert(last_name(link).to_vec());
        } else if !is_event(link) && !is_stream(link) {
            return;
        }
        self.memory |= is_memory;
        self.any = true;
    }
}

impl Others {
    /// Looks at all other processes while the target still runs. `external` are descriptors that do not matter.
    ///
    /// What cannot be read now is left for later.
    pub fn look(target: &Target, external: &BTreeSet<u32>) -> Self {
        let mut others = Self::default();
        let mut wanted = Wanted::default();
        let Ok(links) = target.links() else {
            return others;
        };
        for (number, link) in links {
            let is_fifo = || target.is_fifo(number);
            if !external.contains(&number) {
                wanted.add(&link, is_fifo);
            }
        }
        // Shared memory that has no descriptor any more.
        let maps = fs::read(target.path("maps")).unwrap_or_default();
        for line in maps.split(|&byte| byte == b'\n') {
            let shared = line.split(|&byte| byte == b' ').nth(1);
            let path = line.iter().position(|&byte| byte == b'/');
            if let Some(path) = path.filter(|_| shared.is_some_and(|word| word.ends_with(b"s"))) {
                wanted.add(&line[path..], || false);
            }
        }
        others.renew(target, &wanted, Some(&BTreeSet::new()));
        others
    }

    /// Looks at processes that are new, and for what was not looked for before. `ours` are descriptors of this process to
    /// be passed over; none passes it over altogether.
    pub(super) fn renew(
        &mut self,
        target: &Target,
        wanted: &Wanted,
        ours: Option<&BTreeSet<RawFd>>,
    ) {
        if !wanted.any {
            return;
        }
        let own = own_pid();
        self.duplicates = ours.cloned().unwrap_or_default();
        let mut new_names: BTreeSet<_> = wanted.names.difference(&self.names).cloned().collect();
        self.names.append(&mut new_names.clone());
        if self.seen.is_empty() {
            new_names.clear();
        }
        let (none, all) = (BTreeSet::new(), self.names.clone());
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let passed_over = if pid == own { ours } else { Some(&none) };
            let Some(passed_over) = passed_over.filter(|_| pid != target.id()) else {
                continue;
            };
            if self.seen.insert(pid) {
                self.note_descriptors(pid, &all, true, passed_over);
            } else if !new_names.is_empty() {
                self.note_descriptors(pid, &new_names, false, passed_over);
            }
            if wanted.memory && self.mappers_seen.insert(pid) {
                self.note_mappings(pid);
            }
        }
    }

    /// Passes over descriptors of this process that are the target's duplicates now: what was noted under their numbers is
    /// closed, and was another checkpoint's, or this process's own.
    pub(super) fn pass_over(&mut self, duplicates: impl Iterator<Item = RawFd>) {
        self.duplicates.extend(duplicates);
    }

    /// Who else has it open. `writing`: only those who may write to it.
    pub(super) fn of(&self, target: &Target, mark: &Mark, writing: bool) -> Vec<Holder> {
        let candidates = match mark {
            Mark::Link(link) | Mark::Event(link, _) => self.open.get(link),
            Mark::Inode(link, ..) => self.files.get(last_name(link)),
        };
        let matches = |open: &&Open| match mark {
            Mark::Link(_) => true,
            Mark::Event(_, number) => open.is_event(target, *number),
            Mark::Inode(_, device, inode) => open.is_file(*device, *inode),
        };
        let own = own_pid();
        let is_duplicate =
            |open: &&Open| open.pid == own && self.duplicates.contains(&open.number.cast_signed());
        let found = candidates.into_iter().flatten();
        let found = found.filter(|open| !is_duplicate(open)).filter(matches);
        let found = found.filter(|open| !writing || open.may_write());
        holders(found.map(|open| open.pid))
    }

    /// Who else maps a file shared. `writing`: only those who map it for writing.
    pub(super) fn mapping(&self, device: u64, inode: u64, writing: bool) -> Vec<Holder> {
        let found = self.mapped.get(&(device, inode)).into_iter().flatten();
        let found = found.filter(|(_, writable)| !writing || *writable);
        holders(found.map(|(pid, _)| *pid))
    }

    fn note_descriptors(
        &mut self,
        pid: i32,
        names: &BTreeSet<Vec<u8>>,
        others_too: bool,
        passed_over: &BTreeSet<RawFd>,
    ) {
        let entries = fs::read_dir(format!("/proc/{pid}/fd"));
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(number) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let Ok(link) = fs::read_link(entry.path()) else {
                continue;
            };
            let link = OsString::from(link).into_vec();
            let is_ours = passed_over.contains(&number.cast_signed());
            if link.starts_with(b"/") {
                let name = last_name(&link);
                if names.contains(name) && !is_ours {
                    let mut open = Open {
                        pid,
                        number,
                        was: None,
                    };
                    if pid == own_pid() {
                        open.was = Some(open.identity().unwrap_or_default());
                    }
                    self.files.entry(name.to_vec()).or_default().push(open);
                }
            } else if others_too && !is_ours && (is_event(&link) || is_stream(&link)) {
                let was = None;
                let open = Open { pid, number, was };
                self.open.entry(link).or_default().push(open);
            }
        }
    }

    fn note_mappings(&mut self, pid: i32) {
        let files = offshoot_trace::shared_files(pid.cast_unsigned());
        for file in files.into_iter().flatten() {
            let list = self.mapped.entry((file.device, file.inode)).or_default();
            list.push((pid, file.writable));
        }
    }
}

impl Open {
    fn path(self) -> String {
        format!("/proc/{}/fd/{}", self.pid, self.number)
    }

    fn is_event(self, target: &Target, number: u32) -> bool {
        let (theirs, ours) = (self.pid.cast_unsigned(), target.id().cast_unsigned());
        // One that was closed meanwhile is not shared any more.
        query::share_file((ours, number), (theirs, self.number)).unwrap_or(false)
    }

    fn is_file(self, device: u64, inode: u64) -> bool {
        let same = |found| found == (device, inode);
        self.was.is_none_or(same) && self.identity().is_some_and(same)
    }

    fn identity(self) -> Option<(u64, u64)> {
        let metadata = fs::metadata(self.path()).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }

    /// The rights of the magic link say what the descriptor was opened for (`proc_pid_fd(5)`).
    fn may_write(self) -> bool {
        fs::symlink_metadata(self.path()).is_ok_and(|one| one.mode() & 0o200 != 0)
    }
}

fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_pid()
}

/// Each process once, with its name.
fn holders(pids: impl Iterator<Item = i32>) -> Vec<Holder> {
    let pids: BTreeSet<i32> = pids.collect();
    let named = pids.into_iter().map(|pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let name = name.trim_end().to_owned();
        Holder { pid, name }
    });
    named.collect()
}

/// Whether it is one of the kinds whose state all that have it open share.
pub(super) fn is_event(link: &[u8]) -> bool {
    EVENTS.contains(&link)
}

/// Whether it is a pipe or socket.
pub(super) fn is_stream(link: &[u8]) -> bool {
    link.starts_with(b"pipe:[") || link.starts_with(b"socket:[")
}

/// Whether it is memory or a file without a name, of which two processes can have the same.
pub(super) fn may_be_shared(link: &[u8]) -> bool {
    link.starts_with(b"/") && link.ends_with(b" (deleted)")
}

fn last_name(link: &[u8]) -> &[u8] {
    link.rsplit(|&byte| byte == b'/').next().unwrap_or(link)
}
