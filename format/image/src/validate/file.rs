//! Rules for files, pipes, open files and descriptors.

use std::collections::BTreeSet;

use super::{
    Invalid, Place, Rule, check_bits, check_index, check_mask, check_path, check_signed, ensure,
};
use crate::limits::MAX_DESCRIPTOR;
use crate::model::{EpollWatch, Manifest, OpenFile, OpenFileKind, Pipe, PipeEnd};

const ACCESS_MODE: u32 = 3;
const FILE_TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

/// Flags that an open file keeps (`open(2)`): the access mode, `O_APPEND`, `O_NONBLOCK`, `O_DSYNC`, `O_ASYNC`,
/// `O_DIRECT`, `O_LARGEFILE`, `O_DIRECTORY`, `O_NOFOLLOW`, `O_NOATIME`, `O_SYNC`, `O_PATH` and `O_TMPFILE`. Those that
/// act while opening (`O_CREAT`, `O_EXCL`, `O_NOCTTY`, `O_TRUNC`) are not kept, and must not come out of an image.
const STATUS_FLAGS: u64 = 0o37_776_003 & !0o2_000_000;

/// Devices that answer everyone alike, whenever they were opened.
const DEVICES: [&[u8]; 5] = [
    b"/dev/null",
    b"/dev/zero",
    b"/dev/full",
    b"/dev/random",
    b"/dev/urandom",
];

/// `CLOCK_*` that `timerfd_create(2)` takes.
const TIMERFD_CLOCKS: [i32; 5] = [0, 1, 7, 8, 9];

pub(super) fn check(manifest: &Manifest) -> Result<(), Invalid> {
    for (index, file) in manifest.files.iter().enumerate() {
        let place = Place::File(index);
        check_path(&file.path, place)?;
        check_signed(file.bytes, "length", place)?;
        check_bits(u64::from(file.mode), 0o177_777, "mode", place)?;
    }
    for (index, pipe) in manifest.pipes.iter().enumerate() {
        check_pipe(pipe, Place::Pipe(index))?;
    }
    check_descriptors(manifest)?;
    for (index, open_file) in manifest.open_files.iter().enumerate() {
        check_open_file(manifest, index, open_file)?;
    }
    Ok(())
}

/// Whether a mode is that of a regular file.
pub(super) fn is_regular(mode: u32) -> bool {
    mode & FILE_TYPE == REGULAR
}

fn check_pipe(pipe: &Pipe, place: Place) -> Result<(), Invalid> {
    if let Some(path) = &pipe.path {
        check_path(path, place)?;
    }
    let rule = Rule::Range {
        field: "capacity",
        value: u64::from(pipe.capacity),
    };
    ensure((4096..=1 << 31).contains(&pipe.capacity), place, rule)?;
    let rule = Rule::TooMany {
        what: "bytes",
        count: pipe.content.len() as u64,
        limit: u64::from(pipe.capacity),
    };
    ensure(
        pipe.content.len() as u64 <= u64::from(pipe.capacity),
        place,
        rule,
    )
}

fn check_descriptors(manifest: &Manifest) -> Result<(), Invalid> {
    let mut behind = 0;
    for descriptor in &manifest.descriptors {
        let place = Place::Descriptor(descriptor.number);
        let rule = Rule::Range {
            field: "number",
            value: u64::from(descriptor.number),
        };
        ensure(descriptor.number < MAX_DESCRIPTOR, place, rule)?;
        ensure(descriptor.number >= behind, place, Rule::NotAscending)?;
        check_index(
            descriptor.open_file,
            manifest.open_files.len(),
            "open file",
            place,
        )?;
        behind = descriptor.number + 1;
    }
    Ok(())
}

fn check_open_file(manifest: &Manifest, index: usize, open_file: &OpenFile) -> Result<(), Invalid> {
    let place = Place::OpenFile(index);
    check_bits(u64::from(open_file.flags), STATUS_FLAGS, "flags", place)?;
    match &open_file.kind {
        OpenFileKind::Path { file, position } => {
            check_index(*file, manifest.files.len(), "file", place)?;
            let kind = manifest.files[*file as usize].mode & FILE_TYPE;
            let rule = Rule::WrongKind("regular file or directory");
            ensure(kind == REGULAR || kind == DIRECTORY, place, rule)?;
            check_signed(*position, "position", place)
        }
        OpenFileKind::Content { content, position } => {
            check_index(*content, manifest.contents.len(), "content", place)?;
            check_signed(*position, "position", place)
        }
        OpenFileKind::Device { path } => ensure(DEVICES.contains(&&path[..]), place, Rule::Device),
        OpenFileKind::Pipe { pipe, end } => {
            check_index(*pipe, manifest.pipes.len(), "pipe", place)?;
            check_end(*end, open_file.flags, place)
        }
        OpenFileKind::Event { count, .. } => {
            let rule = Rule::Range {
                field: "counter",
                value: *count,
            };
            ensure(*count < u64::MAX, place, rule)
        }
        OpenFileKind::Epoll { watches } => check_epoll(manifest, index, watches),
        OpenFileKind::Timer {
            clock,
            set_flags,
            left_ns,
            interval_ns,
            ..
        } => {
            let rule = Rule::Range {
                field: "clock",
                value: *clock as u64,
            };
            ensure(TIMERFD_CLOCKS.contains(clock), place, rule)?;
            check_bits(u64::from(*set_flags), 3, "timer flags", place)?;
            check_signed(*left_ns, "time left", place)?;
            check_signed(*interval_ns, "interval", place)
        }
        OpenFileKind::Signal { mask } => check_mask(*mask, place),
        OpenFileKind::Inotify { watches } => check_inotify(watches, place),
        OpenFileKind::Socket { socket } => {
            check_index(*socket, manifest.sockets.len(), "socket", place)
        }
        OpenFileKind::Substituted { description } => {
            ensure(description.len() <= 4096, place, Rule::Name)
        }
    }
}

fn check_end(end: PipeEnd, flags: u32, place: Place) -> Result<(), Invalid> {
    let expected = match end {
        PipeEnd::Read => 0,
        PipeEnd::Write => 1,
        PipeEnd::Both => 2,
    };
    let rule = Rule::Range {
        field: "access mode",
        value: u64::from(flags & ACCESS_MODE),
    };
    ensure(flags & ACCESS_MODE == expected, place, rule)
}

fn check_epoll(manifest: &Manifest, index: usize, watches: &[EpollWatch]) -> Result<(), Invalid> {
    let place = Place::OpenFile(index);
    let mut seen = BTreeSet::new();
    for watch in watches {
        let number = watch.descriptor;
        ensure(seen.insert(number), place, Rule::Twice)?;
        let found = manifest
            .descriptors
            .binary_search_by_key(&number, |descriptor| descriptor.number);
        let rule = Rule::NoSuch {
            what: "descriptor",
            index: number,
            count: manifest.descriptors.len(),
        };
        let descriptor = found.map_err(|_| Invalid { place, rule })?;
        let itself = manifest.descriptors[descriptor].open_file as usize == index;
        ensure(!itself, place, Rule::Contradiction("watching", "watched"))?;
    }
    Ok(())
}

fn check_inotify(watches: &[crate::model::InotifyWatch], place: Place) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    for watch in watches {
        check_path(&watch.path, place)?;
        let rule = Rule::Range {
            field: "watch number",
            value: watch.number as u64,
        };
        ensure(watch.number > 0, place, rule)?;
        ensure(seen.insert(watch.number), place, Rule::Twice)?;
    }
    Ok(())
}
