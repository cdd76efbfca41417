//! From an image's manifest to a plan. Pure: nothing is opened, nothing is asked of the kernel.

mod builder;
mod contents;
mod descriptors;
mod frame;
mod huge;
mod memory;
mod numbers;
mod pin;
mod process;
mod profile;
mod ranges;
mod sockets;
mod threads;
mod touch;
mod traps;

use offshoot_image::model::{Backing, Manifest, OpenFileKind, SeccompMode, SpecialKind};
use offshoot_plan::{Credentials, Header, Special, fd};
use serde::{Deserialize, Serialize};

use crate::Memory;

use builder::Builder;
pub use builder::PlanFile;

/// The stub's descriptors lie above the program's, and above this.
const LEAST_FD_BASE: u32 = 64;
/// Descriptors of programs are below this: the table of each clone reaches up to them.
const MOST_DESCRIPTOR: u32 = 65_536;

/// Why an image cannot be made a template.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CompileError {
    /// The plan would be too long.
    #[error("the plan would be {plan_bytes} bytes long and name {files} files, which is too much")]
    TooLarge {
        /// Its length.
        plan_bytes: usize,
        /// How many files it would name.
        files: usize,
    },
    /// A filter cannot be carried, and without it the program could do more than it could.
    #[error(
        "the program runs under a seccomp filter, which cannot be read back: clone it into a sandbox that has one"
    )]
    Seccomp,
    /// A descriptor's number is too high.
    #[error(
        "descriptor {number} is above {MOST_DESCRIPTOR}: the table of each clone would have to reach so far"
    )]
    Descriptor {
        /// Its number.
        number: u32,
    },
    /// Too many memory files.
    #[error("the program has {count} memory files, more than {}", fd::MAX_CONTENTS)]
    Contents {
        /// How many it has.
        count: usize,
    },
}

/// What is to be made of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compilation {
    /// Where the template's pages live.
    pub memory: Memory,
    /// Whether a sandbox confines clones, by a filter of system calls among others: then the seed may have had one.
    pub is_confined: bool,
}

/// A compiled image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The plan (`offshoot-plan`).
    pub bytes: Vec<u8>,
    /// The files that its operations name, in order.
    pub files: Vec<PlanFile>,
    /// The descriptors that each clone must be given.
    pub substituted: Vec<Substituted>,
}

/// A descriptor that comes from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Substituted {
    /// Its number.
    pub number: u32,
    /// Names the open file: descriptors with the same one are duplicates, and one file serves for all of them.
    pub open_file: u32,
    /// Whether it is closed on exec.
    pub close_on_exec: bool,
    /// The flags of its open file as `fcntl(F_GETFL)` told them. What is given for it should have the same.
    pub flags: u32,
    /// What it was.
    pub description: String,
}

/// Compiles a valid manifest.
///
/// # Errors
/// [`CompileError`] names what cannot be.
pub fn compile(manifest: &Manifest, how: Compilation) -> Result<Plan, CompileError> {
    if manifest.process.seccomp == SeccompMode::Filter && !how.is_confined {
        return Err(CompileError::Seccomp);
    }
    let highest = manifest.descriptors.last().map_or(0, |last| last.number);
    if highest > MOST_DESCRIPTOR {
        return Err(CompileError::Descriptor { number: highest });
    }
    if manifest.contents.len() > fd::MAX_CONTENTS as usize {
        return Err(CompileError::Contents {
            count: manifest.contents.len(),
        });
    }
    // A pair of which one end is closed is made at two numbers, also right above all others.
    let fd_base = (highest + 3).next_multiple_of(LEAST_FD_BASE);
    let mut builder = Builder::new(fd_base, kept_images(manifest));
    let memory = traps::of_image(manifest, how.memory);
    memory::compile_all(&mut builder, manifest, memory);
    profile::compile(&mut builder, manifest, memory);
    process::compile_template(&mut builder, manifest);
    process::compile_clone(&mut builder, manifest);
    descriptors::compile(&mut builder, manifest);
    let main_frame = threads::compile(&mut builder, manifest);
    process::compile_settle(&mut builder, &manifest.process);
    process::compile_resume(&mut builder, manifest);
    builder.put_stacks();
    let (specials, special_count) = specials(manifest);
    let header = Header {
        specials,
        special_count,
        pinned: pin::compile(&mut builder, manifest),
        touched: touch::compile(&mut builder, manifest),
        awaits_threads: process::awaits_threads(manifest).into(),
        pid: manifest.process.pid.into(),
        main_child_tid: manifest
            .threads
            .first()
            .map_or(0, |main| main.clear_child_tid),
        main_frame,
        main_rseq: manifest
            .threads
            .first()
            .map_or_else(Default::default, threads::rseq),
        credentials: credentials(&mut builder, manifest),
        clocks_ns: [
            manifest.process.clocks.monotonic_ns,
            manifest.process.clocks.boottime_ns,
        ],
        traps: traps::compile(&mut builder, manifest, memory),
        ..Header::default()
    };
    let (bytes, files) = builder.finish(header)?;
    Ok(Plan {
        bytes,
        files,
        substituted: substituted(manifest),
    })
}

/// Contents, and what was written over them, are read from the images by each clone.
fn kept_images(manifest: &Manifest) -> u8 {
    let of_contents = manifest.contents.iter().flat_map(|content| &content.runs);
    let over_contents = manifest
        .mappings
        .iter()
        .filter(|mapping| matches!(mapping.backing, Backing::Content { .. }))
        .flat_map(|mapping| &mapping.runs);
    let runs = of_contents.chain(over_contents);
    runs.map(|run| run.generation + 1).max().unwrap_or(0)
}

fn specials(manifest: &Manifest) -> ([Special; 4], u32) {
    let mappings = &manifest.machine.vdso.mappings;
    let code = mappings
        .iter()
        .find(|mapping| mapping.kind == SpecialKind::Vdso);
    let code = code.map_or(0, |code| code.start);
    let mut specials = [Special::default(); 4];
    for (special, mapping) in specials.iter_mut().zip(mappings) {
        *special = Special {
            below_vdso: code.wrapping_sub(mapping.start),
            bytes: mapping.bytes,
            target: mapping.start,
        };
    }
    (specials, mappings.len().min(4) as u32)
}

fn credentials(builder: &mut Builder, manifest: &Manifest) -> Credentials {
    let who = &manifest.process.credentials;
    let groups: Vec<u8> = who
        .supplementary
        .iter()
        .flat_map(|group| group.to_le_bytes())
        .collect();
    Credentials {
        apply: 1,
        users: who.users,
        groups: who.groups,
        supplementary_count: who.supplementary.len() as u32,
        securebits: who.securebits,
        padding: 0,
        supplementary: builder.put(&groups, 8),
        capabilities: who.capabilities,
    }
}

fn substituted(manifest: &Manifest) -> Vec<Substituted> {
    let mut all = Vec::new();
    for descriptor in &manifest.descriptors {
        let Some(open_file) = manifest.open_files.get(descriptor.open_file as usize) else {
            continue;
        };
        if let OpenFileKind::Substituted { description } = &open_file.kind {
            all.push(Substituted {
                number: descriptor.number,
                open_file: descriptor.open_file,
                close_on_exec: descriptor.close_on_exec,
                flags: open_file.flags,
                description: description.clone(),
            });
        }
    }
    all
}
