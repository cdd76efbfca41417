//! Text from `/proc/pid`. What a program can influence (names, paths) is never parsed as anything else.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::CheckpointError;

/// Reads a file below `/proc/pid`; `name` may lead into `task/TID`.
pub(crate) fn read(pid: u32, name: &str) -> Result<Vec<u8>, CheckpointError> {
    let path = format!("/proc/{pid}/{name}");
    std::fs::read(&path).map_err(|source| CheckpointError::Proc { path, source })
}

/// Where a magic link below `/proc/pid` leads, as the kernel prints it.
pub(crate) fn link(pid: u32, name: &str) -> Result<Vec<u8>, CheckpointError> {
    let path = format!("/proc/{pid}/{name}");
    match std::fs::read_link(&path) {
        Ok(target) => Ok(OsString::from(target).into_vec()),
        Err(source) => Err(CheckpointError::Proc { path, source }),
    }
}

/// A number in a file that holds nothing else.
pub(crate) fn number(pid: u32, name: &'static str) -> Result<i64, CheckpointError> {
    let bytes = read(pid, name)?;
    let text = String::from_utf8_lossy(&bytes);
    text.trim()
        .parse()
        .map_err(|_| malformed(pid, name, "number"))
}

pub(crate) fn malformed(pid: u32, name: &str, what: &'static str) -> CheckpointError {
    CheckpointError::Malformed {
        path: format!("/proc/{pid}/{name}"),
        what,
    }
}

/// `/proc/pid/status` of one thread.
pub(crate) struct Status {
    pid: u32,
    text: String,
}

impl Status {
    pub(crate) fn read(pid: u32, tid: u32) -> Result<Self, CheckpointError> {
        // The name in it is escaped but may be no UTF-8; nothing after it is the program's.
        let bytes = read(pid, &format!("task/{tid}/status"))?;
        Ok(Self {
            pid,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The value of a field; none if the kernel has no such field.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        // The first line is the name, in which nothing is believed.
        self.text.lines().skip(1).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == field).then_some(value.trim())
        })
    }

    /// The numbers of a field.
    pub(crate) fn numbers(
        &self,
        field: &'static str,
        radix: u32,
    ) -> Result<Vec<u64>, CheckpointError> {
        let bad = || malformed(self.pid, "status", field);
        let words = self.text(field).ok_or_else(bad)?.split_whitespace();
        words
            .map(|word| u64::from_str_radix(word, radix).map_err(|_| bad()))
            .collect()
    }

    /// The last number of a field: for ids, the one in the innermost namespace.
    pub(crate) fn last(&self, field: &'static str) -> Result<u32, CheckpointError> {
        let last = self.numbers(field, 10)?.last().copied();
        let number = last.and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| malformed(self.pid, "status", field))
    }

    /// A set of bits: capabilities, signals.
    pub(crate) fn bits(&self, field: &'static str) -> Result<u64, CheckpointError> {
        let first = self.numbers(field, 16)?.first().copied();
        first.ok_or_else(|| malformed(self.pid, "status", field))
    }

    /// Four ids: real, effective, saved, file system.
    pub(crate) fn ids(&self, field: &'static str) -> Result<[u32; 4], CheckpointError> {
        let ids: Option<Vec<u32>> = self
            .numbers(field, 10)?
            .into_iter()
            .map(|id| u32::try_from(id).ok())
            .collect();
        ids.and_then(|ids| ids.try_into().ok())
            .ok_or_else(|| malformed(self.pid, "status", field))
    }
}

/// `/proc/pid/stat`: the fields behind the name, as `proc(5)` numbers them.
pub(crate) struct Stat {
    pid: u32,
    fields: Vec<String>,
}

impl Stat {
    pub(crate) fn read(pid: u32) -> Result<Self, CheckpointError> {
        let bytes = read(pid, "stat")?;
        // The name may hold spaces and parentheses: the last one closes it.
        let close = bytes.iter().rposition(|byte| *byte == b')');
        let rest = close
            .and_then(|close| bytes.get(close + 1..))
            .unwrap_or_default();
        let fields = String::from_utf8_lossy(rest)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        Ok(Self { pid, fields })
    }

    /// The process's state, one letter.
    pub(crate) fn state(&self) -> char {
        self.fields
            .first()
            .and_then(|field| field.chars().next())
            .unwrap_or('X')
    }

    /// A field by its number in `proc(5)`: the state is 3.
    pub(crate) fn number(&self, field: usize) -> Result<u64, CheckpointError> {
        let text = field
            .checked_sub(3)
            .and_then(|index| self.fields.get(index));
        let number = text.and_then(|text| text.parse().ok());
        number.ok_or_else(|| malformed(self.pid, "stat", "field of that number"))
    }
}
