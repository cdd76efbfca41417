//! The thread that makes seeds: one order after the other, and in between the nursery's reports.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};

use offshoot_checkpoint::{CheckpointError, Options, Report, checkpoint_reviewed};
use offshoot_clone::{
    Confinement, Keeper, PathRules, Recipe, Template, TemplateSpec, observe, setup_calls,
};
use offshoot_image::model::{Manifest, PAGE_BYTES, PageRange};
use offshoot_pool::{
    ImageName, Lineage, Mount, NewImage, OpenImage, Pool, PoolConfig, RemoveError,
    load_or_create_key,
};
use offshoot_sandbox::ProgramRules;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::oneshot::Sender;

use crate::checked::Checked;
use crate::forge::{ForgeConfig, Freeze, Frozen, Learn, Warm};
use crate::recipes::{Files, Known, Recipes};
use crate::seed::About;
use crate::{Seed, SeedError};

/// An order, and whom to tell.
pub(crate) enum Work {
    Freeze(Freeze, Sender<Result<Frozen, SeedError>>),
    Warm(Warm, Sender<Result<Seed, SeedError>>),
    Learn(Learn, Sender<Result<(), SeedError>>),
    Find(ImageName, Sender<bool>),
    List(Sender<Result<BTreeMap<ImageName, u64>, SeedError>>),
    Remove(ImageName, Sender<Result<(), SeedError>>),
    Discard(ImageName, Sender<Result<(), SeedError>>),
}

/// What the thread owns.
pub(crate) struct Workshop {
    pool: Pool,
    keeper: Keeper,
    recipes: Recipes,
    checked: Checked,
    /// What a sandbox makes of every clone.
    rules: ProgramRules,
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
        })
    }

    /// Works until there is nobody any more who could order.
    pub(crate) fn run(mut self, orders: &Receiver<Work>, bell: &OwnedFd) {
        loop {
            match orders.try_recv() {
                Ok(work) => self.do_work(work),
                Err(TryRecvError::Empty) => self.wait(bell),
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    /// Waits for the bell. Hears the nursery meanwhile: how clones end is known by their pidfds, but a nursery that
    /// nobody hears stops reaping once its socket is full.
    fn wait(&mut self, bell: &OwnedFd) {
        let mut ready = vec![PollFd::new(bell, PollFlags::IN)];
        let nursery = self.keeper.notices();
        ready.extend(
            nursery
                .iter()
                .map(|nursery| PollFd::new(nursery, PollFlags::IN)),
        );
        if poll(&mut ready, None).is_err() {
            return;
        }
        let rung = !ready[0].revents().is_empty();
        let said = ready.get(1).is_some_and(|said| !said.revents().is_empty());
        if rung {
            let _ = rustix::io::read(bell, &mut [0_u8; 8]);
        }
        if said {
            // Its end is logged there; another one is started for the next template.
            let _ = self.keeper.next_exit();
        }
    }

    fn do_work(&mut self, work: Work) {
        // Who has given up waiting has no use for the result: a template is dropped, an image stays.
        match work {
            Work::Freeze(freeze, reply) => drop(reply.send(self.freeze(freeze))),
            Work::Warm(warm, reply) => drop(reply.send(self.warm(&warm))),
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

    fn warm(&mut self, warm: &Warm) -> Result<Seed, SeedError> {
        if let Some((images, known)) = self.recipes.find(&self.pool, &warm.name, warm.memory) {
            let made = self.template(warm, &images, Some(&known.recipe), 0);
            // Files that the process had mapped may be others now: then the image's reader tells what is wrong.
            if !made.as_ref().is_err_and(SeedError::is_of_image) {
                tracing::debug!(image = %warm.name, "a template was made as one was before");
                return made.map(|template| Seed::new(template, known.about, warm.memory));
            }
            self.recipes.forget(&warm.name);
        }
        let (chain, about) = self.read(&warm.name)?;
        let files = Files::of(&chain)?;
        let images: Vec<OwnedFd> = chain.into_iter().map(OwnedFd::from).collect();
        let due = self.checked.due(files.each());
        let template = self.template(warm, &images, None, due)?;
        self.checked.note(files.each());
        let known = Known {
            recipe: Arc::clone(template.recipe()),
            about: about.clone(),
        };
        let (name, memory) = (warm.name.clone(), warm.memory);
        self.recipes.keep(name, memory, files, known);
        Ok(Seed::new(template, about, warm.memory))
    }

    /// An image and those that it is a difference to, and what is known of it.
    fn read(&self, name: &ImageName) -> Result<(Vec<OpenImage>, About), SeedError> {
        let (lineage, is_learnt) = self.newest(name)?;
        let chain: Vec<OpenImage> = std::iter::once(lineage.image)
            .chain(lineage.ancestors)
            .collect();
        // What has learnt is a difference of no pages to what was frozen.
        let frozen = chain.iter().position(|image| image.name() == name);
        let frozen = frozen.unwrap_or(0);
        let about = About {
            name: name.clone(),
            image: chain[0].id(),
            stored_bytes: chain[frozen].stored_bytes()?,
            is_learnt,
            copied_bytes: pages(&lineage.manifest.profile.dirty) * PAGE_BYTES,
            parent: chain.get(frozen + 1).map(|parent| parent.name().clone()),
        };
        Ok((chain, about))
    }

    /// Makes a template of images, or as one was made before of the same. So many of them, the first ones, are checked page by page.
    fn template(
        &mut self,
        warm: &Warm,
        images: &[OwnedFd],
        recipe: Option<&Recipe>,
        images_to_check: usize,
    ) -> Result<Template, SeedError> {
        let spec = TemplateSpec {
            images,
            key: self.pool.key(),
            memory: warm.memory,
            recipe,
            images_to_check,
            confinement: Some(Confinement {
                inherited: &self.rules.inherited,
                last: &self.rules.last,
                limits: &self.rules.limits,
                paths: self.rules.paths.as_ref().map(|paths| PathRules {
                    handled: paths.handled,
                    flags: paths.flags,
                    beneath: &paths.beneath,
                }),
            }),
            profile: None,
            files_as: Some(warm.files_as),
            root: Some(warm.root.as_fd()),
        };
        let template = self.keeper.template(&spec);
        template.map_err(|source| SeedError::Template {
            name: warm.name.clone(),
            source,
        })
    }

    /// An image, or the one that knows which of its pages clones need; and whether it is that one.
    fn newest(&self, name: &ImageName) -> Result<(Lineage, bool), SeedError> {
        if let Some(learnt) = learnt(name)
            && let Ok(lineage) = self.pool.open_lineage(&learnt)
        {
            return Ok((lineage, true));
        }
        Ok((self.pool.open_lineage(name)?, false))
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

fn pages(ranges: &[PageRange]) -> u64 {
    ranges.iter().map(|range| range.pages).sum()
}

/// What is added to an image's name for the one that knows which of its pages clones need.
const LEARNT: &str = ".learnt";

/// The image that knows which pages clones of another one need; none if that is a long name.
fn learnt(name: &ImageName) -> Option<ImageName> {
    ImageName::new(format!("{name}{LEARNT}")).ok()
}

/// The image that another one may belong to.
fn of_learnt(name: ImageName) -> ImageName {
    let base = name.as_str().strip_suffix(LEARNT);
    base.and_then(|base| ImageName::new(base).ok())
        .unwrap_or(name)
}
