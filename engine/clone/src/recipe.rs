//! What a template is made by: a plan that was looked over, and what belongs to it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use offshoot_plan::PLAN_MAX_BYTES;
use rustix::fs::{MemfdFlags, SealFlags};
use serde::{Deserialize, Serialize};

use crate::reader::SeedFile;
use crate::{Substituted, wire};

/// Longest [`Rest`], in bytes.
const MAX_REST_BYTES: u64 = 4 << 20;

/// Makes another template of the same images, with the same [`TemplateSpec`](crate::TemplateSpec), without the images
/// being read, checked and compiled again. Both parts are sealed memory: nobody can change what was looked over.
#[derive(Debug)]
pub struct Recipe {
    pub(crate) plan: OwnedFd,
    pub(crate) rest: OwnedFd,
}

/// What is not in the plan.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rest {
    /// The stub's first descriptor, as in the plan's header.
    pub(crate) fd_base: u32,
    /// The files that the plan names, in order.
    pub(crate) files: Vec<SeedFile>,
    /// What each clone must be given.
    pub(crate) substituted: Vec<Substituted>,
}

impl Recipe {
    /// Of a plan that was looked over.
    pub(crate) fn new(plan: &[u8], rest: &Rest) -> io::Result<Self> {
        Ok(Self {
            plan: sealed_memory(c"plan", plan, false)?,
            rest: sealed_memory(c"recipe", &wire::encode(rest)?, false)?,
        })
    }

    pub(crate) fn read_plan(&self) -> io::Result<Vec<u8>> {
        read(&self.plan, PLAN_MAX_BYTES)
    }

    pub(crate) fn read_rest(&self) -> io::Result<Rest> {
        wire::decode(&read(&self.rest, MAX_REST_BYTES)?)
    }
}

/// Reads a part. Not by the file's own position, which others have, too, who make a template at the same time.
fn read(part: &OwnedFd, most_bytes: u64) -> io::Result<Vec<u8>> {
    let length = rustix::fs::fstat(part)?.st_size as u64;
    let mut bytes = vec![0; length.min(most_bytes) as usize];
    File::from(part.try_clone()?).read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Bytes in memory that nobody can change any more.
pub(crate) fn sealed_memory(
    name: &std::ffi::CStr,
    bytes: &[u8],
    executable: bool,
) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let wanted = if executable {
        MemfdFlags::EXEC
    } else {
        MemfdFlags::NOEXEC_SEAL
    };
    // The two flags are of Linux 6.3; without them a memfd is executable.
    let memory = rustix::fs::memfd_create(name, flags | wanted)
        .or_else(|_| rustix::fs::memfd_create(name, flags))?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}
