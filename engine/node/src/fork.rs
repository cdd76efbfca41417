//! Making an instance as a clone of its version's seed: the rungs above the cold one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use offshoot_sandbox::{Adopted, Launcher, Taken};
use offshoot_seed::{Cloned, ForkError, Given, Memory, SandboxJoin, Seed, Who};

use crate::alarm::Alarm;
use crate::capture::OutputPipe;
use crate::credentials::{Grant, Purpose};
use crate::instance::{Birth, Instance};
use crate::logs::Scribe;
use crate::secrets::ClonesOwn;
use crate::seeds::make::room;
use crate::seeds::{Resident, Seeds, Version};
use crate::transport::{CloneEnd, of_clone};
use crate::{CloneInfo, InstanceSpec, Node, NodeError, Rung};

/// What a clone is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) purpose: Purpose,
    /// Whether it waits for its first event, with everything in memory that it needs.
    pub(crate) parked: bool,
    /// Where the pages of its template live, if that is made for it.
    pub(crate) memory: Memory,
}

/// What a clone gets, and the sandbox that it joins.
struct Outfit {
    taken: Taken,
    output: OwnedFd,
    talk: CloneEnd,
    /// The end of a pipe that a parked clone waits at.
    park: Option<OwnedFd>,
    watch: bool,
}

/// Makes a clone of the version's seed; none if it has no seed.
pub(crate) async fn fork(
    node: &Node,
    spec: Arc<InstanceSpec>,
    parked: bool,
    memory: Memory,
) -> Result<Option<Instance>, NodeError> {
    let Some(seeds) = node.seeds() else {
        return Ok(None);
    };
    let version = seeds.version(&spec)?;
    let wanted = Wanted {
        purpose: Purpose::Events,
        parked,
        memory,
    };
    fork_of(node, seeds, &version, spec, wanted).await
}

/// Makes a clone of a seed that serves for the version; none if there is no such image.
pub(crate) async fn fork_of(
    node: &Node,
    seeds: &Seeds,
    version: &Arc<Version>,
    spec: Arc<InstanceSpec>,
    wanted: Wanted,
) -> Result<Option<Instance>, NodeError> {
    match try_fork(node, seeds, version, Arc::clone(&spec), wanted).await {
        // Of a template that has ended another one is made of the image.
        Err(NodeError::Fork { source, .. }) if is_end(&source) => {
            try_fork(node, seeds, version, spec, wanted).await
        }
        forked => forked,
    }
}

async fn try_fork(
    node: &Node,
    seeds: &Seeds,
    version: &Arc<Version>,
    spec: Arc<InstanceSpec>,
    wanted: Wanted,
) -> Result<Option<Instance>, NodeError> {
    let Wanted {
        purpose,
        parked,
        memory,
    } = wanted;
    let begun = Instant::now();
    let launcher = node.launcher().ok_or(NodeError::ShutDown)?;
    let id = node.next_id();
    let new_room = async || room(&launcher, &spec, id.clone()).await;
    let resident = seeds.resident(version, memory, &launcher, new_room).await?;
    let Some(Resident {
        seed,
        room: made_in,
    }) = resident
    else {
        return Ok(None);
    };
    let made = made_in.is_some();
    let restored = begun.elapsed();
    let grant = node.roles().grant(&spec, purpose);
    let grant = grant.map_err(pipes(&spec))?;
    let told = grant.iter().flat_map(Grant::variables);
    let own = ClonesOwn::new(&spec, seeds.rules().secret(&spec), told)?;
    let stream = format!("{id}-{}", spec.version.trim_start_matches('$'));
    // The sandbox in which the template was made is the clone's.
    let taken = match made_in {
        Some(taken) => taken,
        None => new_room().await?,
    };
    let credentials = match &grant {
        Some(grant) => Some(grant.serve(&launcher, &taken, &spec).await?),
        None => None,
    };
    let sandboxed = begun.elapsed();
    let pipe = pipes(&spec);
    let (output, output_end) = OutputPipe::new().map_err(&pipe)?;
    let made_talk = of_clone(&launcher, &taken, &seed, &spec).await;
    let (transport, talk) = made_talk.map_err(&pipe)?;
    let (wake, park) = if parked {
        let (park, wake) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|errno| pipe(errno.into()))?;
        (Some(wake), Some(park))
    } else {
        (None, None)
    };
    let outfit = Outfit {
        taken,
        output: output_end,
        talk,
        park,
        watch: version.takes_lesson(&seed),
    };
    let watched = outfit.watch.then(|| Arc::clone(version));
    let (taken, waits, cloned) = multiply(&seed, outfit).await;
    if version.is_crowded(waits) {
        node.grow(Arc::clone(version), Arc::clone(&spec));
    }
    let cloned = match cloned {
        Ok(cloned) => cloned,
        Err(error) => {
            drop(credentials);
            return Err(undo(&launcher, taken, version, &seed, error).await);
        }
    };
    let token = cloned.token;
    let listed = node.clones().list(CloneInfo {
        instance: id.clone(),
        image: seed.name().to_string(),
        pid: cloned.pid,
    });
    let adopted = Adopted {
        id,
        pid: cloned.pid,
        pidfd: cloned.pidfd,
        uncharged_bytes: seed.copied_bytes(),
        took: begun.elapsed(),
    };
    let sandbox = launcher.adopt(taken.occupied(), adopted).map_err(&pipe)?;
    let birth = if parked {
        // Nobody has waited for it.
        Birth {
            rung: Rung::Parked,
            ..Birth::default()
        }
    } else {
        Birth {
            rung: if made { Rung::Restore } else { Rung::Clone },
            restore: restored,
            sandbox: sandboxed - restored,
            fork: begun.elapsed() - sandboxed,
            ..Birth::default()
        }
    };
    Ok(Some(Instance {
        sandbox,
        transport,
        output,
        scribe: Scribe::new(Arc::clone(node.logs()), &spec, stream),
        spec,
        alarm: Alarm::default(),
        birth: Some(birth),
        wake,
        origin: Some((seed, token)),
        listed: Some(listed),
        watched,
        own,
        credentials,
    }))
}

/// The fork itself blocks for as long as the template needs. The flag says whether others came first.
async fn multiply(seed: &Arc<Seed>, outfit: Outfit) -> (Taken, bool, Result<Cloned, ForkError>) {
    let seed = Arc::clone(seed);
    let forked = tokio::task::spawn_blocking(move || {
        let waits = seed.waiting() > 0;
        let cloned = fork_into(&seed, &outfit);
        (outfit.taken, waits, cloned)
    });
    match forked.await {
        Ok(forked) => forked,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn fork_into(seed: &Seed, outfit: &Outfit) -> Result<Cloned, ForkError> {
    let join = outfit.taken.join().ok_or(ForkError::Ended)?;
    let tasks: Vec<BorrowedFd<'_>> = join.tasks.iter().map(AsFd::as_fd).collect();
    let output = outfit.output.as_fd();
    seed.fork(&Given {
        sandbox: SandboxJoin {
            pidfd: join.pidfd,
            namespaces: join.namespaces,
            cgroup: Some(join.cgroup),
            tasks: &tasks,
        },
        who: Who {
            user: join.uid,
            group: join.uid,
            capabilities: 0,
        },
        files: &[
            (1, output),
            (2, output),
            (outfit.talk.number, outfit.talk.file.as_fd()),
        ],
        park: outfit.park.as_ref().map(AsFd::as_fd),
        watch: outfit.watch,
    })
}

/// Gives the sandbox back in which no clone came to be.
async fn undo(
    launcher: &Launcher,
    taken: Taken,
    version: &Version,
    seed: &Arc<Seed>,
    error: ForkError,
) -> NodeError {
    launcher.recycle(taken.occupied().end()).await;
    if is_end(&error) {
        version.lost(seed, &error);
    }
    NodeError::Fork {
        function: version.function().to_owned(),
        source: error,
    }
}

/// Whether the template is no good any more.
fn is_end(error: &ForkError) -> bool {
    matches!(
        error,
        ForkError::Ended | ForkError::Silent | ForkError::Talk(_)
    )
}

fn pipes(spec: &InstanceSpec) -> impl Fn(io::Error) -> NodeError + use<> {
    let function = spec.function.to_string();
    move |source| NodeError::Pipe {
        what: "pipes",
        function: function.clone(),
        source,
    }
}
