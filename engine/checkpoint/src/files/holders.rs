//! Which other processes have the process's pipes, sockets, eventfds, FIFOs and memfds open.
//!
//! One pass over `/proc/*/fd`. It must precede the first duplicate that we make, because our own
//! process counts too: whoever started the target may hold the other end of its standard output.
//! Processes that end or hide meanwhile are passed over, so that "no holder found" is no proof;
//! for pipes, [`super::pipe`] asks the kernel as well.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::fs::stat;

use super::info::Info;
use super::obstacle::Holder;
use super::survey::EVENT_LINK;

/// What tells one file from all others in the whole system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// A pipe or socket by its link, `pipe:[7]`.
    Link(Vec<u8>),
    /// An eventfd by its id.
    Event(u64),
    /// A file by device and inode.
    Inode(u64, u64),
}

/// Who else holds what.
#[derive(Debug, Default)]
pub(super) struct Holders {
    found: BTreeMap<Mark, Vec<Holder>>,
}

/// What to look for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    marks: BTreeSet<Mark>,
    /// Last components of the links of those that are looked for by inode: other links need no
    /// `stat`, which a network file system could answer slowly.
    names: BTreeSet<Vec<u8>>,
}

impl Wanted {
    pub fn add(&mut self, mark: Mark, link: &[u8]) {
        if let Mark::Inode(..) = mark {
            self.names.insert(last_name(link).to_vec());
        }
        self.marks.insert(mark);
    }
}

impl Holders {
    /// Looks through all processes but `except`, and passes over descriptors `ours` of this one.
    pub fn scan(wanted: &Wanted, except: i32, ours: &BTreeSet<RawFd>) -> Self {
        let own = rustix::process::getpid().as_raw_pid();
        let none = BTreeSet::new();
        let mut holders = Self::default();
        if wanted.marks.is_empty() {
            return holders;
        }
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            match name.to_string_lossy().parse::<i32>() {
                Ok(pid) if pid == own => holders.scan_process(wanted, pid, ours),
                Ok(pid) if pid != except => holders.scan_process(wanted, pid, &none),
                _ => {}
            }
        }
        holders
    }

    /// Who else has it open.
    pub fn of(&self, mark: &Mark) -> &[Holder] {
        self.found.get(mark).map_or(&[], Vec::as_slice)
    }

    fn scan_process(&mut self, wanted: &Wanted, pid: i32, passed_over: &BTreeSet<RawFd>) {
        let directory = format!("/proc/{pid}/fd");
        let mut marks = BTreeSet::new();
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let number = entry.file_name().to_string_lossy().parse();
            if number.is_ok_and(|number| passed_over.contains(&number)) {
                continue;
            }
            let Ok(link) = fs::read_link(entry.path()) else {
                continue;
            };
            let link = OsString::from(link).into_vec();
            if let Some(mark) = wanted.mark(link, &entry.path()) {
                marks.insert(mark);
            }
        }
        if marks.is_empty() {
            return;
        }
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        for mark in marks {
            let name = name.trim().escape_debug().to_string();
            self.found
                .entry(mark)
                .or_default()
                .push(Holder { pid, name });
        }
    }
}

impl Wanted {
    /// The mark of a descriptor, if it is looked for.
    fn mark(&self, link: Vec<u8>, path: &Path) -> Option<Mark> {
        let mark = if link == EVENT_LINK {
            let info = path.to_str()?.replace("/fd/", "/fdinfo/");
            let text = fs::read_to_string(info).ok()?;
            Mark::Event(Info::parse(&text).ok()?.number("eventfd-id", 10)?)
        } else if link.starts_with(b"/") {
            if !self.names.contains(last_name(&link)) {
                return None;
            }
            let stat = stat(path).ok()?;
            Mark::Inode(stat.st_dev, stat.st_ino)
        } else {
            Mark::Link(link)
        };
        self.marks.contains(&mark).then_some(mark)
    }
}

fn last_name(link: &[u8]) -> &[u8] {
    link.rsplit(|&byte| byte == b'/').next().unwrap_or(link)
}
