//! Pipes and FIFOs whose every end is in the process.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use offshoot_image::model::{OpenFileKind, Pipe, PipeEnd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{
    PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, tee,
};

use super::classify::Classifier;
use super::description::Description;
use super::error::{FileError, Halt};
use super::obstacle::Obstacle;
use super::survey::Survey;
use super::tables;

/// The kind of a description of a pipe or FIFO.
pub(super) fn kind(
    classifier: &mut Classifier<'_>,
    description: &Description,
) -> Result<OpenFileKind, Halt> {
    let survey = classifier.survey;
    let members = survey.of_same_file(description);
    let path = name(survey, description)?;
    refuse_outsiders(survey, description, &members)?;
    let key = description.inode();
    let pipe = match classifier.pipes.get(&key) {
        Some(&pipe) => pipe,
        None => {
            let pipe = tables::next(&classifier.tables.pipes);
            classifier
                .tables
                .pipes
                .push(read(&members, description, path)?);
            classifier.pipes.insert(key, pipe);
            pipe
        }
    };
    let end = end(description);
    Ok(OpenFileKind::Pipe { pipe, end })
}

/// The path of a FIFO; none for a pipe without name.
fn name(survey: &Survey, description: &Description) -> Result<Option<Vec<u8>>, Halt> {
    if !description.link.starts_with(b"/") {
        return Ok(None);
    }
    match survey.root.inside(&description.link) {
        Some(path) if survey.root.leads_to(path, &description.stat)? => Ok(Some(path.to_vec())),
        _ => Err(Obstacle::LostFifo {
            path: description.path(),
        }
        .into()),
    }
}

/// Refuses a pipe that others have open too, or of which one end is external.
fn refuse_outsiders(
    survey: &Survey,
    description: &Description,
    members: &[&Description],
) -> Result<(), Halt> {
    if let Some(other) = members.iter().find(|one| one.external) {
        return Err(Obstacle::HalfExternal {
            thing: "a pipe",
            other: other.first(),
        }
        .into());
    }
    let thing = match end(description) {
        PipeEnd::Read => "the reading end of a pipe",
        PipeEnd::Write => "the writing end of a pipe",
        PipeEnd::Both => "a FIFO",
    };
    survey.refuse_shared(description, thing)?;
    if other_end_is_hidden(description, members)? {
        return Err(Obstacle::Shared {
            thing: thing.to_owned(),
            holders: Vec::new(),
        }
        .into());
    }
    Ok(())
}

/// Whether the kernel knows an opposite end although the process has none: somebody holds it whom
/// `/proc` does not show, or it travels in a socket.
fn other_end_is_hidden(
    description: &Description,
    members: &[&Description],
) -> Result<bool, FileError> {
    let has_reader = members.iter().any(|one| end(one) != PipeEnd::Write);
    let has_writer = members.iter().any(|one| end(one) != PipeEnd::Read);
    if has_reader && has_writer {
        return Ok(false);
    }
    let mut asked = [PollFd::new(
        &description.file,
        PollFlags::IN | PollFlags::OUT,
    )];
    let answer = poll(&mut asked, Some(&Timespec::default()));
    description.asked("the state", answer)?;
    // poll(2): POLLHUP on a reading end without writers, POLLERR on a writing end without readers.
    // A FIFO that nobody has ever opened for writing shows no POLLHUP either.
    let closed = asked[0]
        .revents()
        .intersects(PollFlags::HUP | PollFlags::ERR);
    let is_fifo = description.link.starts_with(b"/");
    let is_new_fifo = is_fifo && has_reader;
    Ok(!closed && !is_new_fifo)
}

fn end(description: &Description) -> PipeEnd {
    match description.info.access() {
        OFlags::RDONLY => PipeEnd::Read,
        OFlags::WRONLY => PipeEnd::Write,
        _ => PipeEnd::Both,
    }
}

fn read(
    members: &[&Description],
    description: &Description,
    path: Option<Vec<u8>>,
) -> Result<Pipe, Halt> {
    let capacity = description.asked("the capacity", fcntl_getpipe_size(&description.file))?;
    // Nobody can ever read what is in a pipe without a reading end.
    let content = match members.iter().find(|one| end(one) != PipeEnd::Write) {
        Some(reader) => peek(reader, capacity)?,
        None => Vec::new(),
    };
    if !content.is_empty() && members.iter().any(|one| one.info.has(OFlags::DIRECT)) {
        return Err(Obstacle::PacketPipe.into());
    }
    Ok(Pipe {
        path,
        capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
        content,
    })
}

/// What is in the pipe, which keeps it: `tee(2)` copies into a pipe of ours of the same capacity.
fn peek(reader: &Description, capacity: usize) -> Result<Vec<u8>, FileError> {
    let bytes = reader.asked("the fill", ioctl_fionread(&reader.file))?;
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(capacity);
    let mut content = vec![0; bytes];
    if bytes > 0 {
        let copied = copy(reader, capacity, &mut content);
        reader.asked("the content", copied)?;
    }
    Ok(content)
}

fn copy(reader: &Description, capacity: usize, content: &mut [u8]) -> Result<(), Errno> {
    let (output, input) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    fcntl_setpipe_size(&input, capacity)?;
    let copied = tee(
        reader.file.as_fd(),
        &input,
        content.len(),
        SpliceFlags::NONBLOCK,
    )?;
    if copied != content.len() {
        return Err(Errno::IO);
    }
    File::from(output)
        .read_exact(content)
        .map_err(|_| Errno::IO)
}
