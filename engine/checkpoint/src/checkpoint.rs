//! The steps of a checkpoint, in order.

use std::collections::BTreeSet;
use std::error::Error;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use offshoot_image::ImageId;
use offshoot_image::model::{Manifest, Profile};
use offshoot_pool::{ImageName, NewImage, Pool};
use offshoot_trace::{Frozen, Memory, Pagemap};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::family::Family;
use crate::files::{Others, Place, Tables, Target};
use crate::images::Images;
use crate::interview::{self, Questions};
use crate::pieces::{Owner, Piece};
use crate::sources::Sources;
use crate::space::Space;
use crate::store::{self, Store};
use crate::trapped::Trapped;
use crate::window::Window;
use crate::{
    CheckpointError, Refusal, admission, files, machine, pieces, proc, process, restart, smaps,
    space, thread, vdso,
};

/// How long a thread may take to stop.
const PATIENCE: Duration = Duration::from_secs(2);
/// First address behind user space.
const USER_END: u64 = 0x7fff_ffff_f000;
const PAGE_BYTES: usize = 4096;

/// Judges an image by what is in it, before it has a name: its manifest, and the file with the pages that the manifest's
/// runs of generation 0 name. An error is the reason why there must be no such image.
pub type Review<'a> =
    dyn Fn(&Manifest, &NewImage) -> Result<(), Box<dyn Error + Send + Sync>> + Sync + 'a;

/// What is wanted of a checkpoint.
#[derive(Debug, Clone)]
pub struct Options {
    /// The image's name in the pool.
    pub name: ImageName,
    /// Descriptors for which whoever makes a clone gives files.
    pub external: BTreeSet<u32>,
    /// Whether the process goes on. Otherwise it is ended when the image is sealed, and does not run in between.
    pub leave_running: bool,
    /// An image whose pages are referred to instead of being stored again, where they are equal.
    pub parent: Option<ImageName>,
    /// Whether templates may map their memory from the pool. For those, pages that equal their file's are stored as well
    /// (others map the file), and a few pages of the parent's again, as each stretch costs them a mapping.
    pub for_mapping: bool,
}

/// What a checkpoint has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The image.
    pub id: ImageId,
    /// How long the process did not run, in microseconds; until its end if it was not left running.
    pub freeze_us: u64,
    /// How long it all took, in microseconds.
    pub total_us: u64,
    /// Threads.
    pub threads: usize,
    /// Mappings, without the kernel's own.
    pub mappings: usize,
    /// Runs of pages.
    pub runs: usize,
    /// Pages that this image stores.
    pub pages: u64,
    /// Pages that the parent, or one of its ancestors, stores.
    pub parent_pages: u64,
    /// Length of the image file, in bytes; its holes take no memory.
    pub bytes: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Memfds, shared memory and nameless files in the image.
    pub contents: usize,
}

/// Writes an image of a running process into a pool. On any error the process goes on as if nothing had happened, and
/// the pool has no new image.
///
/// Blocks the calling thread; the work is done on a thread of its own, whose end releases the process whatever happens.
///
/// # Errors
/// See [`CheckpointError`]. Only [`CheckpointError::Kill`] leaves an image behind.
pub fn checkpoint(pid: u32, options: &Options, pool: &Pool) -> Result<Report, CheckpointError> {
    checkpoint_reviewed(pid, options, pool, &|_, _| Ok(()))
}

/// The same, if `review` has nothing against the image. It is called when all pages are written and nothing has a name
/// yet: what it refuses was never in the pool. The process stands still meanwhile, unless it is left running.
///
/// # Errors
/// See [`CheckpointError`]; [`CheckpointError::Rejected`] has what `review` said.
pub fn checkpoint_reviewed(
    pid: u32,
    options: &Options,
    pool: &Pool,
    review: &Review<'_>,
) -> Result<Report, CheckpointError> {
    let span = tracing::info_span!("checkpoint", pid, image = options.name.as_str());
    let result = std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("checkpoint".to_owned());
        let spawned =
            worker.spawn_scoped(scope, || span.in_scope(|| run(pid, options, pool, review)));
        match spawned.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(source) => Err(CheckpointError::Thread { source }),
        }
    });
    if let Err(error) = &result {
        tracing::debug!(pid, %error, "no checkpoint");
    }
    result
}

fn run(
    pid: u32,
    options: &Options,
    pool: &Pool,
    review: &Review<'_>,
) -> Result<Report, CheckpointError> {
    let began = Instant::now();
    let target = open(pid)?;
    admission::check(pid)?;
    let family = match &options.parent {
        Some(name) => Some(Family::open(pool, name)?),
        None => None,
    };
    let image = pool
        .create(&options.name)
        .map_err(|source| store::refused(&options.name, source))?;
    let mut window = Window::new(pid, expected_bytes(pid)?)?;
    let mut store = Store::new(pid, &image, family.as_ref(), options.for_mapping);

    let images = Images::of(pid, pool)?;
    let mut others = Others::look(&target, &options.external);

    let frozen_at = Instant::now();
    let mut frozen = freeze(pid, &target)?;
    let mut draft = read(&mut frozen, &target, options, &mut others, &images)?;
    draft.manifest.parent = family.as_ref().and_then(Family::id);
    copy(&mut draft.now, &mut draft.sources, &mut window, &mut store)?;
    let mut freeze_us = micros(frozen_at);
    let held = if options.leave_running {
        frozen.thaw();
        freeze_us = micros(frozen_at);
        None
    } else {
        Some(frozen)
    };

    window.drain(|part, bytes| store.put(part, bytes))?;
    copy(
        &mut draft.later,
        &mut draft.sources,
        &mut window,
        &mut store,
    )?;
    window.drain(|part, bytes| store.put(part, bytes))?;
    let report = Report {
        id: ImageId([0; 32]),
        freeze_us,
        total_us: 0,
        threads: draft.manifest.threads.len(),
        mappings: draft.manifest.mappings.len(),
        runs: 0,
        pages: store.stored_pages,
        parent_pages: store.shared_pages,
        bytes: 0,
        descriptors: draft.manifest.descriptors.len(),
        contents: draft.manifest.contents.len(),
    };
    let manifest = with_runs(draft.manifest, &mut store);
    review(&manifest, &image).map_err(|source| CheckpointError::Rejected {
        name: options.name.as_str().to_owned(),
        source,
    })?;
    let mut report = seal(&manifest, image, report)?;
    if let Some(held) = held {
        pidfd_send_signal(target.pidfd(), Signal::KILL).map_err(|errno| CheckpointError::Kill {
            pid,
            source: errno.into(),
        })?;
        drop(held);
        report.freeze_us = micros(frozen_at);
    }
    report.total_us = micros(began);
    tracing::info!(
        pages = report.pages,
        freeze_us = report.freeze_us,
        "checkpoint made"
    );
    Ok(report)
}

/// What has been read of a frozen process.
struct Draft {
    /// Everything but the runs.
    manifest: Manifest,
    sources: Sources,
    /// What must be copied while the process is frozen, in reverse order.
    now: Vec<Piece>,
    /// What can be copied later, in reverse order.
    later: Vec<Piece>,
}

fn open(pid: u32) -> Result<Target, CheckpointError> {
    let missing = |source| CheckpointError::NoProcess { pid, source };
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let raw = raw.ok_or_else(|| missing(std::io::ErrorKind::InvalidInput.into()))?;
    let pidfd: OwnedFd =
        pidfd_open(raw, PidfdFlags::empty()).map_err(|errno| missing(errno.into()))?;
    Ok(Target::new(raw, pidfd))
}

/// How much there may be to copy: what is in memory now, and an eighth for what comes until the process is frozen.
fn expected_bytes(pid: u32) -> Result<usize, CheckpointError> {
    let bytes = proc::read(pid, "statm")?;
    let text = String::from_utf8_lossy(&bytes);
    let resident = text
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse::<usize>().ok());
    let pages = resident.ok_or_else(|| proc::malformed(pid, "statm", "resident size"))?;
    Ok(pages
        .saturating_add(pages / 8)
        .saturating_add(64)
        .saturating_mul(PAGE_BYTES))
}

fn freeze(pid: u32, target: &Target) -> Result<Frozen, CheckpointError> {
    let mut frozen =
        Frozen::freeze(pid, PATIENCE).map_err(|source| CheckpointError::Trace { pid, source })?;
    for tracee in frozen.threads_mut() {
        restart::undo_interruption(pid, tracee)?;
    }
    // The id may have gone to another process before it was stopped; the pidfd has not.
    let mut polled = [PollFd::from_borrowed_fd(target.pidfd(), PollFlags::IN)];
    match poll(
        &mut polled,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    ) {
        Ok(0) => {}
        _ => return Err(Refusal::Ended { pid }.into()),
    }
    admission::check_frozen(
        pid,
        frozen.threads().iter().map(offshoot_trace::Tracee::tid),
    )?;
    Ok(frozen)
}

/// Reads everything but the bytes of pages.
fn read(
    frozen: &mut Frozen,
    target: &Target,
    options: &Options,
    others: &mut Others,
    images: &Images,
) -> Result<Draft, CheckpointError> {
    let pid = frozen.pid();
    let trace = |source| CheckpointError::Trace { pid, source };
    let memory = Memory::open(pid).map_err(|source| CheckpointError::Proc {
        path: format!("/proc/{pid}/mem"),
        source,
    })?;
    // Before the scratch page of the interview is there.
    let areas = smaps::parse(&proc::read(pid, "smaps")?)
        .ok_or_else(|| proc::malformed(pid, "smaps", "list of mappings"))?;
    let vdso = vdso::find(pid, &areas, &memory)?;

    let tids: Vec<u32> = frozen
        .threads()
        .iter()
        .map(offshoot_trace::Tracee::tid)
        .collect();
    let shared = process::read(pid, &frozen.threads()[0], &tids)?;
    let trapped = Trapped::find(&frozen.threads()[0], &memory);
    let ignores_trap = shared.ignores_trap()?;
    let mut threads = Vec::with_capacity(tids.len());
    for tracee in frozen.threads_mut() {
        vdso.step_out(pid, tracee, ignores_trap)?;
        let reading = thread::read(pid, tracee, &memory)?;
        if reading.filtered {
            tracee.suspend_seccomp().map_err(trace)?;
        }
        threads.push(reading);
    }
    thread::require_one_identity(&threads, &tids)?;
    let questions = Questions {
        signals: shared.handled_signals()?,
        timers: shared.timers.iter().map(|timer| timer.id).collect(),
    };
    let (process_answers, answers) = interview::ask(frozen, &memory, vdso.syscall_at, &questions)?;

    let mut tables = Tables::default();
    let Place::File(executable) = tables.place(target, "exe", true)? else {
        return Err(Refusal::Executable { pid }.into());
    };
    files::read(target, &options.external, others, &mut tables)?;
    let regions = Pagemap::open(pid)
        .and_then(|pagemap| pagemap.scan(0, USER_END))
        .map_err(|source| CheckpointError::Proc {
            path: format!("/proc/{pid}/pagemap"),
            source,
        })?;
    let Space {
        mappings,
        mut pieces,
    } = space::survey(
        &areas,
        &regions,
        &memory,
        images,
        target,
        &mut tables,
        options.for_mapping,
    )?;
    tables.refuse_shared(target, &space::exposed(&mappings), others)?;
    for (index, source) in tables.contents.iter().enumerate() {
        let found = pieces::of_content(index, source.content.bytes, &source.reader);
        pieces.extend(found.map_err(|errno| CheckpointError::Memory {
            what: format!("a memory file of process {pid}"),
            source: errno.into(),
        })?);
    }
    pieces.reverse();
    let (later, now) = pieces.into_iter().partition(Piece::can_wait);
    let mut manifest = Manifest {
        machine: machine::describe(vdso.vdso),
        parent: None,
        process: shared.with(process_answers, executable)?,
        threads: threads
            .into_iter()
            .zip(&answers)
            .map(|(reading, said)| reading.with(said))
            .collect(),
        mappings,
        contents: tables
            .contents
            .iter()
            .map(|source| source.content.clone())
            .collect(),
        files: tables.files.clone(),
        pipes: tables.pipes,
        sockets: tables.sockets,
        open_files: tables.open_files,
        descriptors: tables.descriptors,
        profile: Profile::default(),
    };
    if let Some(trapped) = trapped {
        trapped.hide(&mut manifest);
    }
    let sources = Sources::open(pid, memory, tables.contents, tables.files)?;
    Ok(Draft {
        manifest,
        sources,
        now,
        later,
    })
}

/// Copies pieces into the window; what does not fit into it is written at once.
fn copy(
    pieces: &mut Vec<Piece>,
    sources: &mut Sources,
    window: &mut Window,
    store: &mut Store<'_>,
) -> Result<(), CheckpointError> {
    loop {
        window.fill(pieces, sources)?;
        if pieces.is_empty() {
            return Ok(());
        }
        window.drain(|part, bytes| store.put(part, bytes))?;
    }
}

fn with_runs(mut manifest: Manifest, store: &mut Store<'_>) -> Manifest {
    for (index, mapping) in manifest.mappings.iter_mut().enumerate() {
        mapping.runs = store.take_runs(Owner::Mapping(index));
    }
    for (index, content) in manifest.contents.iter_mut().enumerate() {
        content.runs = store.take_runs(Owner::Content(index));
    }
    manifest
}

fn seal(manifest: &Manifest, image: NewImage, report: Report) -> Result<Report, CheckpointError> {
    let name = image.name().clone();
    let sealed = image
        .finish(manifest)
        .map_err(|source| store::refused(&name, source))?;
    let of_mappings = manifest.mappings.iter().map(|mapping| mapping.runs.len());
    let of_contents = manifest.contents.iter().map(|content| content.runs.len());
    Ok(Report {
        id: sealed.id(),
        runs: of_mappings.chain(of_contents).sum(),
        bytes: sealed.header().file_bytes,
        ..report
    })
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
