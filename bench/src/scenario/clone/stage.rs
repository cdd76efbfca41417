//! A seed's image, and what else each of its samples needs.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::Context;
use offshoot_checkpoint::{Options, checkpoint};
use offshoot_clone::{Fork, Memory, Nursery, Recipe, Template, TemplateSpec, observe};
use offshoot_image::model::Profile;
use offshoot_pool::ImageName;
use rustix::fd::BorrowedFd;
use std::time::Duration;

use super::end::Living;
use super::ground::Ground;
use super::line::{self, Line};
use super::running::{CHANNEL, Running};
use super::seed::Seed;
use crate::summary::Samples;

/// A frozen seed. Dropping it removes its image from the pool.
#[derive(Debug)]
pub(super) struct Stage<'g> {
    pub(super) ground: &'g Ground,
    pub(super) seed: Seed,
    image: ImageName,
    /// The request, behind its length.
    pub(super) request: Vec<u8>,
    /// The right answer: what the seed said before it was frozen.
    pub(super) expected: Vec<u8>,
    /// Which pages clones need until their first answer: learned from one of them.
    profile: Profile,
}

impl<'g> Stage<'g> {
    /// Starts, trains and freezes a seed; `freezes` times, as it goes on after each. Gives how long it stood still.
    pub(super) fn prepare(
        ground: &'g Ground,
        seed: Seed,
        freezes: u64,
    ) -> anyhow::Result<(Self, Samples)> {
        let mut running = Running::start(seed, &ground.workshop)?;
        let expected = running.train(seed, ground.quick).context("the seed")?;
        let mut samples = Samples::microseconds();
        let mut kept = None;
        for round in 0..freezes {
            // The one before is removed first: two of 630 MB are too many.
            drop(kept.take());
            let options = Options {
                name: ImageName::new(format!("{}-{round}", seed.name()))?,
                external: BTreeSet::from([CHANNEL]),
                leave_running: true,
                parent: None,
                for_mapping: true,
            };
            let report = checkpoint(running.pid(), &options, ground.pool()?)?;
            samples.record(Duration::from_micros(report.freeze_us));
            kept = Some(Self {
                ground,
                seed,
                image: options.name,
                request: line::framed(&seed.request())?,
                expected: expected.clone(),
                profile: Profile::default(),
            });
        }
        let mut kept = kept.context("no image was made")?;
        kept.profile = kept.learn().context("watching a clone")?;
        Ok((kept, samples))
    }

    /// Watches one clone until it has answered.
    fn learn(&self) -> anyhow::Result<Profile> {
        let lineage = self.ground.pool()?.open_lineage(&self.image)?;
        let mut nursery = self.nursery()?;
        let mut template = self.template(&mut nursery, &self.images()?, Memory::Local, None)?;
        let tasks = self.ground.sandbox.tasks();
        let mut line = self.line()?;
        let fork = Fork {
            substitutions: &[(CHANNEL, line.theirs.as_fd())],
            sandbox: Some(self.ground.sandbox.join(&tasks)),
            watch: true,
            ..Fork::default()
        };
        let living = Living(template.fork(&fork)?);
        let mut buffer = Vec::new();
        let answer = line::read_answer(&mut line.ours, &mut buffer);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                return Err(error.context(living.explain(&mut nursery, &mut template)));
            }
        };
        self.check(answer)?;
        let profile = observe(living.0.pid, &lineage.manifest)?;
        living.end(&mut nursery)?;
        Ok(profile)
    }

    /// The image and its ancestors, which it has none of.
    pub(super) fn images(&self) -> anyhow::Result<Vec<OwnedFd>> {
        let lineage = self.ground.pool()?.open_lineage(&self.image)?;
        let all = std::iter::once(lineage.image).chain(lineage.ancestors);
        Ok(all.map(OwnedFd::from).collect())
    }

    pub(super) fn nursery(&self) -> anyhow::Result<Nursery> {
        Ok(Nursery::start(&self.ground.program, &["__templates"])?)
    }

    pub(super) fn template(
        &self,
        nursery: &mut Nursery,
        images: &[OwnedFd],
        memory: Memory,
        recipe: Option<&Recipe>,
    ) -> anyhow::Result<Template> {
        let spec = TemplateSpec {
            images,
            key: self.ground.pool()?.key(),
            memory,
            recipe,
            // With a recipe none is read.
            images_to_check: images.len(),
            confinement: None,
            profile: Some(&self.profile),
            files_as: None,
            root: None,
        };
        Ok(nursery.template(&spec)?)
    }

    /// A socket with a request in it.
    pub(super) fn line(&self) -> anyhow::Result<Line> {
        Line::with_request(self.seed.is_nonblocking(), &self.request)
    }

    /// Asks for a clone in the sandbox, with `line` as its socket.
    pub(super) fn fork(
        &self,
        template: &mut Template,
        line: &Line,
        tasks: &[BorrowedFd<'_>],
        park: Option<BorrowedFd<'_>>,
    ) -> anyhow::Result<Living> {
        let fork = Fork {
            substitutions: &[(CHANNEL, line.theirs.as_fd())],
            sandbox: Some(self.ground.sandbox.join(tasks)),
            park,
            ..Fork::default()
        };
        Ok(Living(template.fork(&fork)?))
    }

    /// Requires the right answer.
    pub(super) fn check(&self, answer: &[u8]) -> anyhow::Result<()> {
        super::require_same(answer, &self.expected)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        let removed = self.ground.pool().map(|pool| pool.remove(&self.image));
        if let Ok(Err(error)) = removed {
            eprintln!("bench: {error}");
        }
    }
}
