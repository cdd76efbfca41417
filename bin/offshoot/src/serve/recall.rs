//! Which templates were at hand, for the next daemon: a list in the state directory.
//!
//! It is a hint. Nothing is lost with it, and what it says is believed as far as the catalog and the images agree.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use offshoot_dispatch::Dispatch;
use offshoot_node::Node;
use offshoot_porter::Porter;
use serde::{Deserialize, Serialize};

/// Written at most so often.
const PAUSE: Duration = Duration::from_secs(1);
/// Longer lists are no lists of ours.
const MOST_BYTES: u64 = 4 << 20;
/// Beyond, those that were called least lately are left out.
const MOST: usize = 10_000;

/// A version that had a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Resident {
    function: String,
    version: String,
}

/// The list, and who knows what belongs on it.
pub(super) struct Recall {
    file: PathBuf,
    porter: Arc<Porter<Node>>,
}

impl Recall {
    pub(super) fn new(state_dir: &Path, porter: &Arc<Porter<Node>>) -> Self {
        Self {
            file: state_dir.join("templates.json"),
            porter: Arc::clone(porter),
        }
    }

    /// Tells the porter of the versions on the list.
    pub(super) fn recall(&self, dispatch: &Dispatch) {
        let listed = match read(&self.file) {
            Ok(listed) => listed,
            Err(error) => {
                let file = self.file.display();
                return tracing::warn!(%file, %error, "templates of the last daemon are not made again");
            }
        };
        for Resident { function, version } in &listed {
            if let Err(error) = dispatch.recall(function, version) {
                tracing::debug!(function, version, %error, "it had a template and is gone");
            }
        }
    }

    /// Keeps the list up to date, for ever.
    pub(super) async fn keep(&self) {
        loop {
            self.porter.resident_changed().await;
            tokio::time::sleep(PAUSE).await;
            self.write();
        }
    }

    /// Writes the list; a few milliseconds for thousands of versions.
    pub(super) fn write(&self) {
        let resident = self.porter.resident().into_iter().take(MOST);
        let listed: Vec<_> = resident
            .map(|(function, version)| Resident {
                function: function.to_string(),
                version: version.to_string(),
            })
            .collect();
        if let Err(error) = write(&self.file, &listed) {
            let file = self.file.display();
            tracing::warn!(%file, %error, "cannot note which templates are at hand");
        }
    }
}

fn read(file: &Path) -> io::Result<Vec<Resident>> {
    let opened = match fs::File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    opened.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// As a whole or not at all.
fn write(file: &Path, listed: &[Resident]) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, serde_json::to_vec(listed)?)?;
    fs::rename(new, file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_written_is_read_and_anything_else_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("templates.json");
        assert_eq!(read(&file).unwrap(), []);
        let one = Resident {
            function: "f".to_owned(),
            version: "$LATEST".to_owned(),
        };
        write(&file, std::slice::from_ref(&one)).unwrap();
        assert_eq!(read(&file).unwrap(), [one]);
        for bad in ["", "{}", "[1]", "[{\"function\":\"f\"}]"] {
            fs::write(&file, bad).unwrap();
            assert!(read(&file).is_err(), "{bad}");
        }
    }
}
