//! Where the credentials of a role come from, and how they are answered.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::RoleSource;

/// Files of credentials are short, also with long session tokens.
const MOST_FILE_BYTES: u64 = 64 << 10;
/// Clients ask again some minutes before keys expire. Of keys without an end so much is promised.
const PROMISED: TimeDelta = TimeDelta::hours(1);

/// Keys as the configuration has them.
#[derive(Clone, PartialEq, Eq)]
pub struct StaticKeys {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
    /// Of temporary ones.
    pub session_token: Option<String>,
}

impl fmt::Debug for StaticKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StaticKeys")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Where they are.
#[derive(Debug)]
pub(super) enum Source {
    Keys(StaticKeys),
    File(PathBuf),
    /// A seed's: they open nothing, and are expired.
    Nothing,
}

/// Credentials as clients read them (ECS task roles).
#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    access_key_id: String,
    secret_access_key: String,
    /// STS calls it `SessionToken`. Empty for keys without.
    #[serde(default, alias = "SessionToken")]
    token: String,
    expiration: Option<String>,
}

/// What `aws sts assume-role` prints has the credentials one level down.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    #[serde(rename_all = "PascalCase")]
    Nested {
        credentials: Answer,
    },
    Flat(Answer),
}

/// Why there are none now. Said to the tenant too, so no path is told.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("the file with the role's credentials cannot be read")]
    Read(#[from] io::Error),
    #[error("the file with the role's credentials is longer than {MOST_FILE_BYTES} bytes")]
    TooLong,
    #[error(
        "the file with the role's credentials has no JSON object with AccessKeyId and SecretAccessKey"
    )]
    Malformed,
    #[error("the role's credentials have the expiration {0:?}, which is no time of RFC 3339")]
    Expiration(String),
    #[error("the role's credentials have expired and were not replaced")]
    Expired,
}

impl Source {
    pub(super) fn new(source: RoleSource) -> Self {
        match source {
            RoleSource::Keys(keys) => Self::Keys(keys),
            RoleSource::File(path) => Self::File(path),
        }
    }

    /// The credentials at this time. Blocks for the reading of a short file.
    pub(super) fn read(&self, now: DateTime<Utc>) -> Result<Answer, SourceError> {
        match self {
            Self::Keys(keys) => Ok(Answer {
                access_key_id: keys.access_key_id.clone(),
                secret_access_key: keys.secret_access_key.clone(),
                token: keys.session_token.clone().unwrap_or_default(),
                expiration: Some(text(now + PROMISED)),
            }),
            Self::File(path) => current(parse(&read_bounded(path)?)?, now),
            Self::Nothing => Ok(Answer {
                access_key_id: "offshoot-seed".to_owned(),
                secret_access_key: "clones-have-credentials".to_owned(),
                token: String::new(),
                expiration: Some(text(DateTime::UNIX_EPOCH)),
            }),
        }
    }
}

fn read_bounded(path: &PathBuf) -> Result<Vec<u8>, SourceError> {
    // A FIFO without a writer would block open(2) for ever.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file: File = File::options()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)?;
    let mut bytes = Vec::new();
    file.take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_FILE_BYTES {
        return Err(SourceError::TooLong);
    }
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Answer, SourceError> {
    // What serde says would quote the file.
    match serde_json::from_slice(bytes) {
        Ok(Document::Nested { credentials } | Document::Flat(credentials)) => Ok(credentials),
        Err(_) => Err(SourceError::Malformed),
    }
}

/// With an end that clients can read and that has not passed.
fn current(answer: Answer, now: DateTime<Utc>) -> Result<Answer, SourceError> {
    let expiration = match answer.expiration {
        None => now + PROMISED,
        Some(said) => match DateTime::parse_from_rfc3339(&said) {
            Ok(at) => at.to_utc(),
            Err(_) => return Err(SourceError::Expiration(said)),
        },
    };
    if expiration <= now {
        return Err(SourceError::Expired);
    }
    Ok(Answer {
        expiration: Some(text(expiration)),
        ..answer
    })
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: &str = "2026-03-01T12:00:00Z";

    fn read(text: &str) -> Result<Answer, SourceError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("role.json");
        std::fs::write(&path, text).unwrap();
        Source::File(path).read(NOW.parse().unwrap())
    }

    fn answer(token: &str, expiration: &str) -> Answer {
        Answer {
            access_key_id: "A".to_owned(),
            secret_access_key: "S".to_owned(),
            token: token.to_owned(),
            expiration: Some(expiration.to_owned()),
        }
    }

    #[test]
    fn files_of_both_kinds_are_read() {
        let flat = r#"{"AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2026-03-01T14:00:00+01:00"}"#;
        assert_eq!(read(flat).unwrap(), answer("T", "2026-03-01T13:00:00Z"));
        let sts = r#"{"Credentials":{"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T",
            "Expiration":"2026-03-01T13:00:00Z"},"AssumedRoleUser":{"Arn":"a"}}"#;
        assert_eq!(read(sts).unwrap(), answer("T", "2026-03-01T13:00:00Z"));
        let endless = r#"{"AccessKeyId":"A","SecretAccessKey":"S"}"#;
        assert_eq!(read(endless).unwrap(), answer("", "2026-03-01T13:00:00Z"));
    }

    #[test]
    fn unusable_files_are_told_without_a_word_of_theirs() {
        let with = |expiration: &str| {
            format!(r#"{{"AccessKeyId":"A","SecretAccessKey":"S","Expiration":"{expiration}"}}"#)
        };
        let error = |text: &str| read(text).unwrap_err();
        assert!(matches!(
            error(&with("2026-03-01T12:00:00Z")),
            SourceError::Expired
        ));
        assert!(matches!(error(&with("soon")), SourceError::Expiration(_)));
        let malformed = error(r#"{"AccessKeyId":"A","SecretKey":"sesame"}"#);
        assert!(!malformed.to_string().contains("sesame"), "{malformed}");
        let long = " ".repeat(MOST_FILE_BYTES as usize + 1);
        assert!(matches!(error(&long), SourceError::TooLong));
        let missing = Source::File("/nonexistent/role.json".into());
        let error = missing.read(NOW.parse().unwrap()).unwrap_err();
        assert!(
            matches!(error, SourceError::Read(_)) && !error.to_string().contains("nonexistent")
        );
    }

    #[test]
    fn keys_of_the_configuration_never_expire_and_a_seeds_have() {
        let keys = StaticKeys {
            access_key_id: "A".to_owned(),
            secret_access_key: "open sesame".to_owned(),
            session_token: None,
        };
        assert!(!format!("{keys:?}").contains("sesame"));
        let read = Source::Keys(keys).read(NOW.parse().unwrap()).unwrap();
        assert_eq!(read.secret_access_key, "open sesame");
        assert_eq!(read.expiration.as_deref(), Some("2026-03-01T13:00:00Z"));
        let seeds = Source::Nothing.read(NOW.parse().unwrap()).unwrap();
        assert_eq!(seeds.expiration.as_deref(), Some("1970-01-01T00:00:00Z"));
    }
}
