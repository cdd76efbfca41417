//! Failures of the store itself, as opposed to refusals by its rules.

use std::sync::Arc;

use crate::blobs::BlobError;

/// Why the store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The file system of the state directory is full. Nothing was written; later calls may work.
    #[error("no space left for the state database")]
    DiskFull,
    /// The database file is not what SQLite wrote.
    #[error("state database is damaged")]
    Damaged {
        /// What SQLite said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A write or sync failed below SQLite. After a failed `fsync` the kernel may have dropped the
    /// dirty pages (Rebello et al., USENIX ATC 2020), so a retry could report success for lost data: the writer
    /// refuses everything until the daemon is started again.
    #[error("state database stopped after a failed write; restart after checking the disk")]
    Stopped,
    /// The state directory was closed.
    #[error("state directory is closed")]
    Closed,
    /// Any other failure of SQLite.
    #[error("state database failed")]
    Database {
        /// What SQLite said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A payload in the blob store could not be written or removed.
    #[error("blob store failed")]
    Blob(#[from] BlobError),
}

// Primary result codes, https://www.sqlite.org/rescode.html
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

/// The primary SQLite result code of `error`, if SQLite made it.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    let extended: i32 = code.parse().ok()?;
    Some(extended & 0xff)
}

/// Whether `error` leaves it unknown what is on disk.
pub(crate) fn is_io_failure(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(SQLITE_IOERR)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match primary_code(&error) {
            Some(SQLITE_FULL) => StoreError::DiskFull,
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => StoreError::Damaged {
                source: Arc::new(error),
            },
            _ => StoreError::Database {
                source: Arc::new(error),
            },
        }
    }
}
