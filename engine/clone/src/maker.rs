//! The process that becomes a template: it has an image checked by a process without rights, looks over what came of it,
//! opens the files, and executes the stub.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use offshoot_image::Key;
use offshoot_image::model::FileIdentity;
use offshoot_plan::{Header, Refused, fd};
use offshoot_sys::clone::{CloneRequest, FreshChild, spawn};
use offshoot_sys::{fds, packet};
use rustix::fs::{FileType, MemfdFlags, Mode, OFlags, ResolveFlags, openat2};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::compile::Compilation;
use crate::file_user;
use crate::identity;
use crate::machine::this_machine;
use crate::reader::{Seed, SeedFile, read};
use crate::recipe::{Recipe, Rest};
use crate::wire::{self, Birth, Make};

/// Longest message of a reader.
const MAX_SEED_BYTES: u64 = offshoot_plan::PLAN_MAX_BYTES + (4 << 20);
/// Whom a reader becomes: nobody.
const NOBODY: u32 = 65_534;

/// Why there is no template; as text, because it crosses to another process.
type Refusal = String;

/// What is executed.
#[derive(Clone, Copy)]
pub(crate) struct Stub<'a> {
    pub(crate) program: &'a OwnedFd,
    /// The template's number, by which it chooses a processor.
    pub(crate) number: u32,
}

/// What came with a request.
pub(crate) struct Given<'a> {
    /// How a template of these images was made before.
    pub(crate) recipe: Option<&'a Recipe>,
    /// The directory from which files are opened, if not our own root.
    pub(crate) root: Option<&'a OwnedFd>,
    pub(crate) images: &'a [OwnedFd],
}

/// Becomes a template. Returns only when that fails, having said why on the control socket.
pub(crate) fn become_template(
    child: &FreshChild,
    make: &Make,
    control: &OwnedFd,
    stub: Stub<'_>,
    given: &Given<'_>,
) -> u8 {
    let Err(refusal) = try_become(child, make, control, stub, given);
    if let Ok(bytes) = wire::encode(&Birth::Refused(refusal)) {
        let _ = packet::send(control.as_fd(), &bytes, &[]);
    }
    1
}

fn try_become(
    child: &FreshChild,
    make: &Make,
    control: &OwnedFd,
    stub: Stub<'_>,
    given: &Given<'_>,
) -> Result<std::convert::Infallible, Refusal> {
    let recipe = match given.recipe {
        Some(recipe) => recipe,
        None => &write_recipe(child, make, given.images)?,
    };
    let rest = recipe
        .read_rest()
        .map_err(|error| failed("the recipe", &error))?;
    let files = file_user::with(make.files_as, || {
        let files = rest.files.iter();
        files
            .map(|file| open(file, given))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let needs = wire::encode(&Birth::Needs(rest.substituted))
        .map_err(|error| failed("the answer", &error))?;
    let parts = [recipe.plan.as_fd(), recipe.rest.as_fd()];
    packet::send(control.as_fd(), &needs, &parts)
        .map_err(|error| failed("the answer", &error.into()))?;
    execute(child, rest.fd_base, control, &recipe.plan, stub, &files)
        .map_err(|error| failed("the stub", &error))
}

/// From images to a recipe.
fn write_recipe(child: &FreshChild, make: &Make, images: &[OwnedFd]) -> Result<Recipe, Refusal> {
    let mut seed = read_without_rights(child, make, images)?;
    let header = check(&seed)?;
    identity::skip_if_own(&mut seed.plan);
    if let Some(confined) = &make.confined {
        confined.append(&mut seed.plan)?;
    }
    let rest = Rest {
        fd_base: header.fd_base,
        files: seed.files,
        substituted: seed.substituted,
    };
    Recipe::new(&seed.plan, &rest).map_err(|error| failed("the recipe", &error))
}

fn failed(what: &str, error: &io::Error) -> Refusal {
    format!("{what}: {error}")
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Has a child that gives up all rights check and compile the image.
fn read_without_rights(
    child: &FreshChild,
    make: &Make,
    images: &[OwnedFd],
) -> Result<Seed, Refusal> {
    let answer = rustix::fs::memfd_create(c"seed", MemfdFlags::CLOEXEC)
        .map_err(|error| failed("memory for the image's reader", &error.into()))?;
    let mut answer = File::from(answer);
    // Needs rights: a process that has changed who it is cannot read its own memory.
    let machine = this_machine().map_err(|error| chain(&error))?;
    let spawned = spawn(child.single_thread(), &CloneRequest::default(), |_| {
        let how = Compilation {
            memory: make.memory,
            is_confined: make.confined.is_some(),
        };
        let seed = give_up_rights()
            .map_err(|error| failed("the reader cannot give up its rights", &error))
            .and_then(|()| {
                read(
                    images,
                    &Key(make.key),
                    how,
                    make.images_to_check,
                    &machine,
                    make.profile.as_ref(),
                )
                .map_err(|error| chain(&error))
            });
        let written = wire::encode(&seed).and_then(|bytes| (&answer).write_all(&bytes));
        u8::from(written.is_err())
    })
    .map_err(|error| failed("the image's reader", &error))?;
    let pid = rustix::process::Pid::from_raw(spawned.pid);
    let status = rustix::process::waitpid(pid, rustix::process::WaitOptions::empty());
    let ended_well = matches!(status, Ok(Some((_, status))) if status.exit_status() == Some(0));
    if !ended_well {
        return Err("the image's reader died: the image may be hostile".into());
    }
    let mut bytes = Vec::new();
    answer
        .rewind()
        .and_then(|()| {
            io::Read::read_to_end(&mut io::Read::take(answer, MAX_SEED_BYTES), &mut bytes)
        })
        .map_err(|error| failed("the reader's answer", &error))?;
    wire::decode::<Result<Seed, Refusal>>(&bytes)
        .map_err(|error| failed("the reader's answer", &error))?
}

/// No capability, nobody's user, and no way back.
fn give_up_rights() -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let user = rustix::process::Uid::from_raw(NOBODY);
    let group = rustix::process::Gid::from_raw(NOBODY);
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(group, group, group)?;
    rustix::thread::set_thread_res_uid(user, user, user)?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )?;
    Ok(())
}

/// Looks a plan over: it was made by a process that read bytes which nobody vouches for.
fn check(seed: &Seed) -> Result<Header, Refusal> {
    let refused = |why: Refused| format!("the plan is refused: {why:?}");
    offshoot_plan::check(&seed.plan)
        .and_then(|()| Header::from_bytes(&seed.plan).ok_or(Refused::Header))
        .and_then(|header| {
            let agrees = header.file_count as usize == seed.files.len();
            agrees.then_some(header).ok_or(Refused::Header)
        })
        .map_err(refused)
}

fn open(file: &SeedFile, given: &Given<'_>) -> Result<OwnedFd, Refusal> {
    match file {
        SeedFile::Image(generation) => given
            .images
            .get(usize::from(*generation))
            .ok_or_else(|| format!("image {generation} of the chain is missing"))?
            .try_clone()
            .map_err(|error| failed("an image", &error)),
        SeedFile::Named(identity) => open_named(identity, OFlags::RDONLY, given.root),
        SeedFile::Writable(identity) => open_named(identity, OFlags::RDWR, given.root),
    }
}

/// Opens a file that the program had mapped, if it still is that file.
fn open_named(
    identity: &FileIdentity,
    mode: OFlags,
    root: Option<&OwnedFd>,
) -> Result<OwnedFd, Refusal> {
    let path = Path::new(std::ffi::OsStr::from_bytes(&identity.path));
    let shown = path.display();
    let flags = mode | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let opened = match root {
        // Links lead, as they did for the seed, to what is in that root.
        Some(root) => {
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            openat2(root, path, flags, Mode::empty(), resolve)
        }
        None => rustix::fs::open(path, flags, Mode::empty()),
    };
    let file = opened.map_err(|errno| {
        format!("the program has {shown} mapped, which cannot be opened: {errno}")
    })?;
    let found = rustix::fs::fstat(&file).map_err(|errno| format!("{shown}: {errno}"))?;
    if !FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(format!(
            "the program has {shown} mapped, which is no regular file any more"
        ));
    }
    let modified_ns = found.st_mtime * 1_000_000_000 + found.st_mtime_nsec as i64;
    if identity.pinned
        && (found.st_size as u64 != identity.bytes || modified_ns != identity.modified_ns)
    {
        return Err(format!(
            "{shown} has changed since the checkpoint: make the image again, from a program that has the new file mapped"
        ));
    }
    Ok(file)
}

/// Executes the stub with its descriptors where the plan has them.
fn execute(
    child: &FreshChild,
    fd_base: u32,
    control: &OwnedFd,
    plan: &OwnedFd,
    stub: Stub<'_>,
    files: &[OwnedFd],
) -> io::Result<std::convert::Infallible> {
    let clocks = rustix::fs::open(
        "/proc/self/timens_offsets",
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let pids = rustix::fs::open(
        "/proc/self/ns/pid",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let own = |number: u32| (fd_base + number) as i32;
    let mut wanted: Vec<(BorrowedFd<'_>, i32)> = vec![
        (control.as_fd(), own(fd::CONTROL)),
        (plan.as_fd(), own(fd::PLAN)),
        (pids.as_fd(), own(fd::PID_NAMESPACE)),
    ];
    if let Ok(clocks) = &clocks {
        wanted.push((clocks.as_fd(), own(fd::CLOCKS)));
    }
    for (index, file) in files.iter().enumerate() {
        wanted.push((file.as_fd(), own(fd::FILES + index as u32)));
    }
    // Out of the way first: a place may be where another one lies.
    let above = fd_base as i32 + fd::FILES as i32 + files.len() as i32;
    let program = rustix::io::fcntl_dupfd_cloexec(stub.program, above)?;
    let moved = wanted
        .iter()
        .map(|(file, number)| Ok((rustix::io::fcntl_dupfd_cloexec(file, above)?, *number)))
        .collect::<io::Result<Vec<_>>>()?;
    for (file, number) in &moved {
        fds::place(child, file.as_fd(), *number)?;
    }
    let path = format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&program)
    );
    Err(Command::new(path)
        .arg0("offshoot-template")
        .arg(fd_base.to_string())
        .arg(stub.number.to_string())
        .env_clear()
        .exec())
}
