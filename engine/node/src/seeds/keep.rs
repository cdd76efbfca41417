//! Templates at hand: which there are, and making and ending them when somebody says so.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use offshoot_sandbox::{Launcher, Taken};
use offshoot_seed::Memory;

use super::make::room;
use super::{Seeds, State, Version, lock};
use crate::memory::own_bytes;
use crate::{InstanceSpec, Node, NodeError};

/// A seed whose template is at hand, or templates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateInfo {
    /// The function.
    pub function: Arc<str>,
    /// `$LATEST` or a number.
    pub version: Arc<str>,
    /// Where their pages live.
    pub memory: Memory,
    /// Memory that is their own, in bytes.
    pub own_bytes: u64,
    /// How much of the disk its image takes, in bytes.
    pub image_bytes: u64,
}

impl Seeds {
    /// The templates that are at hand, in no order: two system calls each.
    pub(crate) fn templates(&self) -> Vec<TemplateInfo> {
        let versions: Vec<_> = lock(&self.versions).values().cloned().collect();
        let templates = versions.iter().filter_map(|version| match version.state() {
            State::Resident(templates) => {
                let own = templates.all().iter();
                let own = own.filter_map(|seed| own_bytes(seed.template_pid()));
                Some(TemplateInfo {
                    function: Arc::clone(&version.function),
                    version: Arc::clone(&version.label),
                    memory: templates.first().memory(),
                    own_bytes: own.sum(),
                    image_bytes: templates.first().stored_bytes(),
                })
            }
            _ => None,
        });
        templates.collect()
    }

    /// Memory of templates that are not at hand any more, and that their clones keep alive, in bytes: two system calls each.
    pub(crate) fn held_bytes(&self) -> u64 {
        let versions: Vec<_> = lock(&self.versions).values().cloned().collect();
        let mut at_hand = HashSet::new();
        for version in versions {
            if let State::Resident(templates) = version.state() {
                at_hand.extend(templates.all().iter().map(|seed| seed.template_pid()));
            }
        }
        let mut living = lock(&self.living);
        living.retain(|seed| seed.strong_count() > 0);
        let held = living.iter().filter_map(Weak::upgrade);
        held.map(|seed| seed.template_pid())
            .filter(|pid| !at_hand.contains(pid))
            .filter_map(own_bytes)
            .sum()
    }

    /// Ends a version's templates, each when the last clone of it has ended; its image stays.
    pub(crate) fn chill(&self, spec: &InstanceSpec) -> Result<(), NodeError> {
        let version = self.version(spec)?;
        let mut state = lock(&version.state);
        if matches!(&*state, State::Resident(_)) {
            *state = State::Stored;
        }
        Ok(())
    }

    /// Has the pages of a version's template live somewhere else. What is at hand serves until then, and goes on if that fails.
    async fn relocate(
        &self,
        version: &Version,
        memory: Memory,
        launcher: &Launcher,
        room: impl AsyncFnOnce() -> Result<Taken, NodeError>,
    ) -> Result<(), NodeError> {
        let _turn = version.making.lock().await;
        match version.state() {
            State::Resident(templates) if templates.first().memory() != memory => {}
            _ => return Ok(()),
        }
        // What fails is not remembered: the image is good, there is a template of it.
        self.renew(version, memory, launcher, room).await
    }
}

/// Has a template at hand whose pages live where they shall, if there is an image; whether there is one.
pub(crate) async fn warm(
    node: &Node,
    spec: Arc<InstanceSpec>,
    memory: Memory,
) -> Result<bool, NodeError> {
    let Some(seeds) = node.seeds() else {
        return Ok(false);
    };
    let launcher = node.launcher().ok_or(NodeError::ShutDown)?;
    let version = seeds.version(&spec)?;
    let room = async || room(&launcher, &spec, node.next_id()).await;
    let Some(resident) = seeds.resident(&version, memory, &launcher, room).await? else {
        return Ok(false);
    };
    if let Some(room) = resident.room {
        launcher.recycle(room.occupied().end()).await;
    }
    seeds.relocate(&version, memory, &launcher, room).await?;
    Ok(true)
}
