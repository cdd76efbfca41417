//! Making the seed of a function version.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offshoot_sandbox::{Launcher, Taken};
use offshoot_seed::{Freeze, ImageName, Memory, Report, Secrets, SeedError};
use rustix::fs::{Mode, OFlags};

use super::train::train;
use super::{Seeds, State, Version, chain, connection};
use crate::conversation::{Silence, hear};
use crate::create::{create, sandbox_spec};
use crate::credentials::Purpose;
use crate::failure::INIT_REQUEST;
use crate::instance::Instance;
use crate::message::Message;
use crate::secrets::refusal as refusal_of;
use crate::{CreateFailure, Failure, InstanceSpec, Node, NodeError, Runtime, environment, level1};

/// The descriptors of output, which every clone is given.
const OUTPUT: [u32; 2] = [1, 2];
/// That of the channel, if it has one.
const CHANNEL: u32 = 3;
/// How long hooks before a freeze may take (AWS Lambda Developer Guide, "Runtime hooks for Lambda SnapStart").
const HOOKS: Duration = Duration::from_secs(10);

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
    let version = seeds.version(&spec)?;
    if let Some(why) = refusal(node, seeds, &spec) {
        version.set(State::Refused(why.into()));
        return Ok(Seeding::Refused(why.into()));
    }
    let secrets = seeds.rules().unwanted(&spec);
    ensure(node, seeds, &version, &spec, secrets, async || {
        begin(node, seeds, Arc::clone(&spec)).await
    })
    .await
}

/// Makes a seed of a process that `begin` gives, in its place in the sandbox of `spec`, without `secrets`.
pub(super) async fn ensure(
    node: &Node,
    seeds: &Seeds,
    version: &Version,
    spec: &InstanceSpec,
    secrets: Secrets,
    begin: impl AsyncFnOnce() -> Result<Instance, CreateFailure>,
) -> Result<Seeding, CreateFailure> {
    let _turn = version.making.lock().await;
    match version.state() {
        State::Resident(_) | State::Stored => return Ok(Seeding::Seeded),
        State::Refused(why) => return Ok(Seeding::Refused(why)),
        State::Unknown if seeds.has_image(version).await? => {
            version.set(State::Stored);
            return Ok(Seeding::Seeded);
        }
        State::Unknown | State::Absent => {}
    }
    let begun = Instant::now();
    let (function, label) = (&*version.function, &*version.label);
    match try_make(node, seeds, version, version.image(), spec, secrets, begin).await {
        Ok(report) => {
            tracing::info!(
                function,
                version = label,
                image = %version.image(),
                kilobytes = report.bytes / 1024,
                of_parent_kilobytes = report.parent_pages * 4,
                frozen_us = report.freeze_us,
                took_ms = begun.elapsed().as_millis() as u64,
                "a seed was made"
            );
            Ok(Seeding::Seeded)
        }
        Err(failure) => {
            let why: Arc<str> = chain(&failure).into();
            tracing::warn!(function, version = label, %why, "no seed");
            match version.state() {
                State::Refused(why) => Ok(Seeding::Refused(why)),
                _ => Err(failure),
            }
        }
    }
}

/// Makes the seed of a version anew, so that later clones share no addresses with earlier ones. The old template serves
/// until the new one is there; a version without a seed gets one.
///
/// # Errors
/// Why it failed: then there is no image any more.
pub(crate) async fn renew(node: &Node, spec: Arc<InstanceSpec>) -> Result<Seeding, CreateFailure> {
    let Some(seeds) = node.seeds() else {
        return make(node, spec).await;
    };
    let version = seeds.version(&spec)?;
    let turn = version.making.lock().await;
    if !matches!(version.state(), State::Resident(_) | State::Stored) {
        drop(turn);
        return make(node, spec).await;
    }
    // Both have one name. Templates that were made of the old one go on.
    let removed = seeds.forge.remove(version.image()).await;
    removed.map_err(|source| seeds.note(&version, source))?;
    let begin = async || begin(node, seeds, Arc::clone(&spec)).await;
    let secrets = seeds.rules().unwanted(&spec);
    let renewed = try_make(
        node,
        seeds,
        &version,
        version.image(),
        &spec,
        secrets,
        begin,
    )
    .await;
    if let Err(failure) = &renewed {
        let why = chain(failure);
        tracing::warn!(function = &*spec.function, %why, "the seed could not be made anew");
        if !matches!(version.state(), State::Refused(_)) {
            version.set(State::Absent);
        }
    }
    // It may have been the last one that was a difference to the old seed of its runtime.
    seeds.remove_superseded().await;
    renewed.map(|_| Seeding::Seeded)
}

/// An instance that is to become the seed of its version.
async fn begin(
    node: &Node,
    seeds: &Seeds,
    spec: Arc<InstanceSpec>,
) -> Result<Instance, CreateFailure> {
    let seeds_own = seeds.rules().seed_spec(&spec);
    if !environment::speaks_channel(spec.runtime) {
        return create(node, seeds_own, Purpose::Seed).await;
    }
    // What both have is stored once. Without it, which its own log tells, the image is whole.
    let _ = super::runtime::make(node, seeds, spec).await;
    let instance = level1::create(node, seeds_own, Purpose::Seed).await?;
    train(node, instance).await
}

/// What a specification tells already.
fn refusal(node: &Node, seeds: &Seeds, spec: &InstanceSpec) -> Option<&'static str> {
    if environment::has_extensions(spec) {
        return Some("its layers bring extensions, which are processes of their own");
    }
    if environment::speaks_channel(spec.runtime) {
        return None;
    }
    if !spec.snap_start {
        return Some(
            "its runtime speaks the Runtime API, where only hooks of its own keep clones apart: publish it with SnapStart",
        );
    }
    let has_secrets = seeds.rules().secret(spec).next().is_some() || node.roles().knows(spec);
    has_secrets.then_some(
        "its secret variables or its role's credentials are kept out of seeds, and the Runtime API has no message that could \
         bring them to a clone: have it read them from elsewhere, or see seeds.secret_names",
    )
}

/// Makes an image of that name, and a template of it. What serves until then goes on serving.
pub(super) async fn try_make(
    node: &Node,
    seeds: &Seeds,
    version: &Version,
    image: ImageName,
    spec: &InstanceSpec,
    secrets: Secrets,
    begin: impl AsyncFnOnce() -> Result<Instance, CreateFailure>,
) -> Result<Report, CreateFailure> {
    let told = |failure| withheld(version, &secrets, failure);
    let mut instance = begin().await.map_err(told)?;
    if let Err(failure) = come_to_rest(&mut instance).await {
        node.end(instance);
        return Err(told(CreateFailure::Function(failure)));
    }
    let frozen = freeze(seeds, version, &image, &instance, secrets).await;
    node.end(instance);
    let report = frozen?;
    version.made();
    seeds.make_room(&image).await;
    let launcher = node.launcher().ok_or(NodeError::ShutDown)?;
    let taken = room(&launcher, spec, node.next_id()).await?;
    let memory = match version.state() {
        State::Resident(templates) => templates.first().memory(),
        _ => Memory::Local,
    };
    let warmed = seeds.warm(version, image, memory, &taken).await;
    launcher.recycle(taken.occupied().end()).await;
    match warmed {
        Ok(_) => Ok(report),
        Err(source) => Err(seeds.note(version, source).into()),
    }
}

/// A failure of the function, or that its seed lacks what is kept from seeds: then it is not tried again.
fn withheld(version: &Version, secrets: &Secrets, failure: CreateFailure) -> CreateFailure {
    match refusal_of(secrets, &failure) {
        Some(why) => {
            version.set(State::Refused(why.as_str().into()));
            let function = version.function.to_string();
            NodeError::Unseedable { function, why }.into()
        }
        None => failure,
    }
}

/// Has the runtime's hooks run, and waits until it is at rest.
async fn come_to_rest(instance: &mut Instance) -> Result<(), Failure> {
    let broken = |how: &str| Failure::broke_protocol(INIT_REQUEST, how);
    let sent = instance.transport.send_freeze().await;
    let tells = sent.map_err(|error| broken(&error.to_string()))?;
    if !tells {
        // Official clients have run their hooks before they asked for it.
        tokio::time::sleep(rest_of(instance.spec.runtime)).await;
        return Ok(());
    }
    answered(instance, &Message::Frozen).await?;
    tokio::time::sleep(rest_of(instance.spec.runtime)).await;
    Ok(())
}

/// Waits until the runtime has done what it was told, which `wanted` says.
pub(super) async fn answered(instance: &mut Instance, wanted: &Message) -> Result<(), Failure> {
    let broken = |how: &str| Failure::broke_protocol(INIT_REQUEST, how);
    match tokio::time::timeout(HOOKS, hear(instance)).await {
        Ok(Ok(message)) if message == *wanted => Ok(()),
        Ok(Ok(Message::InitError { error_type, body })) => Err(Failure::raised(body, error_type)),
        Ok(Ok(_)) => Err(broken("it answered something else")),
        Ok(Err(Silence::Exited(exit))) => {
            let out_of_memory = instance.sandbox.oom_kills() > 0;
            Err(Failure::exited(INIT_REQUEST, exit, out_of_memory))
        }
        Ok(Err(Silence::Protocol(how))) => Err(broken(&how)),
        Err(_elapsed) => Err(Failure::timed_out(INIT_REQUEST, HOOKS.as_secs_f64())),
    }
}

/// How long a runtime needs until it does nothing more of itself: what it has begun, every clone would go on with.
const fn rest_of(runtime: Runtime) -> Duration {
    match runtime {
        // V8 finishes garbage collections on threads of its own, and gives memory back by timers.
        Runtime::Nodejs20 => Duration::from_millis(2_000),
        Runtime::Python311 | Runtime::ProvidedAl2023 => Duration::from_millis(20),
    }
}

async fn freeze(
    seeds: &Seeds,
    version: &Version,
    image: &ImageName,
    instance: &Instance,
    secrets: Secrets,
) -> Result<Report, NodeError> {
    let refused = |why: String| {
        version.set(State::Refused(why.as_str().into()));
        NodeError::Unseedable {
            function: version.function.to_string(),
            why,
        }
    };
    if let Some(left) = left_in_tmp(instance) {
        let why = format!("its init has left {left} in /tmp, which clones would not have");
        return Err(refused(why));
    }
    // Held until the image is there, so that what it is a difference to does not go meanwhile.
    let (_held, parent) = seeds.parent_of(instance).await;
    let freeze = Freeze {
        name: image.clone(),
        pid: instance.sandbox.program_pid().unsigned_abs(),
        external: external(instance).map_err(|why| refused(why.to_owned()))?,
        parent,
        secrets,
    };
    let frozen = seeds.forge.freeze(freeze).await;
    let frozen = frozen.map_err(|source: SeedError| seeds.note(version, source))?;
    version.note_findings(&frozen.findings);
    Ok(frozen.report)
}

/// The descriptors that every clone is given: output, and what it is talked to over.
fn external(instance: &Instance) -> Result<BTreeSet<u32>, &'static str> {
    let mut external = BTreeSet::from(OUTPUT);
    if environment::speaks_channel(instance.spec.runtime) {
        external.insert(CHANNEL);
        return Ok(external);
    }
    let local = instance.transport.held();
    let local = local.ok_or("its runtime asks for events without having called restore/next")?;
    let connection = connection::descriptors(instance.sandbox.program_pid(), local);
    // At a number of output, it would be given a log.
    let is_one = |found: &BTreeSet<u32>| found.iter().any(|number| !OUTPUT.contains(number));
    let connection = connection.ok().filter(is_one);
    external.extend(
        connection.ok_or(
            "restore/next was called by another process than the first one of its runtime",
        )?,
    );
    Ok(external)
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

/// Has a seed learn of a watched clone.
pub(crate) async fn learn(
    seeds: &Seeds,
    launcher: &Launcher,
    id: String,
    instance: &Instance,
    version: &Version,
) {
    let pid = instance.sandbox.program_pid();
    let room = async || room(launcher, &instance.spec, id).await;
    if let Err(error) = seeds.learn(version, pid, launcher, room).await {
        let why = chain(&error);
        tracing::warn!(function = version.function(), %why, "nothing was learnt of a clone");
    }
}

/// A sandbox for a version, with its files.
pub(crate) async fn room(
    launcher: &Launcher,
    spec: &InstanceSpec,
    id: String,
) -> Result<Taken, NodeError> {
    let wanted = sandbox_spec(spec, id, "")?;
    let taken = launcher.taken(&wanted).await;
    taken.map_err(|source| NodeError::Sandbox {
        function: spec.function.to_string(),
        source,
    })
}
