//! Whole reads and writes, temporary names, and the lock of a pool's directory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use offshoot_image::ChunkRange;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::rand::GetRandomFlags;

/// How much is read at once when pages are digested, in bytes.
const READ_BYTES: u64 = 1 << 20;

/// Fills a buffer from a place in a file. `ENODATA` if the file ends before.
pub(crate) fn read_exact_at(
    file: impl AsFd,
    mut buffer: &mut [u8],
    mut offset: u64,
) -> Result<(), Errno> {
    while !buffer.is_empty() {
        let count = retry(|| rustix::io::pread(&file, &mut *buffer, offset))?;
        if count == 0 {
            return Err(Errno::NODATA);
        }
        buffer = &mut buffer[count..];
        offset += count as u64;
    }
    Ok(())
}

/// Writes a buffer to a place in a file.
pub(crate) fn write_all_at(
    file: impl AsFd,
    mut buffer: &[u8],
    mut offset: u64,
) -> Result<(), Errno> {
    while !buffer.is_empty() {
        let count = retry(|| rustix::io::pwrite(&file, buffer, offset))?;
        if count == 0 {
            return Err(Errno::NOSPC);
        }
        buffer = &buffer[count..];
        offset += count as u64;
    }
    Ok(())
}

/// Reads ascending chunks of pages and shows each to `visit`, reading neighbours together.
pub(crate) fn read_chunks<E: From<Errno>>(
    file: BorrowedFd<'_>,
    chunks: impl IntoIterator<Item = ChunkRange>,
    mut visit: impl FnMut(ChunkRange, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = vec![0; READ_BYTES as usize];
    let mut chunks = chunks.into_iter().peekable();
    let mut batch = Vec::new();
    while let Some(first) = chunks.next() {
        batch.clear();
        batch.push(first);
        let mut end = first.end();
        let fits = |end: u64, next: &ChunkRange| {
            next.file_page == end
                && (next.end() - first.file_page) * offshoot_image::model::PAGE_BYTES <= READ_BYTES
        };
        while let Some(next) = chunks.next_if(|next| fits(end, next)) {
            end = next.end();
            batch.push(next);
        }
        let bytes: u64 = batch.iter().map(ChunkRange::bytes).sum();
        let buffer = &mut buffer[..bytes as usize];
        read_exact_at(file, buffer, first.offset())?;
        let mut rest = &*buffer;
        for chunk in &batch {
            let (pages, behind) = rest.split_at(chunk.bytes() as usize);
            visit(*chunk, pages)?;
            rest = behind;
        }
    }
    Ok(())
}

/// A name that nobody else has: a prefix and 32 random digits.
pub(crate) fn random_name(prefix: &str) -> Result<String, Errno> {
    let bytes: [u8; 16] = random()?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{prefix}{digits}"))
}

/// Random bytes of the kernel (`getrandom(2)`), fit for keys.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Errno> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        filled += retry(|| rustix::rand::getrandom(&mut bytes[filled..], GetRandomFlags::empty()))?;
    }
    Ok(bytes)
}

/// Makes a file that did not exist, for its owner alone.
pub(crate) fn create_new(dir: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)
}

/// Opens a file for reading; never a link, and without waiting for the writer of a FIFO.
pub(crate) fn open_existing(dir: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// Opens a directory.
pub(crate) fn open_dir(path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(rustix::fs::CWD, path, flags, Mode::empty())
}

/// Holds the lock of a directory until it is dropped.
#[derive(Debug)]
pub(crate) struct DirLock(#[expect(dead_code, reason = "closing it unlocks")] OwnedFd);

impl DirLock {
    /// Waits for the lock. `flock(2)` locks belong to an open file description, so each lock opens the directory anew:
    /// threads of one process exclude each other too.
    pub(crate) fn exclusive(dir: impl AsFd) -> Result<Self, Errno> {
        Self::take(dir, FlockOperation::LockExclusive)
    }

    /// Waits until nobody holds it exclusively.
    pub(crate) fn shared(dir: impl AsFd) -> Result<Self, Errno> {
        Self::take(dir, FlockOperation::LockShared)
    }

    fn take(dir: impl AsFd, operation: FlockOperation) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let own = rustix::fs::openat(dir, ".", flags, Mode::empty())?;
        retry(|| rustix::fs::flock(&own, operation))?;
        Ok(Self(own))
    }
}

/// Repeats a call that a signal interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}
