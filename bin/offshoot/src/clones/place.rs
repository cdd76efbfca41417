//! Where images live.

use std::path::{Path, PathBuf};

use clap::Args;
use offshoot_pool::{ImageName, Mount, OpenError, Pool, PoolConfig, load_or_create_key};

use crate::report::{Failure, Kind};

const DEFAULT_POOL: &str = "/run/offshoot/pool";
const DEFAULT_KEY: &str = "/var/lib/offshoot/image.key";

/// The pool, and the key of its images.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// Where images live: any directory, tmpfs or DAX mount [default: a tmpfs at /run/offshoot/pool]
    #[arg(long, global = true, value_name = "DIR", env = "OFFSHOOT_POOL")]
    pool: Option<PathBuf>,
    /// The key that images are sealed with; made if it does not exist
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_KEY, env = "OFFSHOOT_IMAGE_KEY")]
    key: PathBuf,
}

impl PlaceArgs {
    /// Opens the pool.
    pub fn open(&self) -> Result<Pool, Failure> {
        let unready = |error: &dyn std::error::Error| Failure::from_error(Kind::Environment, error);
        if let Some(folder) = self.key.parent() {
            std::fs::create_dir_all(folder).map_err(|error| unready(&error))?;
        }
        let key = load_or_create_key(&self.key).map_err(|error| unready(&error))?;
        let config = match &self.pool {
            Some(dir) => PoolConfig {
                dir: dir.clone(),
                mount: Mount::Existing,
            },
            None => PoolConfig {
                dir: Path::new(DEFAULT_POOL).to_owned(),
                mount: Mount::Tmpfs {
                    size_bytes: half_of_memory(),
                },
            },
        };
        Pool::open(&config, key).map_err(|error| unready(&error))
    }
}

/// As much as a tmpfs takes by default (`tmpfs(5)`): pages that no image holds cost nothing.
fn half_of_memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram as u64 * u64::from(info.mem_unit) / 2
}

/// A name, checked.
pub fn name(text: &str) -> Result<ImageName, Failure> {
    ImageName::new(text).map_err(|error| Failure::from_error(Kind::Usage, &error))
}

/// An image that could not be opened.
pub fn unopened(error: &OpenError) -> Failure {
    let kind = match error {
        OpenError::NotFound { .. } => Kind::NotFound,
        _ => Kind::Failed,
    };
    Failure::from_error(kind, error)
}
