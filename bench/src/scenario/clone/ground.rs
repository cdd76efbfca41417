//! What all seeds share: a pool, a sandbox, the files of the seeds.

use std::path::{Path, PathBuf};

use anyhow::Context;
use offshoot_pool::{Mount, Pool, PoolConfig, load_or_create_key};
use offshoot_sys::fds;
use offshoot_sys::namespace::{Namespaces, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use tempfile::TempDir;

use super::sandbox::Sandbox;
use super::workshop::Workshop;
use crate::bench::Bench;

/// A limit, not a reservation; images of all seeds fit.
const POOL_BYTES: u64 = 8 << 30;

/// Dropping it removes everything from the kernel and from the disk, but for fetched packages.
#[derive(Debug)]
pub(super) struct Ground {
    /// The program that has the nursery of templates.
    pub(super) program: PathBuf,
    pub(super) quick: bool,
    pub(super) workshop: Workshop,
    pub(super) sandbox: Sandbox,
    pool: Option<Pool>,
    // Behind the pool, which lies in it.
    _folder: TempDir,
}

impl Ground {
    /// Changes the calling thread: it gets mounts of its own.
    pub(super) fn prepare(bench: &Bench<'_>) -> anyhow::Result<Self> {
        // What whoever started us has left open would become part of the images.
        fds::cloexec_from(3).context("cannot mark descriptors close-on-exec")?;
        unshare(Namespaces::MOUNT).context("cannot make a mount namespace; are you root?")?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).context("cannot make mounts private")?;
        let folder = tempfile::tempdir()?;
        let packages = bench.args.workloads_dir.join("../target/bench-python");
        let workshop = Workshop::open(folder.path().join("seeds"), packages)?;
        let sandbox = Sandbox::make()?;
        Ok(Self {
            program: bench.program().to_owned(),
            quick: bench.args.quick,
            workshop,
            sandbox,
            pool: Some(open_pool(folder.path())?),
            _folder: folder,
        })
    }

    pub(super) fn pool(&self) -> anyhow::Result<&Pool> {
        self.pool.as_ref().context("the pool is gone")
    }

    /// Removes everything, and says if that does not work.
    pub(super) fn clear(mut self) -> anyhow::Result<()> {
        let pool = self.pool.take().context("the pool is gone")?;
        Ok(pool.unmount(true)?)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.pool.take().map(|pool| pool.unmount(true)) {
            eprintln!("bench: {error}");
        }
    }
}

fn open_pool(folder: &Path) -> anyhow::Result<Pool> {
    let key = load_or_create_key(&folder.join("key"))?;
    let config = PoolConfig {
        dir: folder.join("pool"),
        mount: Mount::Tmpfs {
            size_bytes: POOL_BYTES,
        },
    };
    Ok(Pool::open(&config, key)?)
}
