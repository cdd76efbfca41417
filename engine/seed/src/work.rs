//! The thread that makes seeds: one order after the other, and in between what the nursery and templates on their way say.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Mutex, PoisonError};

use offshoot_checkpoint::{CheckpointError, Options, Report, checkpoint_reviewed};
use offshoot_clone::{Keeper, observe, setup_calls};
use offshoot_image::model::{Manifest, PageRange};
use offshoot_pool::{
    ImageName, Mount, NewImage, Pool, PoolConfig, RemoveError, load_or_create_key,
};
use offshoot_sandbox::ProgramRules;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::oneshot::Sender;

use crate::SeedError;
use crate::births::{Births, Order};
use crate::checked::Checked;
use crate::forge::{ForgeConfig, Freeze, Frozen, Learn};
use crate::recipes::Recipes;

/// An order, and whom to tell.
pub(crate) enum Work {
    Freeze(Freeze, Sender<Result<Frozen, SeedError>>),
    Warm(Order),
    Learn(Learn, Sender<Result<(), SeedError>>),
    Find(ImageName, Sender<bool>),
    List(Sender<Result<BTreeMap<ImageName, u64>, SeedError>>),
    Remove(ImageName, Sender<Result<(), SeedError>>),
    Discard(ImageName, Sender<Result<(), SeedError>>),
}

/// What the thread owns.
pub(crate) struct Workshop {
    pub(crate) pool: Pool,
    pub(crate) keeper: Keeper,
    pub(crate) recipes: Recipes,
    pub(crate) checked: Checked,
    /// What a sandbox makes of every clone.
    pub(crate) rules: ProgramRules,
    pub(crate) births: Births,
}

impl Workshop {
    pub(crate) fn open(config: &ForgeConfig) -> Result<Self, SeedError> {
        let key = load_or_create_key(&config.key_file)?;
        let pool = PoolConfig {
            dir: config.pool_dir.clone(),
            mount: Mount::Existing,
        };
        let arguments: Vec<&str> = config.arguments.iter().map(String::as_str).collect();
        Ok(Self {
            pool: Pool::open(&pool, key)?,
            keeper: Keeper::start(&config.program, &arguments)?,
            recipes: Recipes::default(),
            checked: Checked::default(),
            rules: ProgramRules::new(&setup_calls()),
            births: Births::new(),
        })
    }

    /// Works until there is nobody any more who could order.
    pub(crate) fn run(mut self, orders: &Receiver<Work>, bell: &OwnedFd) {
        let now = Timespec::default();
        loop {
            match orders.try_recv() {
                Ok(work) => {
                    self.do_work(work);
                    self.hear(bell, Some(&now));
                }
                Err(TryRecvError::Empty) => self.hear(bell, None),
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    /// Waits for the bell, for templates on their way, and for the nursery: how clones end is known by their pidfds, but a
    /// nursery that nobody hears stops reaping once its socket is full.
    fn hear(&mut self, bell: &OwnedFd, at_most: Option<&Timespec>) {
        let births = self.births.each();
        let mut ready: Vec<PollFd<'_>> = births
            .map(|birth| PollFd::from_borrowed_fd(birth, PollFlags::IN))
            .collect();
        let births = ready.len();
        ready.push(PollFd::new(bell, PollFlags::IN));
        let nursery = self.keeper.notices();
        ready.extend(nursery.map(|nursery| PollFd::from_borrowed_fd(nursery, PollFlags::IN)));
        if poll(&mut ready, at_most).is_err() {
            return;
        }
        let has_said: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
        if has_said[births] {
            let _ = rustix::io::read(bell, &mut [0_u8; 8]);
        }
        if has_said.get(births + 1) == Some(&true) {
            // Its end is logged there; another one is started for the next template.
            let _ = self.keeper.next_exit();
        }
        let places: Vec<usize> = (0..births).filter(|place| has_said[*place]).collect();
        self.attend(&places);
    }

    fn do_work(&mut self, work: Work) {
        // Who has given up waiting has no use for the result: a template is dropped, an image stays.
        match work {
            Work::Freeze(freeze, reply) => drop(reply.send(self.freeze(freeze))),
            Work::Warm(order) => self.order(order),
            Work::Learn(learn, reply) => drop(reply.send(self.learn(&learn))),
            Work::Find(name, reply) => drop(reply.send(self.pool.open_lineage(&name).is_ok())),
            Work::Discard(name, reply) => drop(reply.send(self.discard(&name))),
            Work::List(reply) => drop(reply.send(self.images())),
            Work::Remove(name, reply) => {
                drop(reply.send(self.remove(&name)));
            }
        }
    }

    fn freeze(&mut self, freeze: Freeze) -> Result<Frozen, SeedError> {
        self.clear(&freeze.name)?;
        let mut options = Options {
            name: freeze.name,
            external: freeze.external,
            leave_running: false,
            parent: freeze.parent,
            // Most templates have memory of their own, and those that are mapped have the files' pages of the files.
            for_mapping: false,
        };
        let findings = Mutex::default();
        let review = |manifest: &Manifest, image: &NewImage| {
            let found = freeze.secrets.review(manifest, image)?;
            *findings.lock().unwrap_or_else(PoisonError::into_inner) = found;
            Ok(())
        };
        let frozen = checkpoint_reviewed(freeze.pid, &options, &self.pool, &review);
        let report: Report = match frozen {
            Err(CheckpointError::Parent { name, .. }) => {
                tracing::warn!(image = %options.name, parent = %name, "the parent is gone; the image is whole");
                options.parent = None;
                checkpoint_reviewed(freeze.pid, &options, &self.pool, &review)?
            }
            frozen => frozen?,
        };
        let findings = findings.into_inner();
        Ok(Frozen {
            report,
            findings: findings.unwrap_or_else(PoisonError::into_inner),
        })
    }

    /// Removes an image that cannot be used, because it is damaged or its parent is gone.
    fn clear(&mut self, name: &ImageName) -> Result<(), SeedError> {
        if self.pool.open_lineage(name).is_ok() {
            return Ok(());
        }
        match self.remove(name) {
            Ok(()) | Err(SeedError::Remove(RemoveError::NotFound { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Notes which pages a clone has needed, in an image that has none of its own.
    fn learn(&mut self, learn: &Learn) -> Result<(), SeedError> {
        let Some(name) = learnt(&learn.name) else {
            return Ok(());
        };
        let lineage = self.pool.open_lineage(&learn.name)?;
        let profile = observe(learn.pid, &lineage.manifest)?;
        let (touched, written) = (pages(&profile.accessed), pages(&profile.dirty));
        let image = self.pool.create(&name)?;
        image.finish(&lineage.manifest.with_profile(lineage.image.id(), profile))?;
        self.recipes.forget(&learn.name);
        tracing::info!(image = %learn.name, touched, written, "a seed has learnt which pages clones need");
        Ok(())
    }

    fn remove(&mut self, name: &ImageName) -> Result<(), SeedError> {
        self.recipes.forget(name);
        self.checked.forget(name);
        if let Some(learnt) = learnt(name) {
            self.checked.forget(&learnt);
            match self.pool.remove(&learnt) {
                Ok(()) | Err(RemoveError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.pool.remove(name)?)
    }

    fn discard(&mut self, name: &ImageName) -> Result<(), SeedError> {
        loop {
            match self.remove(name) {
                // Each time round there is one image less.
                Err(SeedError::Remove(RemoveError::InUse { by, .. })) => {
                    self.discard(&of_learnt(by))?;
                }
                removed => return removed,
            }
        }
    }

    fn images(&self) -> Result<BTreeMap<ImageName, u64>, SeedError> {
        let mut images = BTreeMap::new();
        for listed in self.pool.list()? {
            *images.entry(of_learnt(listed.name)).or_default() += listed.stored_bytes;
        }
        Ok(images)
    }
}

pub(crate) fn pages(ranges: &[PageRange]) -> u64 {
    ranges.iter().map(|range| range.pages).sum()
}

/// What is added to an image's name for the one that knows which of its pages clones need.
const LEARNT: &str = ".learnt";

/// The image that knows which pages clones of another one need; none if that is a long name.
pub(crate) fn learnt(name: &ImageName) -> Option<ImageName> {
    ImageName::new(format!("{name}{LEARNT}")).ok()
}

/// The image that another one may belong to.
fn of_learnt(name: ImageName) -> ImageName {
    let base = name.as_str().strip_suffix(LEARNT);
    base.and_then(|base| ImageName::new(base).ok())
        .unwrap_or(name)
}
