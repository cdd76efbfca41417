//! `/proc/pid/fdinfo/N`, as `proc_pid_fdinfo(5)` describes it.

use rustix::fs::OFlags;

/// What every descriptor has, and the lines that only some kinds have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    /// Offset in bytes.
    pub position: u64,
    /// `O_*` without `O_CLOEXEC`.
    pub flags: u32,
    /// `FD_CLOEXEC`.
    pub close_on_exec: bool,
    /// Id of the mount.
    pub mount: u64,
    /// Inode number.
    pub inode: u64,
    /// Locks and leases, as the kernel prints them.
    pub locks: Vec<String>,
    /// All other lines.
    pub rest: Vec<String>,
}

impl Info {
    /// Takes the text apart, or gives the line that it does not understand.
    pub fn parse(text: &str) -> Result<Self, &str> {
        let mut info = Self {
            position: 0,
            flags: 0,
            close_on_exec: false,
            mount: 0,
            inode: 0,
            locks: Vec::new(),
            rest: Vec::new(),
        };
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                info.rest.push(line.to_owned());
                continue;
            };
            let value = value.trim();
            match key {
                "pos" => info.position = signed(value).ok_or(line)?,
                "flags" => info.set_flags(u32::from_str_radix(value, 8).map_err(|_| line)?),
                "mnt_id" => info.mount = value.parse().map_err(|_| line)?,
                "ino" => info.inode = value.parse().map_err(|_| line)?,
                "lock" => info.locks.push(value.to_owned()),
                _ => info.rest.push(line.to_owned()),
            }
        }
        Ok(info)
    }

    /// The value of a line of only some kinds.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.rest.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == key).then(|| value.trim())
        })
    }

    /// The value of such a line, as a number.
    pub fn number(&self, key: &str, radix: u32) -> Option<u64> {
        u64::from_str_radix(self.value(key)?, radix).ok()
    }

    /// Whether one of these `O_*` is set.
    pub fn has(&self, flags: OFlags) -> bool {
        self.flags & flags.bits() != 0
    }

    /// `O_RDONLY`, `O_WRONLY` or `O_RDWR`.
    pub fn access(&self) -> OFlags {
        OFlags::from_bits_retain(self.flags) & OFlags::RWMODE
    }

    /// Whether it may be written.
    pub fn writable(&self) -> bool {
        !self.has(OFlags::PATH) && self.access() != OFlags::RDONLY
    }

    fn set_flags(&mut self, flags: u32) {
        self.close_on_exec = flags & OFlags::CLOEXEC.bits() != 0;
        self.flags = flags & !OFlags::CLOEXEC.bits();
    }
}

/// Offsets of directories are opaque, and the kernel prints them with a sign.
fn signed(value: &str) -> Option<u64> {
    value
        .parse::<i64>()
        .map(i64::cast_unsigned)
        .or_else(|_| value.parse())
        .ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn close_on_exec_is_not_a_flag_of_the_description() {
        let info = Info::parse("pos:\t7\nflags:\t02102001\nmnt_id:\t22\nino:\t9\n").unwrap();
        assert!(info.close_on_exec && info.writable());
        assert_eq!(info.flags, 0o102001);
        assert_eq!((info.position, info.mount, info.inode), (7, 22, 9));
    }

    #[test]
    fn locks_and_other_lines_are_kept_apart() {
        let text = "pos:\t0\nflags:\t00\nlock:\t1: FLOCK  ADVISORY  WRITE 3 fe:00:1 0 EOF\n\
                    eventfd-count:               2a\n";
        let info = Info::parse(text).unwrap();
        assert_eq!(info.locks, ["1: FLOCK  ADVISORY  WRITE 3 fe:00:1 0 EOF"]);
        assert_eq!(info.number("eventfd-count", 16), Some(42));
        assert_eq!(info.number("eventfd-id", 10), None);
    }

    #[test]
    fn line_without_a_number_is_given_back() {
        assert_eq!(Info::parse("pos:\tx\n"), Err("pos:\tx"));
    }

    #[test]
    fn path_only_descriptor_is_not_writable() {
        assert!(!Info::parse("flags:\t010000002\n").unwrap().writable());
    }
}
