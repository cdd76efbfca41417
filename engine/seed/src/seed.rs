//! A resident seed: a template that makes clones.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use offshoot_clone::{
    Cloned, Failure, Fork, ForkError, Memory, SandboxJoin, Substituted, Template, Who,
};
use offshoot_image::ImageId;
use offshoot_pool::ImageName;

/// A seed whose template waits.
#[derive(Debug)]
pub struct Seed {
    template: Mutex<Template>,
    /// Callers of [`Seed::fork`].
    waiting: AtomicU32,
    needs: Vec<Substituted>,
    about: About,
    memory: Memory,
    pid: i32,
}

/// What is known of a seed's image.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) name: ImageName,
    pub(crate) image: ImageId,
    /// How much of the pool it takes, without its parent's.
    pub(crate) stored_bytes: u64,
    /// Whether it is known which pages clones need.
    pub(crate) is_learnt: bool,
    /// What each clone is given of its own when it is made.
    pub(crate) copied_bytes: u64,
    /// The image of which it stores only the difference.
    pub(crate) parent: Option<ImageName>,
}

/// What a clone is given.
#[derive(Debug)]
pub struct Given<'a> {
    /// Where it goes.
    pub sandbox: SandboxJoin<'a>,
    /// Who it becomes.
    pub who: Who,
    /// The file for descriptors that come from outside, by their number: what the seed had there was opened for it.
    pub files: &'a [(u32, BorrowedFd<'a>)],
    /// If there is one, the clone waits with its pages brought in until eight bytes can be read from it.
    pub park: Option<BorrowedFd<'a>>,
    /// Whether it is watched, so that [`Forge::learn`](crate::Forge::learn) can tell which pages it has needed. Such a
    /// clone is slower, and has one descriptor more.
    pub watch: bool,
}

impl Seed {
    pub(crate) fn new(template: Template, about: About, memory: Memory) -> Self {
        Self {
            pid: template.pid(),
            needs: template.needs().to_vec(),
            template: Mutex::new(template),
            waiting: AtomicU32::new(0),
            about,
            memory,
        }
    }

    /// The descriptors that its clones are given, by number.
    pub fn needs(&self) -> &[Substituted] {
        &self.needs
    }

    /// Whether it is known which pages its clones need.
    pub fn is_learnt(&self) -> bool {
        self.about.is_learnt
    }

    /// Memory that each clone has of its own from its beginning, in bytes: pages that clones write are copied by `fork`. No
    /// control group is charged for them: the clone is in none yet when the kernel copies them (`copy_present_page`).
    pub fn copied_bytes(&self) -> u64 {
        self.about.copied_bytes
    }

    /// Where its pages live, as it was asked for: those that cannot be mapped are its own all the same.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// Its image's name.
    pub fn name(&self) -> &ImageName {
        &self.about.name
    }

    /// Its image.
    pub fn image(&self) -> ImageId {
        self.about.image
    }

    /// The image of which its own stores only the difference.
    pub fn parent(&self) -> Option<&ImageName> {
        self.about.parent.as_ref()
    }

    /// How much of the pool its image takes, without its parent's.
    pub fn stored_bytes(&self) -> u64 {
        self.about.stored_bytes
    }

    /// Its template's process.
    pub fn template_pid(&self) -> i32 {
        self.pid
    }

    /// What a clone has said that failed on its way, if it has.
    pub fn failure_of(&self, token: u64) -> Option<Failure> {
        let mut template = self.template.lock().unwrap_or_else(PoisonError::into_inner);
        template.failure_of(token)
    }

    /// The clones that it is asked for now: the one that is being made, and those after it.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Makes a clone: when this returns its process exists. A parked one is ready then. Blocks for some hundred
    /// microseconds.
    ///
    /// # Errors
    /// See [`ForkError`]. After [`ForkError::Ended`], [`ForkError::Silent`] and [`ForkError::Talk`] the template is no good
    /// any more.
    pub fn fork(&self, given: &Given<'_>) -> Result<Cloned, ForkError> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let cloned = self.fork_in_turn(given);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        cloned
    }

    fn fork_in_turn(&self, given: &Given<'_>) -> Result<Cloned, ForkError> {
        let mut template = self.template.lock().unwrap_or_else(PoisonError::into_inner);
        // The numbers of duplicates that are not given get the file of the one that is.
        let wanted: Vec<u32> = self.needs.iter().map(|need| need.number).collect();
        let files: Vec<(u32, BorrowedFd<'_>)> = given
            .files
            .iter()
            .filter(|(number, _)| wanted.contains(number))
            .copied()
            .collect();
        let fork = Fork {
            substitutions: &files,
            sandbox: Some(SandboxJoin {
                pidfd: given.sandbox.pidfd,
                namespaces: given.sandbox.namespaces,
                cgroup: given.sandbox.cgroup,
                tasks: given.sandbox.tasks,
            }),
            park: given.park,
            confirm: false,
            who: Some(given.who),
            watch: given.watch,
        };
        let cloned = template.fork(&fork)?;
        if given.park.is_some() {
            template.await_parked(&cloned)?;
        }
        Ok(cloned)
    }
}
