//! What will be made: the whole tree, decided from the headers before anything is written.

use std::collections::HashMap;

use crate::archive::Entry;
use crate::limits::Limits;
use crate::link;
use crate::name;
use crate::refusal::{EntryFault, Refusal};

/// A tree of directories, files and links, with no path used twice or in two ways.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// All directories, parents before children.
    pub(crate) directories: Vec<&'a str>,
    /// Files, in the order of the archive.
    pub(crate) files: Vec<Planned<'a>>,
    /// Symbolic links, made last.
    pub(crate) links: Vec<Planned<'a>>,
}

/// An entry and the path at which it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned<'a> {
    pub(crate) path: &'a str,
    pub(crate) entry: &'a Entry<'a>,
}

impl Planned<'_> {
    /// True if any of the three execute bits is set.
    pub(crate) fn executable(&self) -> bool {
        self.entry.unix_mode & 0o111 != 0
    }

    /// How many directories, below the root, the entry lies in.
    pub(crate) fn depth(&self) -> usize {
        self.path.bytes().filter(|&byte| byte == b'/').count()
    }
}

/// Plans all of `entries`.
pub(crate) fn make<'a>(entries: &'a [Entry<'a>], limits: &Limits) -> Result<Plan<'a>, Refusal> {
    check_announced(entries, limits)?;
    let mut planner = Planner::new(limits);
    for entry in entries {
        planner.add(entry)?;
    }
    Ok(planner.finish())
}

/// Refuses early what admits to be too large. The real bytes are counted later.
fn check_announced(entries: &[Entry<'_>], limits: &Limits) -> Result<(), Refusal> {
    let announced = entries
        .iter()
        .fold(0u64, |sum, e| sum.saturating_add(e.announced_bytes));
    if announced > limits.unzipped_bytes {
        return Err(Refusal::UnzippedTooLarge);
    }
    Ok(())
}

/// What a path is already used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    /// A directory, named by an entry of its own or not yet.
    Directory { named: bool },
    /// A file or a link.
    Leaf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    Link,
}

struct Planner<'a, 'l> {
    limits: &'l Limits,
    // The standard hasher is keyed at random, so names cannot be chosen to collide.
    nodes: HashMap<&'a str, Node>,
    files: Vec<Planned<'a>>,
    links: Vec<Planned<'a>>,
}

impl<'a, 'l> Planner<'a, 'l> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            nodes: HashMap::new(),
            files: Vec::new(),
            links: Vec::new(),
        }
    }

    fn add(&mut self, entry: &'a Entry<'a>) -> Result<(), Refusal> {
        let refuse = |fault| entry.refuse(fault);
        let name = name::check(entry.name, self.limits).map_err(refuse)?;
        let kind = kind(entry, name.is_directory).map_err(refuse)?;
        if name.path.is_empty() {
            return Ok(());
        }
        self.add_parents(name.path).map_err(refuse)?;
        self.claim(name.path, kind).map_err(refuse)?;
        let planned = Planned {
            path: name.path,
            entry,
        };
        match kind {
            Kind::Directory => {}
            Kind::File => self.files.push(planned),
            Kind::Link => self.links.push(planned),
        }
        if self.nodes.len() > self.limits.entries as usize {
            return Err(Refusal::TooManyEntries);
        }
        Ok(())
    }

    /// Makes sure that every directory above `path` is planned, and is a directory. The first one
    /// found stands for all above it.
    fn add_parents(&mut self, path: &'a str) -> Result<(), EntryFault> {
        for (at, _) in path.rmatch_indices('/') {
            let parent = &path[..at];
            match self.nodes.get(parent) {
                Some(Node::Directory { .. }) => return Ok(()),
                Some(Node::Leaf) => return Err(EntryFault::ParentNotADirectory),
                None => self.nodes.insert(parent, Node::Directory { named: false }),
            };
        }
        Ok(())
    }

    fn claim(&mut self, path: &'a str, kind: Kind) -> Result<(), EntryFault> {
        let is_directory = kind == Kind::Directory;
        match self.nodes.get(path) {
            Some(Node::Directory { named: false }) if is_directory => {}
            Some(Node::Directory { named: false }) => return Err(EntryFault::ParentNotADirectory),
            Some(_) => return Err(EntryFault::Duplicate),
            None => {}
        }
        let node = if is_directory {
            Node::Directory { named: true }
        } else {
            Node::Leaf
        };
        self.nodes.insert(path, node);
        Ok(())
    }

    fn finish(self) -> Plan<'a> {
        let is_directory = |node: &Node| matches!(node, Node::Directory { .. });
        let mut directories: Vec<&str> = self
            .nodes
            .iter()
            .filter(|(_, node)| is_directory(node))
            .map(|(path, _)| *path)
            .collect();
        directories.sort_unstable();
        Plan {
            directories,
            files: self.files,
            links: self.links,
        }
    }
}

/// The entry's type, on which its name, mode and content must agree. Type bits as in inode(7).
fn kind(entry: &Entry<'_>, named_directory: bool) -> Result<Kind, EntryFault> {
    let empty = entry.announced_bytes == 0;
    match (entry.unix_mode & 0o170000, named_directory) {
        (0 | 0o040000 | 0o100000, true) if empty => Ok(Kind::Directory),
        (0 | 0o100000, false) => Ok(Kind::File),
        (0o120000, false) if entry.announced_bytes > link::TARGET_BYTES as u64 => {
            Err(EntryFault::LinkTarget)
        }
        (0o120000, false) => Ok(Kind::Link),
        (0 | 0o040000 | 0o100000 | 0o120000, _) => Err(EntryFault::DirectoryOrFile),
        _ => Err(EntryFault::SpecialFile),
    }
}
