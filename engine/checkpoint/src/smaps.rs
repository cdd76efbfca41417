//! `/proc/pid/smaps`: the address space with its flags.

use offshoot_image::model::{MappingFlags, Protection};

/// One mapping as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Area {
    pub start: u64,
    pub end: u64,
    pub protection: Protection,
    pub shared: bool,
    /// Offset of the first byte in its file, in bytes.
    pub offset: u64,
    /// Device and inode, as text; `00:00 0` for none.
    pub inode: Vec<u8>,
    /// Path, or a name in brackets; empty if none. A path may end in ` (deleted)`.
    pub path: Vec<u8>,
    pub flags: MappingFlags,
    pub traits: Traits,
    pub protection_key: u32,
}

/// `VmFlags` that decide whether and how a mapping is copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// `ht`
    pub huge_tlb: bool,
    /// `io` or `pf`: no pages that could be read as memory.
    pub device: bool,
    /// `um`, `uw` or `ui`
    pub user_fault: bool,
    /// `ss`
    pub shadow_stack: bool,
}

impl Area {
    /// Whether a file (or shared memory, which is one) is behind it.
    pub(crate) fn has_file(&self) -> bool {
        // The device tells: the first segment of System V memory has inode 0.
        self.inode != b"00:00 0"
    }

    /// The name in brackets, such as `heap`, `vdso`, `anon:arena`; none for a path.
    pub(crate) fn bracketed(&self) -> Option<&[u8]> {
        if self.has_file() {
            return None;
        }
        self.path.strip_prefix(b"[")?.strip_suffix(b"]")
    }

    /// The magic link to its file, below `/proc/pid`.
    pub(crate) fn link(&self) -> String {
        format!("map_files/{:x}-{:x}", self.start, self.end)
    }
}

/// Parses the whole file. `None` if a line is not as `proc(5)` says.
pub(crate) fn parse(bytes: &[u8]) -> Option<Vec<Area>> {
    let mut areas: Vec<Area> = Vec::new();
    for line in bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        // Only the line of a mapping begins with an address, in lower-case digits.
        if !line[0].is_ascii_uppercase() {
            areas.push(head(line)?);
            continue;
        }
        let area = areas.last_mut()?;
        if let Some(flags) = line.strip_prefix(b"VmFlags:") {
            for flag in flags
                .split(|byte| *byte == b' ')
                .filter(|flag| !flag.is_empty())
            {
                set_flag(area, flag);
            }
        } else if let Some(key) = line.strip_prefix(b"ProtectionKey:") {
            area.protection_key = std::str::from_utf8(key).ok()?.trim().parse().ok()?;
        }
    }
    Some(areas)
}

/// `7f0c-7f0d r-xp 00002000 08:01 1234      /path with spaces`
fn head(line: &[u8]) -> Option<Area> {
    let mut words = line.splitn(6, |byte| *byte == b' ');
    let range = std::str::from_utf8(words.next()?).ok()?;
    let (start, end) = range.split_once('-')?;
    let rights = words.next()?;
    let offset = std::str::from_utf8(words.next()?).ok()?;
    let device = words.next()?;
    let inode = words.next()?;
    let path = words.next().unwrap_or_default();
    let bit = |index: usize, letter: u8, bit: u8| {
        if rights.get(index) == Some(&letter) {
            bit
        } else {
            0
        }
    };
    Some(Area {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        protection: Protection(
            bit(0, b'r', Protection::READ)
                | bit(1, b'w', Protection::WRITE)
                | bit(2, b'x', Protection::EXEC),
        ),
        shared: rights.get(3) == Some(&b's'),
        offset: u64::from_str_radix(offset, 16).ok()?,
        inode: [device, b" ", inode].concat(),
        path: path.trim_ascii_start().to_vec(),
        flags: MappingFlags::default(),
        traits: Traits::default(),
        protection_key: 0,
    })
}

/// `Documentation/filesystems/proc.rst`, "VmFlags". Letters that are not here say what the head says, or nothing that a
/// clone could be given.
fn set_flag(area: &mut Area, flag: &[u8]) {
    let traits = &mut area.traits;
    area.flags.0 |= match flag {
        b"gd" => MappingFlags::GROWS_DOWN,
        b"nr" => MappingFlags::NO_RESERVE,
        b"lo" => MappingFlags::LOCKED,
        b"lf" => MappingFlags::LOCK_ON_FAULT,
        b"hg" => MappingFlags::HUGE_PAGES,
        b"nh" => MappingFlags::NO_HUGE_PAGES,
        b"wf" => MappingFlags::WIPE_ON_FORK,
        b"dc" => MappingFlags::DONT_FORK,
        b"dd" => MappingFlags::DONT_DUMP,
        b"dp" => MappingFlags::DROPPABLE,
        b"mg" => MappingFlags::MERGEABLE,
        b"sl" => MappingFlags::SEALED,
        b"sr" => MappingFlags::SEQUENTIAL,
        b"rr" => MappingFlags::RANDOM,
        b"ht" => {
            traits.huge_tlb = true;
            0
        }
        b"io" | b"pf" => {
            traits.device = true;
            0
        }
        b"um" | b"uw" | b"ui" => {
            traits.user_fault = true;
            0
        }
        b"ss" => {
            traits.shadow_stack = true;
            0
        }
        _ => 0,
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &[u8] = b"\
55d0a000-55d0b000 r-xp 00002000 08:01 1234                       /usr/bin/a b (deleted)
Size:                  4 kB
ProtectionKey:         3
VmFlags: rd ex mr mw me sl 
7f00-8000 rw-p 00000000 00:00 0 
VmFlags: rd wr mr mw me ac wf dd ui
8000-9000 ---p 00000000 00:00 0          [anon:arena]
VmFlags: mr
9000-a000 rw-s 00000000 00:01 0                          /SYSV00000000 (deleted)
VmFlags: rd wr sh
";

    #[test]
    fn areas_have_their_flags_and_names() {
        let areas = parse(TEXT).unwrap();
        assert_eq!(areas.len(), 4);
        assert_eq!(
            (areas[0].start, areas[0].end, areas[0].offset),
            (0x55d0_a000, 0x55d0_b000, 0x2000)
        );
        assert_eq!(areas[0].protection, Protection(5));
        assert_eq!(areas[0].path, b"/usr/bin/a b (deleted)");
        assert!(areas[0].has_file());
        assert_eq!(areas[0].flags.0, MappingFlags::SEALED);
        assert_eq!(areas[0].protection_key, 3);
        assert_eq!(
            areas[1].flags.0,
            MappingFlags::WIPE_ON_FORK | MappingFlags::DONT_DUMP
        );
        assert!(areas[1].traits.user_fault && !areas[1].has_file());
        assert_eq!(areas[1].bracketed(), None);
        assert_eq!(areas[2].bracketed(), Some(&b"anon:arena"[..]));
        assert_eq!(areas[2].link(), "map_files/8000-9000");
        // The first segment since the machine started was once taken for memory without a file.
        assert!(areas[3].has_file());
    }

    #[test]
    fn damaged_text_is_told() {
        assert!(parse(b"7f00-8000 rw-p\n").is_none());
        assert!(parse(b"VmFlags: rd\n").is_none());
    }
}
