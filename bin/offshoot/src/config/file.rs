//! The file: found, read with a bound, and taken apart.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Location, Place};
use super::schema::{self, KEYS};
use super::value::Value;
use crate::nearest::nearest;

const MAX_BYTES: u64 = 1 << 20;

/// The text of a file that is regular and of a bounded size.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    // A FIFO without a writer would block open(2) for ever.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(failed)?;
    let kind = file.metadata().map_err(failed)?.file_type();
    if !kind.is_file() {
        return Err(ConfigError::NotAFile {
            path: path.to_owned(),
            what: describe(kind),
        });
    }
    let bytes = read_bounded(file).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
        });
    }
    String::from_utf8(bytes).map_err(|error| ConfigError::NotUtf8 {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })
}

fn read_bounded(file: File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn describe(kind: std::fs::FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// The values of a file, each with the index of its key in [`KEYS`].
pub fn parse(path: &Path, text: &str) -> Result<Vec<(usize, Value, Place)>, ConfigError> {
    let source = Source { path, text };
    let document = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        at: source.at(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut values = Vec::new();
    for (name, value) in document.get_ref() {
        let section = source.section(name)?;
        let DeValue::Table(table) = value.get_ref() else {
            return Err(ConfigError::Value {
                place: source.place(name.span().start),
                key: section.to_owned(),
                problem: "is a section, not a value".to_owned(),
                suggestion: Some(format!(
                    "write [{section}] on a line of its own, and its keys below"
                )),
            });
        };
        for (name, value) in table {
            values.push(source.value(section, name, value)?);
        }
    }
    Ok(values)
}

struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn at(&self, offset: usize) -> Location {
        Location::of(self.path, self.text, offset)
    }

    fn place(&self, offset: usize) -> Place {
        Place::File(self.at(offset))
    }

    fn section(&self, name: &Spanned<impl AsRef<str>>) -> Result<&'static str, ConfigError> {
        let sections = schema::sections();
        let wanted = name.get_ref().as_ref();
        if let Some(section) = sections.iter().find(|section| **section == wanted) {
            return Ok(section);
        }
        // A key without its section is the likelier slip: name where it belongs.
        let home = KEYS.iter().find(|key| key.name == wanted);
        let suggestion = match home {
            Some(key) => Some(format!("{} in section [{}]", key.name, key.section)),
            None => nearest(wanted, sections).map(|near| format!("[{near}]")),
        };
        Err(ConfigError::Unknown {
            place: self.place(name.span().start),
            what: if home.is_some() {
                "top-level key"
            } else {
                "section"
            },
            name: wanted.to_owned(),
            suggestion,
        })
    }

    fn value(
        &self,
        section: &str,
        name: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(usize, Value, Place), ConfigError> {
        let wanted = name.get_ref().as_ref();
        let Some(index) = schema::find(section, wanted) else {
            let keys = KEYS
                .iter()
                .filter(|key| key.section == section)
                .map(|key| key.name);
            return Err(ConfigError::Unknown {
                place: self.place(name.span().start),
                what: "key",
                name: format!("{section}.{wanted}"),
                suggestion: nearest(wanted, keys).map(str::to_owned),
            });
        };
        let place = self.place(value.span().start);
        match KEYS[index].kind.read_toml(value.get_ref()) {
            Ok(read) => Ok((index, self.anchored(read), place)),
            Err(fault) => Err(ConfigError::Value {
                place,
                key: KEYS[index].path(),
                problem: fault.problem,
                suggestion: fault.suggestion,
            }),
        }
    }

    /// A relative path in a file means: beside the file.
    fn anchored(&self, value: Value) -> Value {
        match value {
            Value::Path(relative) if relative.is_relative() => {
                let dir = self.path.parent().unwrap_or(Path::new("")).join(relative);
                Value::Path(
                    std::path::absolute(&dir).unwrap_or_else(|_| PathBuf::from("/").join(dir)),
                )
            }
            other => other,
        }
    }
}
