//! Images, read by a process that has no rights.

use std::io;
use std::os::fd::OwnedFd;

use offshoot_image::model::{FileIdentity, Machine, Manifest, Profile};
use offshoot_image::{
    DigestsError, HEADER_BYTES, Header, HeaderError, Incompatible, Invalid, Key, ManifestError,
};
use serde::{Deserialize, Serialize};

use crate::compile::{Compilation, CompileError, PlanFile, Substituted, compile};

/// Why an image cannot become a template.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("image {generation} of the chain cannot be read")]
    Io {
        /// 0 is the image itself, 1 its parent.
        generation: usize,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The header is refused.
    #[error("image {generation} of the chain is refused")]
    Header {
        /// 0 is the image itself, 1 its parent.
        generation: usize,
        /// Why.
        #[source]
        source: HeaderError,
    },
    /// The metadata is refused.
    #[error("image {generation} of the chain is refused")]
    Manifest {
        /// 0 is the image itself, 1 its parent.
        generation: usize,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// The digests are refused.
    #[error("image {generation} of the chain is refused")]
    Digests {
        /// 0 is the image itself, 1 its parent.
        generation: usize,
        /// Why.
        #[source]
        source: DigestsError,
    },
    /// A page is not what was sealed.
    #[error("page {file_page} of image {generation} of the chain is damaged")]
    Page {
        /// 0 is the image itself, 1 its parent.
        generation: usize,
        /// The page's number in the file.
        file_page: u64,
    },
    /// The chain does not hold together.
    #[error("the chain of parents breaks a rule")]
    Chain(#[source] Invalid),
    /// The process expects another machine.
    #[error("the image was made on another machine")]
    Incompatible(#[source] Incompatible),
    /// There is no way to run it.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// A file that the plan names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeedFile {
    /// An image of the chain.
    Image(u8),
    /// A file with a name.
    Named(FileIdentity),
    /// The same, also to be written.
    Writable(FileIdentity),
}

/// An image, checked and compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// The plan.
    pub plan: Vec<u8>,
    /// The files that it names, in order.
    pub files: Vec<SeedFile>,
    /// What each clone must be given.
    pub substituted: Vec<Substituted>,
    /// The id that the seed had.
    pub pid: u32,
}

/// Checks a chain of images, the one to be cloned first, and compiles it for `machine`. Of so many of them as `with_pages` says, from
/// the first on, every page is checked too, which takes as long as reading them. `profile` is used instead of the image's own.
///
/// # Errors
/// [`ReadError`] names what is wrong, and where.
pub fn read(
    images: &[OwnedFd],
    key: &Key,
    how: Compilation,
    with_pages: usize,
    machine: &Machine,
    profile: Option<&Profile>,
) -> Result<Seed, ReadError> {
    let mut chain = Vec::new();
    for (generation, image) in images.iter().enumerate() {
        chain.push(read_one(image, generation, key, generation < with_pages)?);
    }
    let Some(((_, manifest), ancestors)) = chain.split_first() else {
        return Err(ReadError::Io {
            generation: 0,
            source: io::ErrorKind::NotFound.into(),
        });
    };
    let ancestors: Vec<&Header> = ancestors.iter().map(|(header, _)| header).collect();
    manifest
        .validate_ancestors(&ancestors)
        .map_err(ReadError::Chain)?;
    offshoot_image::compatibility(&manifest.machine, machine).map_err(ReadError::Incompatible)?;
    let mut profiled = manifest.clone();
    if let Some(profile) = profile {
        profiled.profile = profile.clone();
    }
    let plan = compile(&profiled, how)?;
    let identity = |file: u32| manifest.files.get(file as usize).cloned();
    let files = plan.files.iter().filter_map(|file| {
        Some(match file {
            PlanFile::Image(generation) => SeedFile::Image(*generation),
            PlanFile::Named(file) => SeedFile::Named(identity(*file)?),
            PlanFile::Writable(file) => SeedFile::Writable(identity(*file)?),
        })
    });
    Ok(Seed {
        files: files.collect(),
        substituted: plan.substituted,
        plan: plan.bytes,
        pid: manifest.process.pid,
    })
}

fn read_one(
    image: &OwnedFd,
    generation: usize,
    key: &Key,
    pages: bool,
) -> Result<(Header, Manifest), ReadError> {
    let io = |source| ReadError::Io { generation, source };
    let length = rustix::fs::fstat(image)
        .map_err(|errno| io(errno.into()))?
        .st_size as u64;
    let mut head = [0; HEADER_BYTES];
    read_at(image, &mut head, 0).map_err(io)?;
    let header = Header::open(&head, key, length)
        .map_err(|source| ReadError::Header { generation, source })?;
    let metadata = read_span(image, header.metadata).map_err(io)?;
    let manifest = header
        .open_manifest(&metadata, key)
        .map_err(|source| ReadError::Manifest { generation, source })?;
    if pages {
        let digests = read_span(image, header.digests).map_err(io)?;
        let digests = header
            .open_digests(&digests, &manifest, key)
            .map_err(|source| ReadError::Digests { generation, source })?;
        let mut buffer = Vec::new();
        for chunk in digests.chunks() {
            buffer.resize(chunk.bytes() as usize, 0);
            read_at(image, &mut buffer, chunk.offset()).map_err(io)?;
            digests
                .verify(chunk.file_page, &buffer)
                .map_err(|_| ReadError::Page {
                    generation,
                    file_page: chunk.file_page,
                })?;
        }
    }
    Ok((header, manifest))
}

fn read_span(image: &OwnedFd, span: offshoot_image::Span) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; span.bytes as usize];
    read_at(image, &mut bytes, span.offset)?;
    Ok(bytes)
}

fn read_at(image: &OwnedFd, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match rustix::io::pread(image, &mut buffer[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
