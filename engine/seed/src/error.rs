//! Why there is no seed.

use crate::Found;
use offshoot_checkpoint::CheckpointError;
use offshoot_clone::{NurseryError, ObserveError, TemplateError};
use offshoot_pool::{ImageName, KeyError, OpenError, PoolError, RemoveError, WriteError};

/// Why a seed could not be made, found or removed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The key of the images cannot be read or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The pool cannot be opened.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The nursery of templates cannot be started.
    #[error(transparent)]
    Nursery(#[from] NurseryError),
    /// The thread that makes seeds cannot be started, or has ended.
    #[error("the thread that makes seeds is not there")]
    Thread,
    /// The sandbox in which a template's files are cannot be entered.
    #[error("cannot open the root directory of a sandbox")]
    Root(#[source] std::io::Error),
    /// The process could not be made an image.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// It has secrets in its memory.
    #[error(transparent)]
    Secrets(Box<Found>),
    /// The image cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No template came of the image.
    #[error("image {name} gives no template")]
    Template {
        /// The image.
        name: ImageName,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// A clone cannot be looked at.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// What a clone has needed cannot be written down.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The image cannot be removed.
    #[error(transparent)]
    Remove(#[from] RemoveError),
}

impl From<CheckpointError> for SeedError {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Rejected { name, source } => match source.downcast::<Found>() {
                Ok(found) => Self::Secrets(found),
                Err(source) => Self::Checkpoint(CheckpointError::Rejected { name, source }),
            },
            error => Self::Checkpoint(error),
        }
    }
}

impl SeedError {
    /// Whether the image that was to be used is no good: it is damaged or gone, or of another machine.
    pub fn is_of_image(&self) -> bool {
        matches!(
            self,
            Self::Open(_)
                | Self::Template {
                    source: TemplateError::Refused(_),
                    ..
                }
        )
    }

    /// Whether it will fail again, because of what the process is.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Secrets(_)
                | Self::Checkpoint(CheckpointError::Refused(_) | CheckpointError::Files(_))
                | Self::Template {
                    source: TemplateError::Refused(_),
                    ..
                }
        )
    }
}
