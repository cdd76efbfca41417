//! The state directory: `STATE_DIR/{lock, state.db, blobs/}`.

use std::collections::HashSet;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqlitePool;

use crate::blobs::{BlobError, Blobs};
use crate::error::StoreError;
use crate::lock::{DirLock, Locked};
use crate::sqlite::{BLOB_PREFIX, Database, SqliteQueue, SqliteRegistry, Unusable, Writer};

/// An open state directory. While it lives no other daemon can open it.
pub struct StateDir {
    path: PathBuf,
    writer: Writer,
    readers: SqlitePool,
    blobs: Blobs,
    _lock: DirLock,
}

impl StateDir {
    /// Opens or creates the state directory at `path` (mode 0700), locks it, checks the database and
    /// brings its schema up to date. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`] names the directory; a directory in use or unusable is left as it is.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        make_private(path)?;
        let lock = match DirLock::take(path).map_err(|source| OpenError::io(path, source))? {
            Locked::Ours(lock) => lock,
            Locked::Theirs(pid) => {
                return Err(OpenError::InUse {
                    dir: path.into(),
                    pid,
                });
            }
        };
        let blob_dir = path.join("blobs");
        make_private(&blob_dir)?;
        let blobs = Blobs::in_dir(&blob_dir)?;
        let opened = Database::open(&path.join("state.db")).await;
        let mut database = opened.map_err(|why| OpenError::unusable(path, why))?;
        let keep = database
            .referenced_blobs()
            .await
            .map_err(StoreError::from)?;
        sweep(&blob_dir.join(BLOB_PREFIX), &keep).map_err(|source| OpenError::io(path, source))?;
        let Database { conn, readers } = database;
        Ok(StateDir {
            path: path.into(),
            writer: Writer::start(conn),
            readers,
            blobs,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The documents.
    pub fn registry(&self) -> SqliteRegistry {
        SqliteRegistry {
            writer: self.writer.clone(),
            readers: self.readers.clone(),
        }
    }

    /// The event queue.
    pub fn queue(&self) -> SqliteQueue {
        SqliteQueue {
            writer: self.writer.clone(),
            readers: self.readers.clone(),
            blobs: self.blobs.clone(),
        }
    }

    /// The blobs. Keys below `queue/` belong to the queue.
    pub fn blobs(&self) -> Blobs {
        self.blobs.clone()
    }

    /// Finishes the writes that wait, folds the write-ahead log into the database and unlocks the
    /// directory. Later calls of the registry and the queue fail with [`StoreError::Closed`].
    pub async fn close(self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Why a state directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another daemon has it.
    #[error("state directory {} is in use by {}", .dir.display(), holder(*.pid))]
    InUse {
        /// Which directory.
        dir: PathBuf,
        /// The daemon's pid, if it could be read.
        pid: Option<u32>,
    },
    /// The directory belongs to another user.
    #[error("state directory {} belongs to user {owner}, not to {me}", .dir.display())]
    NotOurs {
        /// Which directory.
        dir: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who we are.
        me: u32,
    },
    /// A newer daemon changed the tables.
    #[error("state directory {} has schema {found}; this binary knows up to {known}", .dir.display())]
    NewerSchema {
        /// Which directory.
        dir: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest that this binary knows.
        known: i64,
    },
    /// `state.db` is a database of another program.
    #[error("{}/state.db belongs to another program (application id {application_id:#x})", .dir.display())]
    Foreign {
        /// Which directory.
        dir: PathBuf,
        /// The id in the file.
        application_id: i64,
    },
    /// SQLite's check of the database failed.
    #[error("{}/state.db is damaged: {finding}", .dir.display())]
    Damaged {
        /// Which directory.
        dir: PathBuf,
        /// First finding of the check.
        finding: String,
    },
    /// The file system refused.
    #[error("cannot prepare state directory {}", .dir.display())]
    Io {
        /// Which directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The blob directory cannot be used.
    #[error("cannot open the blobs of the state directory")]
    Blobs(#[from] BlobError),
    /// The database cannot be used.
    #[error("cannot open the state database")]
    Store(#[from] StoreError),
}

impl OpenError {
    fn io(dir: &Path, source: io::Error) -> Self {
        OpenError::Io {
            dir: dir.into(),
            source,
        }
    }

    fn unusable(dir: &Path, why: Unusable) -> Self {
        let dir = dir.into();
        match why {
            Unusable::Newer { found, known } => OpenError::NewerSchema { dir, found, known },
            Unusable::Foreign { application_id } => OpenError::Foreign {
                dir,
                application_id,
            },
            Unusable::Damaged { finding } => OpenError::Damaged { dir, finding },
            Unusable::Store(StoreError::Damaged { source }) => OpenError::Damaged {
                dir,
                finding: source.to_string(),
            },
            Unusable::Store(error) => OpenError::Store(error),
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

/// Makes `dir` a directory that only we can enter.
fn make_private(dir: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::io(dir, source);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io)?;
    let meta = std::fs::metadata(dir).map_err(io)?;
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        return Err(OpenError::NotOurs {
            dir: dir.into(),
            owner: meta.uid(),
            me,
        });
    }
    if meta.mode() & 0o077 != 0 {
        std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(io)?;
    }
    Ok(())
}

/// Removes payloads of events that are gone, and staging files of puts that a crash cut off.
fn sweep(dir: &Path, keep: &HashSet<String>) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let key = entry
            .file_name()
            .into_string()
            .map(|name| format!("{BLOB_PREFIX}/{name}"));
        if entry.file_type()?.is_file() && key.map_or(true, |key| !keep.contains(&key)) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
