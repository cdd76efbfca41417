//! `offshoot clone`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};
use offshoot_clone::{
    Confinement, FileUser, Fork, Keeper, Memory, PathRules, Template, TemplateSpec, Who,
    setup_calls,
};
use offshoot_sandbox::ProgramRules;

use super::ghosts::{Ghosts, Room};
use super::learn::{self, LearnArgs};
use super::place::{self, PlaceArgs};
use super::rows::{self, Row};
use crate::cli::Context;
use crate::hidden::TEMPLATES;
use crate::report::{Failure, Kind};

/// A user who owns nothing.
const NOBODY: u32 = 65534;

/// Which image, and how many clones.
#[derive(Debug, Args)]
pub struct CloneArgs {
    /// The image
    name: String,
    /// How many clones
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    number: u32,
    /// Let each clone wait, ready to run, until you press Enter (or standard input ends)
    #[arg(long)]
    park: bool,
    /// Give a descriptor that comes from outside a file; an n in braces in the path is the clone's number. 0, 1 and 2 are
    /// this command's own unless given; /dev/fd/M passes descriptor M of this command on
    #[arg(long = "fd", value_name = "N=PATH", value_parser = substitution)]
    fds: Vec<(u32, String)>,
    /// Where the template's memory lives
    #[arg(long, value_enum, default_value_t = Backing::Local)]
    backing: Backing,
    /// Become this user and group (numbers), without capabilities, whoever the seed was
    #[arg(long, value_name = "UID[:GID]", value_parser = who)]
    user: Option<Who>,
    /// Put each clone into a sandbox of its own: namespaces, control groups, user, limits, filter of system calls,
    /// no network. Files that the image names are opened as nobody. The sandboxes end with this command
    #[arg(long, conflicts_with_all = ["user", "detach"])]
    sandbox: bool,
    /// Do not wait for the clones to end
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    learn: LearnArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Where a template's memory lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backing {
    /// Writable memory is copied into the template once
    Local,
    /// Everything is mapped from the pool: less memory
    Mapped,
}

fn substitution(text: &str) -> Result<(u32, String), String> {
    let (number, path) = text
        .split_once('=')
        .ok_or("write N=PATH, such as 1=out.txt")?;
    let number = number
        .parse()
        .map_err(|_| format!("{number:?} is no descriptor"))?;
    Ok((number, path.to_owned()))
}

fn who(text: &str) -> Result<Who, String> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| {
        text.parse()
            .map_err(|_| format!("{text:?} is no number: write UID or UID:GID, such as 1000:1000"))
    };
    Ok(Who {
        user: number(user)?,
        group: number(group)?,
        capabilities: 0,
    })
}

/// Runs the command. Exits with 0 if all clones exited with 0.
pub fn run(args: &CloneArgs, context: &Context) -> Result<ExitCode, Failure> {
    let pool = args.place.open()?;
    let name = place::name(&args.name)?;
    let lineage = pool
        .open_lineage(&name)
        .map_err(|error| place::unopened(&error))?;
    let seed = (lineage.image.id(), lineage.manifest);
    let images: Vec<OwnedFd> = std::iter::once(lineage.image)
        .chain(lineage.ancestors)
        .map(OwnedFd::from)
        .collect();
    let program =
        std::env::current_exe().map_err(|error| Failure::from_error(Kind::Environment, &error))?;
    let mut keeper = Keeper::start(&program, &[TEMPLATES])
        .map_err(|error| Failure::from_error(Kind::Environment, &error))?;
    let rules = args.sandbox.then(|| ProgramRules::new(&setup_calls()));
    let spec = TemplateSpec {
        images: &images,
        key: pool.key(),
        memory: match args.backing {
            Backing::Local => Memory::Local,
            Backing::Mapped => Memory::Mapped,
        },
        recipe: None,
        images_to_check: images.len(),
        confinement: rules.as_ref().map(confinement),
        profile: None,
        files_as: files_as(args),
        root: None,
    };
    let template = keeper.template(&spec);
    rows::warn_of_restarts(&keeper, context);
    let mut template = template.map_err(|error| Failure::from_error(Kind::Failed, &error))?;
    let mut ghosts = args.sandbox.then(Ghosts::start).transpose()?;
    let mut rows = fork_all(args, &mut template, ghosts.as_mut(), context)?;
    if let Some(row) = rows.first() {
        learn::learn(&args.learn, &pool, seed, row.cloned.pid, context)?;
    }
    if !args.detach {
        rows::await_all(&mut keeper, &mut rows, context)?;
    }
    if let Some(ghosts) = ghosts {
        ghosts.end();
    }
    rows::report(&rows, context)?;
    let all_well = args.detach || rows.iter().all(Row::is_well);
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Kind::Failed.exit_code())
    })
}

/// What a program of a sandbox has, for clones.
fn confinement(rules: &ProgramRules) -> Confinement<'_> {
    Confinement {
        inherited: &rules.inherited,
        last: &rules.last,
        limits: &rules.limits,
        paths: rules.paths.as_ref().map(|paths| PathRules {
            handled: paths.handled,
            flags: paths.flags,
            beneath: &paths.beneath,
        }),
    }
}

/// As whom a template opens the files that its image names.
fn files_as(args: &CloneArgs) -> Option<FileUser> {
    let nobody = args.sandbox.then_some(FileUser {
        user: NOBODY,
        group: NOBODY,
    });
    let user = args
        .user
        .map(|Who { user, group, .. }| FileUser { user, group });
    nobody.or(user)
}

/// Makes the clones; waits until each of them runs.
fn fork_all(
    args: &CloneArgs,
    template: &mut Template,
    mut ghosts: Option<&mut Ghosts>,
    context: &Context,
) -> Result<Vec<Row>, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::from_error(Kind::Failed, error);
    // Of a pipe the clones have one end only: they end with this command if it ends before it wakes them.
    let park = if args.park {
        let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        Some(pipe.map_err(|errno| failed(&errno))?)
    } else {
        None
    };
    let mut rows: Vec<Row> = Vec::new();
    for clone in 1..=args.number {
        let files = open_all(args, template, clone)?;
        let substitutions: Vec<(u32, BorrowedFd<'_>)> = files
            .iter()
            .map(|(number, file)| (*number, file.as_fd()))
            .collect();
        let room = ghosts.as_ref().map(|ghosts| ghosts.room()).transpose()?;
        let tasks = room.as_ref().map(Room::tasks).unwrap_or_default();
        let joined = room.as_ref().and_then(|room| room.join(&tasks));
        let (sandbox, who) = joined.unzip();
        let begun = Instant::now();
        let fork = Fork {
            sandbox,
            substitutions: &substitutions,
            park: park.as_ref().map(|(waiting, _)| waiting.as_fd()),
            confirm: !args.park,
            who: who.or(args.user),
            watch: args.learn.learn.is_some(),
        };
        let cloned = template.fork(&fork).map_err(|error| failed(&error))?;
        rows.push(Row::new(clone, cloned, begun.elapsed()));
        drop(tasks);
        if let (Some(ghosts), Some(room)) = (ghosts.as_mut(), room) {
            ghosts.occupy(room);
        }
    }
    for Row { cloned, .. } in &rows {
        let awaited = if args.park {
            template.await_parked(cloned)
        } else {
            template.await_running(cloned)
        };
        awaited.map_err(|error| failed(&error))?;
    }
    if let Some((_, wake)) = park {
        context.console.note("parked: press Enter to wake");
        let _ = std::io::stdin().read_line(&mut String::new());
        let words = vec![1; 8 * rows.len()];
        let woken = File::from(wake).write_all(&words);
        woken.map_err(|error| {
            Failure::new(
                Kind::Failed,
                format!("the clones could not be woken: {error}"),
            )
        })?;
    }
    Ok(rows)
}

/// A file for each descriptor that comes from outside.
fn open_all(
    args: &CloneArgs,
    template: &Template,
    clone: u32,
) -> Result<BTreeMap<u32, OwnedFd>, Failure> {
    let mut files = BTreeMap::new();
    for (number, path) in &args.fds {
        let path = path.replace("{n}", &clone.to_string());
        files.insert(*number, open(&path)?);
    }
    for need in template.needs() {
        let own = match need.number {
            0 => std::io::stdin().as_fd().try_clone_to_owned(),
            1 => std::io::stdout().as_fd().try_clone_to_owned(),
            2 => std::io::stderr().as_fd().try_clone_to_owned(),
            _ => continue,
        };
        if let (Ok(own), std::collections::btree_map::Entry::Vacant(entry)) =
            (own, files.entry(need.number))
        {
            entry.insert(own);
        }
    }
    Ok(files)
}

/// Opens a file for reading and writing if it may be, and makes it if need be.
fn open(path: &str) -> Result<OwnedFd, Failure> {
    // Sockets and pipes cannot be opened by such a path, but they can be passed on.
    let own = path
        .strip_prefix("/dev/fd/")
        .and_then(|number| number.parse().ok());
    if let Some(number) = own {
        return duplicate(number).map_err(|errno| {
            Failure::new(
                Kind::Usage,
                format!("cannot pass on descriptor {number}: {errno}"),
            )
        });
    }
    let both = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    let file = both.or_else(|_| File::open(path));
    file.map(OwnedFd::from).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("cannot open {path} for a clone: {error}"),
        )
    })
}

/// One of this process's own descriptors, by its number.
fn duplicate(number: i32) -> rustix::io::Result<OwnedFd> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    pidfd_getfd(own, number, PidfdGetfdFlags::empty())
}
