//! Templates on their way: as many at once as there are processors, so that functions that are called at the same time
//! wait less for one another.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::available_parallelism;

use offshoot_clone::{
    Confinement, Making, PathRules, Progress, Recipe, Template, TemplateError, TemplateSpec,
};
use offshoot_image::model::PAGE_BYTES;
use offshoot_pool::{ImageName, Lineage, OpenImage};
use tokio::sync::oneshot::Sender;

use crate::forge::Warm;
use crate::recipes::{Files, Known};
use crate::seed::About;
use crate::work::{Workshop, learnt, pages};
use crate::{Seed, SeedError};

/// A template that was ordered, and who is told.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) warm: Warm,
    pub(crate) reply: Sender<Result<Seed, SeedError>>,
}

/// A template on its way.
#[derive(Debug)]
struct Birth {
    order: Order,
    making: Making,
    about: About,
    /// The files that are being read for it; none if it is made as one was before.
    read: Option<Files>,
}

/// What is on its way, and what waits for a processor.
#[derive(Debug)]
pub(crate) struct Births {
    most: usize,
    under_way: Vec<Birth>,
    waiting: VecDeque<Order>,
}

impl Births {
    pub(crate) fn new() -> Self {
        Self {
            most: available_parallelism().map_or(1, usize::from),
            under_way: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Each is readable when [`Workshop::attend`] should be called with its place in this order.
    pub(crate) fn each(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.under_way.iter().map(|birth| birth.making.as_fd())
    }
}

impl Workshop {
    /// Makes a template, now or when another one is there.
    pub(crate) fn order(&mut self, order: Order) {
        if self.births.under_way.len() < self.births.most {
            self.bear(order);
        } else {
            self.births.waiting.push_back(order);
        }
    }

    /// Hears what those have to say whose places are given, in rising order.
    pub(crate) fn attend(&mut self, places: &[usize]) {
        for &place in places.iter().rev() {
            let birth = self.births.under_way.swap_remove(place);
            self.advance(birth);
        }
        while self.births.under_way.len() < self.births.most {
            let Some(order) = self.births.waiting.pop_front() else {
                return;
            };
            self.bear(order);
        }
    }

    fn bear(&mut self, order: Order) {
        let known = self
            .recipes
            .find(&self.pool, &order.warm.name, order.warm.memory);
        let begun = match known {
            Some((images, known)) => self
                .begin(&order.warm, &images, Some(&known.recipe), 0)
                .map(|making| (making, known.about, None)),
            None => self.begin_reading(&order.warm),
        };
        self.note(order, begun);
    }

    fn note(&mut self, order: Order, begun: Result<(Making, About, Option<Files>), SeedError>) {
        match begun {
            Ok((making, about, read)) => self.births.under_way.push(Birth {
                order,
                making,
                about,
                read,
            }),
            // Who has given up waiting has no use for it.
            Err(error) => drop(order.reply.send(Err(error))),
        }
    }

    fn advance(&mut self, birth: Birth) {
        let Birth {
            order,
            making,
            about,
            read,
        } = birth;
        match making.hear() {
            Ok(Progress::Making(making)) => self.note(order, Ok((making, about, read))),
            Ok(Progress::Ready(template)) => {
                self.remember(&order.warm, &template, &about, read);
                let seed = Seed::new(template, about, order.warm.memory);
                // Who has given up waiting has no use for it: it ends.
                drop(order.reply.send(Ok(seed)));
            }
            // Files that the process had mapped may be others now: then the image's reader tells what is wrong.
            Err(TemplateError::Refused(_)) if read.is_none() => {
                self.recipes.forget(&order.warm.name);
                let begun = self.begin_reading(&order.warm);
                self.note(order, begun);
            }
            Err(source) => {
                let name = order.warm.name.clone();
                drop(order.reply.send(Err(SeedError::Template { name, source })));
            }
        }
    }

    /// Notes that the images are good, and how the template was made.
    fn remember(&mut self, warm: &Warm, template: &Template, about: &About, read: Option<Files>) {
        let Some(files) = read else {
            tracing::debug!(image = %warm.name, "a template was made as one was before");
            return;
        };
        // They may have been removed meanwhile.
        if !files.are_unchanged(&self.pool) {
            return;
        }
        self.checked.note(files.each());
        let known = Known {
            recipe: Arc::clone(template.recipe()),
            about: about.clone(),
        };
        self.recipes
            .keep(warm.name.clone(), warm.memory, files, known);
    }

    /// Begins a template of images that have to be read first.
    fn begin_reading(&mut self, warm: &Warm) -> Result<(Making, About, Option<Files>), SeedError> {
        let (chain, about) = self.read(&warm.name)?;
        let files = Files::of(&chain)?;
        let images: Vec<OwnedFd> = chain.into_iter().map(OwnedFd::from).collect();
        let due = self.checked.due(files.each());
        let making = self.begin(warm, &images, None, due)?;
        Ok((making, about, Some(files)))
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

    /// An image, or the one that knows which of its pages clones need; and whether it is that one.
    fn newest(&self, name: &ImageName) -> Result<(Lineage, bool), SeedError> {
        if let Some(learnt) = learnt(name)
            && let Ok(lineage) = self.pool.open_lineage(&learnt)
        {
            return Ok((lineage, true));
        }
        Ok((self.pool.open_lineage(name)?, false))
    }

    /// Begins a template of images, or as one was made before of the same. So many of them, the first ones, are checked page by page.
    fn begin(
        &mut self,
        warm: &Warm,
        images: &[OwnedFd],
        recipe: Option<&Recipe>,
        images_to_check: usize,
    ) -> Result<Making, SeedError> {
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
        let making = self.keeper.begin(&spec);
        making.map_err(|source| SeedError::Template {
            name: warm.name.clone(),
            source,
        })
    }
}
