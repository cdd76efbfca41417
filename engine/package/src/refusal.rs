//! Why a zip is refused, in a form that travels from the worker to the daemon.

use serde::{Deserialize, Serialize};

/// A zip whose overall structure is wrong: it cannot be read as one archive in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ArchiveFault {
    /// No end-of-central-directory record that ends exactly where the file ends.
    #[error("it does not end as a zip file does (truncated, followed by other data, or no zip)")]
    NoEnd,
    /// More than one end record would fit: two readers could see two archives.
    #[error("it has more than one possible end record")]
    AmbiguousEnd,
    /// Split over several disks.
    #[error("it is one part of a multi-part archive")]
    MultiPart,
    /// The zip64 end records are missing, misplaced or contradict the plain one.
    #[error("its zip64 end records are missing or contradict the plain one")]
    Zip64End,
    /// The central directory is not exactly before the end records.
    #[error("its central directory is not where the end record says")]
    DirectoryPlace,
    /// The central directory does not hold exactly the announced records.
    #[error("its central directory breaks off or has more than is announced, at record {index}")]
    DirectoryRecord {
        /// Number of the record, from 0.
        index: u64,
    },
    /// Bytes before the first entry, such as a self-extracting program.
    #[error("{bytes} bytes of other data precede its first entry")]
    Prefixed {
        /// Length of what precedes.
        bytes: u64,
    },
}

/// Why one entry, and with it the whole zip, is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum EntryFault {
    /// A name of no characters.
    #[error("its name is empty")]
    EmptyName,
    /// The name is not UTF-8.
    #[error("its name is not UTF-8")]
    NotUtf8,
    /// A NUL in the name.
    #[error("its name contains a NUL byte")]
    NulByte,
    /// A backslash, which some systems read as a separator.
    #[error("its name contains a backslash")]
    Backslash,
    /// The name starts at the root.
    #[error("its name is an absolute path")]
    Absolute,
    /// The name starts with a drive letter.
    #[error("its name starts with a drive letter")]
    DriveLetter,
    /// A `..` component.
    #[error("its name has a \"..\" component")]
    ParentComponent,
    /// A `.` component (other than one leading `./`) or an empty one.
    #[error("its name has an empty or \".\" component")]
    IdleComponent,
    /// The path is too long.
    #[error("its name is longer than {limit_bytes} bytes")]
    NameTooLong {
        /// The most allowed.
        limit_bytes: u32,
    },
    /// One component is too long for a file system.
    #[error("a component of its name is longer than 255 bytes")]
    ComponentTooLong,
    /// Too many components.
    #[error("its path is more than {limit} levels deep")]
    TooDeep {
        /// The most allowed.
        limit: u32,
    },
    /// Another entry has the same path.
    #[error("its path occurs twice")]
    Duplicate,
    /// A file or link is also used as a directory.
    #[error("its path needs a directory where another entry is a file or link")]
    ParentNotADirectory,
    /// A Unicode path field that differs from the name.
    #[error("it carries a second, different name")]
    SecondName,
    /// Encrypted or masked.
    #[error("it is encrypted")]
    Encrypted,
    /// Neither stored nor deflated.
    #[error("its compression method {method} is not supported (only stored and deflated are)")]
    Method {
        /// The method's number in APPNOTE.TXT 4.4.5.
        method: u16,
    },
    /// FIFO, device, socket or an unknown type.
    #[error("it is a device, FIFO, socket or of unknown type")]
    SpecialFile,
    /// A hard link (PKWARE Unix or ASi Unix field).
    #[error("it is a hard link or carries a link in an extra field")]
    Hardlink,
    /// The name says directory, the mode or content does not, or the reverse.
    #[error("it is a directory by one sign and a file by another")]
    DirectoryOrFile,
    /// Extra fields that overrun or repeat.
    #[error("its extra fields are malformed")]
    ExtraFields,
    /// Sizes or offset deferred to a zip64 field that is missing or short.
    #[error("its zip64 field is missing or malformed")]
    Zip64,
    /// No local header where the central directory says.
    #[error("its local header is missing")]
    LocalMissing,
    /// The local header says something else than the central directory.
    #[error("its local header and the central directory differ in {field}")]
    LocalDiffers {
        /// What differs.
        field: String,
    },
    /// Its bytes are used by another entry too, or by the central directory.
    #[error("its data overlaps what follows")]
    Overlap,
    /// Bytes between this entry and the next that belong to none.
    #[error("it is followed by data that belongs to no entry")]
    Gap,
    /// The data descriptor is missing or contradicts the central directory.
    #[error("its data descriptor is missing or contradicts the central directory")]
    Descriptor,
    /// The deflate stream is invalid or ends early.
    #[error("its compressed data is corrupt or truncated")]
    Corrupt,
    /// More or less data than the headers say.
    #[error("its real size differs from the size in its headers")]
    Size,
    /// The content's CRC-32 is wrong.
    #[error("its content fails its checksum")]
    Checksum,
    /// A link to an absolute path.
    #[error("it is a symbolic link to an absolute path")]
    LinkAbsolute,
    /// A link out of the package.
    #[error("it is a symbolic link that leaves the package, or climbs after descending")]
    LinkEscapes,
    /// An empty, over-long or non-text target.
    #[error("it is a symbolic link whose target is empty, over-long or not text")]
    LinkTarget,
}

/// Everything that can stop the worker, as it tells the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// The archive as a whole.
    Archive(ArchiveFault),
    /// A valid archive without entries.
    Empty,
    /// One entry; its name is escaped and shortened for display.
    Entry { name: String, fault: EntryFault },
    /// More inflated bytes than allowed, announced or real.
    UnzippedTooLarge,
    /// More files, links and directories than allowed.
    TooManyEntries,
    /// The worker's own trouble (disk full, missing system call).
    Failed { step: String, errno: Option<i32> },
}

impl Refusal {
    /// One entry is at fault. `name` is shown escaped and cut.
    pub(crate) fn entry(name: &[u8], fault: EntryFault) -> Self {
        Self::Entry {
            name: shown(name),
            fault,
        }
    }

    /// A system call of the worker failed.
    pub(crate) fn failed(step: impl Into<String>, errno: rustix::io::Errno) -> Self {
        Self::Failed {
            step: step.into(),
            errno: Some(errno.raw_os_error()),
        }
    }
}

impl From<ArchiveFault> for Refusal {
    fn from(fault: ArchiveFault) -> Self {
        Self::Archive(fault)
    }
}

/// Longest part of a name that is shown, in bytes before escaping.
const SHOWN_BYTES: usize = 160;

/// A name as text that is safe to print anywhere: escaped, and cut if long.
pub(crate) fn shown(name: &[u8]) -> String {
    let cut = &name[..name.len().min(SHOWN_BYTES)];
    let mut text: String = String::from_utf8_lossy(cut).escape_debug().collect();
    if cut.len() < name.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_names_hold_no_control_characters_and_are_short() {
        let hostile = b"\x1b]0;owned\x07\n\xff\xe2\x80\xae".repeat(500);
        let text = shown(&hostile);
        assert!(
            text.chars().all(|c| !c.is_control() && c != '\u{202e}'),
            "{text}"
        );
        assert!(text.len() < 2_000);
    }
}
