//! Why a configuration is refused, and where the fault stands.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A place in a file; line and column count from one, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Location {
    /// The place of byte `offset` of `text`.
    pub fn of(file: &std::path::Path, text: &str, offset: usize) -> Self {
        let before: String = text
            .char_indices()
            .take_while(|(index, _)| *index < offset)
            .map(|(_, character)| character)
            .collect();
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        Self {
            file: file.to_owned(),
            line,
            column,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nobody said anything else.
    Default,
    /// A line of the file.
    File(Location),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(location) => location.fmt(f),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be opened or read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is a directory, FIFO, device or socket.
    #[error("the configuration file {} is {what}, not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What stands there.
        what: &'static str,
    },
    /// It is too large to be a configuration.
    #[error("the configuration file {} is larger than 1 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no text.
    #[error("the configuration file {} is not UTF-8 from byte {offset} on", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first byte that is none.
        offset: usize,
    },
    /// It is not TOML, or names a key twice.
    #[error("{at}: {message}")]
    Syntax {
        /// Where.
        at: Location,
        /// What the parser says.
        message: String,
    },
    /// A section, key or variable that does not exist.
    #[error("{place}: unknown {what} {name}")]
    Unknown {
        /// Where.
        place: Place,
        /// `section`, `key` or `setting`.
        what: &'static str,
        /// Its name.
        name: String,
        /// The existing name that is nearest, if one is near.
        suggestion: Option<String>,
    },
    /// A value that a key cannot have.
    #[error("{place}: {key} {problem}")]
    Value {
        /// Where.
        place: Place,
        /// `section.key`.
        key: String,
        /// What is wrong, as the rest of a sentence that begins with the key.
        problem: String,
        /// What to write instead.
        suggestion: Option<String>,
    },
    /// Requests without a signature could come from outside.
    #[error(
        "{place}: server.listen is {listen}, which other machines can reach, but there are no access keys: \
             anyone there could run code as functions"
    )]
    Exposed {
        /// Where the address stands.
        place: Place,
        /// The address.
        listen: SocketAddr,
    },
}

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { suggestion: Some(name), .. } => Some(format!("did you mean {name}?")),
            Self::Value { suggestion, .. } => suggestion.clone(),
            Self::Exposed { .. } => Some(
                "listen on 127.0.0.1, or set [auth] access_keys = [{ id = \"...\", secret = \"<40 characters>\" }]"
                    .to_owned(),
            ),
            Self::Unknown { .. } => Some("`offshoot config show` lists every key".to_owned()),
            Self::TooLarge { .. } | Self::NotAFile { .. } | Self::NotUtf8 { .. } => {
                Some("name a TOML file with --config or OFFSHOOT_CONFIG".to_owned())
            }
            Self::Read { .. } | Self::Syntax { .. } => None,
        }
    }
}
