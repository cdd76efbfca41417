//! Making the seed of a function version.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use offshoot_sandbox::Taken;
use offshoot_seed::{Freeze, Report, SeedError};
use rustix::fs::{Mode, OFlags};

use super::{Seeds, State, Version, chain};
use crate::create::{create, sandbox_spec};
use crate::instance::Instance;
use crate::{CreateFailure, InstanceSpec, Node, NodeError, environment};

/// The descriptors that every clone is given: output twice, and the channel.
const EXTERNAL: [u32; 3] = [1, 2, 3];

/// What came of the wish for a seed.
#[derive(Debug)]
pub enum Seeding {
    /// There is one now, or there was one already.
    Seeded,
    /// There cannot be one; why. It is not tried again until the function changes.
    Refused(Arc<str>),
}

/// Makes the seed of a version, unless there is one or it is known that there cannot be one.
///
/// # Errors
/// Why it failed this time.
pub(crate) async fn make(node: &Node, spec: Arc<InstanceSpec>) -> Result<Seeding, CreateFailure> {
    let Some(seeds) = node.seeds() else {
        return Ok(Seeding::Refused("seeds are switched off".into()));
    };
    if let Some(why) = refusal(&spec) {
        return Ok(Seeding::Refused(why.into()));
    }
    let version = seeds.version(&spec)?;
    let _turn = version.making.lock().await;
    match version.state() {
        State::Resident(_) | State::Stored => return Ok(Seeding::Seeded),
        State::Refused(why) => return Ok(Seeding::Refused(why)),
        State::Unknown if seeds.has_image(&version).await? => {
            version.set(State::Stored);
            return Ok(Seeding::Seeded);
        }
        State::Unknown | State::Absent => {}
    }
    let begun = Instant::now();
    match try_make(node, seeds, &version, &spec).await {
        Ok(report) => {
            tracing::info!(
                function = &*spec.function,
                version = &*spec.version,
                image = %version.name,
                kilobytes = report.bytes / 1024,
                frozen_us = report.freeze_us,
                took_ms = begun.elapsed().as_millis() as u64,
                "a seed was made"
            );
            Ok(Seeding::Seeded)
        }
        Err(failure) => {
            let why: Arc<str> = chain(&failure).into();
            tracing::warn!(function = &*spec.function, version = &*spec.version, %why, "no seed");
            match version.state() {
                State::Refused(why) => Ok(Seeding::Refused(why)),
                _ => Err(failure),
            }
        }
    }
}

/// What a specification tells already.
fn refusal(spec: &InstanceSpec) -> Option<&'static str> {
    if !environment::speaks_channel(spec.runtime) {
        return Some("its runtime does not speak the channel");
    }
    environment::has_extensions(spec)
        .then_some("its layers bring extensions, which are processes of their own")
}

async fn try_make(
    node: &Node,
    seeds: &Seeds,
    version: &Version,
    spec: &Arc<InstanceSpec>,
) -> Result<Report, CreateFailure> {
    let instance = create(node, Arc::clone(spec)).await?;
    let frozen = freeze(seeds, version, &instance).await;
    node.end(instance);
    let report = frozen?;
    version.set(State::Stored);
    let taken = room(node, spec).await?;
    let warmed = seeds.warm(version, &taken).await;
    if let Some(launcher) = node.launcher() {
        launcher.recycle(taken.occupied().end()).await;
    }
    match warmed {
        Ok(_) => Ok(report),
        Err(source) => Err(seeds.note(version, source).into()),
    }
}

async fn freeze(
    seeds: &Seeds,
    version: &Version,
    instance: &Instance,
) -> Result<Report, NodeError> {
    if let Some(left) = left_in_tmp(instance) {
        let why = format!("its init has left {left} in /tmp, which clones would not have");
        version.set(State::Refused(why.as_str().into()));
        return Err(NodeError::Unseedable {
            function: version.function.to_string(),
            why,
        });
    }
    let freeze = Freeze {
        name: version.name.clone(),
        pid: instance.sandbox.program_pid().unsigned_abs(),
        external: BTreeSet::from(EXTERNAL),
        parent: None,
    };
    let frozen = seeds.forge.freeze(freeze).await;
    frozen.map_err(|source: SeedError| seeds.note(version, source))
}

/// A file that an instance has in its `/tmp`.
fn left_in_tmp(instance: &Instance) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // Only the init's own directory is named, and nothing below it that is the tenant's.
    let path = format!("/proc/{}/root/tmp", instance.sandbox.pid());
    let tmp = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let entries = rustix::fs::Dir::read_from(&tmp).ok()?;
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name != "." && name != "..")
}

/// A sandbox for a version, with its files.
pub(crate) async fn room(node: &Node, spec: &InstanceSpec) -> Result<Taken, NodeError> {
    let launcher = node.launcher().ok_or(NodeError::ShutDown)?;
    let wanted = sandbox_spec(spec, node.next_id(), "")?;
    let taken = launcher.taken(&wanted).await;
    taken.map_err(|source| NodeError::Sandbox {
        function: spec.function.to_string(),
        source,
    })
}
