//! The forge, as its callers have it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use offshoot_checkpoint::Report;
use offshoot_clone::{FileUser, Memory};
use offshoot_pool::ImageName;
use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::oneshot;

use crate::births::Order;
use crate::secrets::{Finding, Secrets};
use crate::work::{Work, Workshop};
use crate::{Seed, SeedError};

/// Where images live, and who makes templates of them.
#[derive(Debug, Clone)]
pub struct ForgeConfig {
    /// The directory of the images; made if it is not there.
    pub pool_dir: PathBuf,
    /// The key that images are sealed with; made if it is not there.
    pub key_file: PathBuf,
    /// The program that becomes the nursery of templates: it must call `offshoot_clone::nursery::main`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// A process that shall become an image.
#[derive(Debug)]
pub struct Freeze {
    /// The image's name.
    pub name: ImageName,
    /// The process; it is ended.
    pub pid: u32,
    /// The descriptors that each clone will be given.
    pub external: BTreeSet<u32>,
    /// The image of which it stores only the difference.
    pub parent: Option<ImageName>,
    /// What must not be in the image.
    pub secrets: Secrets,
}

/// What came of it.
#[derive(Debug)]
pub struct Frozen {
    /// The image.
    pub report: Report,
    /// What looks like a secret in it, and did not refuse it.
    pub findings: Vec<Finding>,
}

/// An image that shall become a template.
#[derive(Debug)]
pub struct Warm {
    /// The image.
    pub name: ImageName,
    /// The root directory in which the files are that the process had mapped.
    pub root: OwnedFd,
    /// Who opens them.
    pub files_as: FileUser,
    /// Where its pages live.
    pub memory: Memory,
}

/// A clone that was [watched](crate::Given::watch).
#[derive(Debug)]
pub struct Learn {
    /// The image of which it is a clone.
    pub name: ImageName,
    /// Its process, which waits after its first answer.
    pub pid: i32,
}

/// Makes seeds. Dropping it ends the nursery; seeds that are resident, and clones, live on.
#[derive(Debug)]
pub struct Forge {
    work: Option<mpsc::Sender<Work>>,
    bell: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Forge {
    /// Opens the pool and starts the nursery.
    ///
    /// # Errors
    /// [`SeedError`] says what is missing.
    pub fn start(config: &ForgeConfig) -> Result<Self, SeedError> {
        let workshop = Workshop::open(config)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC).map_err(|_| SeedError::Thread)?;
        let (work, orders) = mpsc::channel();
        let heard = bell.try_clone().map_err(|_| SeedError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("seeds".to_owned())
            .spawn(move || workshop.run(&orders, &heard))
            .map_err(|_| SeedError::Thread)?;
        Ok(Self {
            work: Some(work),
            bell,
            thread: Some(thread),
        })
    }

    /// Makes an image of a process, and ends the process. On an error it goes on, and there is no image.
    ///
    /// # Errors
    /// See [`SeedError`].
    pub async fn freeze(&self, freeze: Freeze) -> Result<Frozen, SeedError> {
        self.ask(|reply| Work::Freeze(freeze, reply)).await?
    }

    /// Makes a template of an image.
    ///
    /// # Errors
    /// See [`SeedError`].
    pub async fn template(&self, warm: Warm) -> Result<Seed, SeedError> {
        self.ask(|reply| Work::Warm(Order { warm, reply })).await?
    }

    /// Notes which pages a clone has needed: the next template has them ready for its clones.
    ///
    /// # Errors
    /// See [`SeedError`].
    pub async fn learn(&self, learn: Learn) -> Result<(), SeedError> {
        self.ask(|reply| Work::Learn(learn, reply)).await?
    }

    /// Whether there is an image of that name.
    ///
    /// # Errors
    /// [`SeedError::Thread`].
    pub async fn has(&self, name: ImageName) -> Result<bool, SeedError> {
        self.ask(|reply| Work::Find(name, reply)).await
    }

    /// Removes an image. Templates that were made of it go on.
    ///
    /// # Errors
    /// See [`SeedError`].
    pub async fn remove(&self, name: ImageName) -> Result<(), SeedError> {
        self.ask(|reply| Work::Remove(name, reply)).await?
    }

    /// Removes an image that is no good, and those that store only their difference to it: they are none without it.
    ///
    /// # Errors
    /// See [`SeedError`].
    pub async fn discard(&self, name: ImageName) -> Result<(), SeedError> {
        self.ask(|reply| Work::Discard(name, reply)).await?
    }

    /// The images that there are, with what belongs to them: by name, and how much of the pool each takes, in bytes.
    ///
    /// # Errors
    /// [`SeedError::Thread`], or the pool's.
    pub async fn images(&self) -> Result<BTreeMap<ImageName, u64>, SeedError> {
        self.ask(Work::List).await?
    }

    async fn ask<T>(&self, work: impl FnOnce(oneshot::Sender<T>) -> Work) -> Result<T, SeedError> {
        let (reply, answer) = oneshot::channel();
        let sender = self.work.as_ref().ok_or(SeedError::Thread)?;
        sender.send(work(reply)).map_err(|_| SeedError::Thread)?;
        self.ring();
        answer.await.map_err(|_| SeedError::Thread)
    }

    fn ring(&self) {
        // It fails only when the counter is full, and then the thread is being rung already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        drop(self.work.take());
        self.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
