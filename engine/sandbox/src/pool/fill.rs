//! The filler: the one task that makes ghosts ahead, one after the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::build::{Parts, build};
use super::states::Ghost;
use crate::error::CreateError;
use crate::launcher::Shared;

/// How long it rests after a failure, at first and at most: what failed will likely fail again.
const FIRST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// The running filler.
#[derive(Debug)]
pub(crate) struct Filler(JoinHandle<()>);

impl Filler {
    pub(crate) fn start(shared: Arc<Shared>) -> Self {
        Self(tokio::spawn(run(shared)))
    }

    /// Ends it, and waits until what it was making is given up.
    pub(crate) async fn end(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

/// A launcher that is dropped without being shut down must not live on in its filler.
impl Drop for Filler {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(shared: Arc<Shared>) {
    let mut rest = FIRST_REST;
    loop {
        let wanted = shared.pool.shelf().wants();
        let Some(egress) = wanted else {
            shared.pool.changed.notified().await;
            continue;
        };
        match fill(&shared, egress).await {
            Ok(ghost) => {
                drop(shared.pool.put(ghost));
                rest = FIRST_REST;
            }
            Err(CreateError::NurseryGone) => return,
            Err(error) => {
                warn(&error, egress);
                tokio::time::sleep(rest).await;
                rest = (rest * 2).min(LONGEST_REST);
            }
        }
    }
}

fn warn(error: &CreateError, egress: bool) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(error, egress, "a ghost sandbox could not be made ahead");
}

async fn fill(shared: &Arc<Shared>, egress: bool) -> Result<Ghost, CreateError> {
    let parts = Parts::fresh(shared, egress)?;
    build(shared, parts, true).await.map(Ghost)
}
