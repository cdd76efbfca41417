//! Descriptors, made afresh in each clone.
//!
//! The kernel gives each new descriptor the lowest free number, so which number that is can be known while compiling:
//! [`Table`] keeps count. Most descriptors then are made where they belong.

use std::collections::{BTreeMap, BTreeSet};

use offshoot_image::model::{
    Descriptor, InotifyWatch, Manifest, OpenFile, OpenFileKind, Pipe, PipeEnd,
};
use offshoot_plan::Op;

use super::builder::Builder;
use super::{contents, numbers as sys, sockets};

const O_ACCMODE: u32 = 3;
const O_RDWR: u32 = 2;
const O_PATH: u32 = 0o10_000_000;
/// What `open` makes of a file, and must not be made again: O_CREAT, O_EXCL, O_TRUNC, O_NOCTTY.
const O_MAKING: u32 = 0o100 | 0o200 | 0o1000 | 0o400;
/// What `fcntl(F_SETFL)` sets: O_APPEND, O_NONBLOCK, O_ASYNC, O_DIRECT, O_NOATIME.
const O_SETTABLE: u32 = 0o2000 | 0o4000 | 0o20_000 | 0o40_000 | 0o1_000_000;
const F_SETFD: u64 = 2;
const F_SETFL: u64 = 4;
const F_SETPIPE_SZ: u64 = 1031;
const EFD_SEMAPHORE: u64 = 1;
const EPOLL_CTL_ADD: u64 = 1;
const TFD_IOC_SET_TICKS: u64 = 0x4008_5400;
const SYS_IOCTL: i64 = 16;

/// Which numbers are taken in a clone at this point of the plan.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeSet<u32>);

impl Table {
    /// The number that the kernel will give.
    pub(super) fn lowest(&self) -> u32 {
        (0..).find(|number| !self.0.contains(number)).unwrap_or(0)
    }

    pub(super) fn take(&mut self, number: u32) {
        self.0.insert(number);
    }

    fn release(&mut self, number: u32) {
        self.0.remove(&number);
    }
}

/// The numbers of one open file, the first of which it is made at.
pub(super) type Numbers<'m> = BTreeMap<u32, Vec<&'m Descriptor>>;

/// Adds everything that makes the descriptors.
pub(super) fn compile(builder: &mut Builder, manifest: &Manifest) {
    let mut numbers: Numbers<'_> = BTreeMap::new();
    for descriptor in &manifest.descriptors {
        numbers
            .entry(descriptor.open_file)
            .or_default()
            .push(descriptor);
    }
    let mut table = Table::default();
    for (index, open_file) in manifest.open_files.iter().enumerate() {
        if matches!(open_file.kind, OpenFileKind::Substituted { .. }) {
            for descriptor in numbers.get(&(index as u32)).into_iter().flatten() {
                table.take(descriptor.number);
            }
        }
    }
    // Ascending by first number, as programs make them.
    let mut order: Vec<(u32, u32)> = numbers
        .iter()
        .filter_map(|(open_file, of)| Some((of.first()?.number, *open_file)))
        .collect();
    order.sort_unstable();
    let mut made_pipes = BTreeSet::new();
    let mut made_sockets = BTreeSet::new();
    for (first, index) in order {
        let Some(open_file) = manifest.open_files.get(index as usize) else {
            continue;
        };
        let made = Made {
            builder,
            manifest,
            numbers: &numbers,
            table: &mut table,
        };
        match &open_file.kind {
            OpenFileKind::Pipe { pipe, .. } => {
                if made_pipes.insert(*pipe) {
                    made.pipe(*pipe);
                }
            }
            OpenFileKind::Socket { socket } => {
                if made_sockets.insert(*socket) {
                    let pair = sockets::compile(builder, manifest, &numbers, &mut table, *socket);
                    made_sockets.extend(pair);
                }
            }
            _ => made.single(first, open_file),
        }
    }
    duplicates(builder, manifest, &numbers);
    watches(builder, manifest, &numbers);
}

/// What the making of one open file needs.
struct Made<'a, 'm> {
    builder: &'a mut Builder,
    manifest: &'m Manifest,
    numbers: &'a Numbers<'m>,
    table: &'a mut Table,
}

impl Made<'_, '_> {
    /// An open file with one descriptor to begin with.
    fn single(mut self, number: u32, open_file: &OpenFile) {
        let flags = u64::from(open_file.flags);
        let nonblock = flags & sys::O_NONBLOCK;
        match &open_file.kind {
            OpenFileKind::Path { file, position } => {
                let path = self
                    .manifest
                    .files
                    .get(*file as usize)
                    .map(|file| file.path.as_slice());
                let path = self.builder.put_path(path.unwrap_or_default());
                self.open(path, open_file.flags, number);
                self.seek(number, open_file.flags, *position);
            }
            OpenFileKind::Device { path } => {
                let path = self.builder.put_path(path);
                self.open(path, open_file.flags, number);
            }
            OpenFileKind::Content { content, position } => {
                let held = contents::descriptor(self.builder, *content);
                let path = format!("/proc/self/fd/{held}");
                let path = self.builder.put_path(path.as_bytes());
                // Without what made it: O_TMPFILE, with the folder that it named.
                self.open(path, open_file.flags & (O_ACCMODE | O_SETTABLE), number);
                self.seek(number, open_file.flags, *position);
            }
            OpenFileKind::Event { count, semaphore } => {
                let semaphore = if *semaphore { EFD_SEMAPHORE } else { 0 };
                let now = (*count).min(u64::from(u32::MAX));
                let args = [now, sys::O_CLOEXEC | nonblock | semaphore, 0, 0, 0, 0];
                let rest = (*count > now).then(|| {
                    let rest = self.builder.put_words(&[count - now]);
                    Op::new(sys::WRITE, [number.into(), rest, 8, 0, 0, 0])
                });
                self.make_and(Op::new(sys::EVENTFD2, args), number, rest);
            }
            OpenFileKind::Epoll { .. } => {
                self.make(
                    Op::new(sys::EPOLL_CREATE1, [sys::O_CLOEXEC, 0, 0, 0, 0, 0]),
                    number,
                );
            }
            OpenFileKind::Timer { clock, .. } => {
                let args = [*clock as u64, sys::O_CLOEXEC | nonblock, 0, 0, 0, 0];
                self.make(Op::new(sys::TIMERFD_CREATE, args), number);
                arm_timer(self.builder, number, &open_file.kind);
            }
            OpenFileKind::Signal { mask } => {
                let mask = self.builder.put_words(&[*mask]);
                let args = [u64::MAX, mask, 8, sys::O_CLOEXEC | nonblock, 0, 0];
                self.make(Op::new(sys::SIGNALFD4, args), number);
            }
            OpenFileKind::Inotify { watches } => {
                let args = [sys::O_CLOEXEC | nonblock, 0, 0, 0, 0, 0];
                self.make(Op::new(sys::INOTIFY_INIT1, args), number);
                inotify(self.builder, number, watches);
            }
            OpenFileKind::Pipe { .. }
            | OpenFileKind::Socket { .. }
            | OpenFileKind::Substituted { .. } => {}
        }
    }

    fn make(&mut self, op: Op, number: u32) {
        self.make_and(op, number, None);
    }

    /// The same, with an operation right behind it: the place for a `write` (`offshoot_plan::check`).
    fn make_and(&mut self, op: Op, number: u32, then: Option<Op>) {
        self.table.take(number);
        let close_on_exec = closes_on_exec(self.manifest, number);
        self.builder
            .clone
            .push(op.descriptor(number, close_on_exec));
        self.builder.clone.extend(then);
        // Made close-on-exec, and perhaps at once where it belongs.
        if !close_on_exec {
            set_close_on_exec(self.builder, number, false);
        }
    }

    fn open(&mut self, path: u64, flags: u32, number: u32) {
        let flags = u64::from(flags & !O_MAKING) | sys::O_CLOEXEC;
        // `open` shows O_LARGEFILE and O_TMPFILE's bit, which it also takes; O_TMPFILE made the file, once.
        let flags = flags & !0o20_000_000;
        self.table.take(number);
        let close_on_exec = closes_on_exec(self.manifest, number);
        let open = Op::new(sys::OPEN, [path, flags, 0, 0, 0, 0]);
        self.builder
            .clone
            .push(open.descriptor(number, close_on_exec));
        if !close_on_exec {
            set_close_on_exec(self.builder, number, false);
        }
    }

    fn seek(&mut self, number: u32, flags: u32, position: u64) {
        if position > 0 && flags & O_PATH == 0 {
            let seek = [number.into(), position, 0, 0, 0, 0];
            self.builder.clone.push(Op::new(sys::LSEEK, seek));
        }
    }

    /// A pipe: both ends at once, whichever is still open.
    fn pipe(self, index: u32) {
        let Some(pipe) = self.manifest.pipes.get(index as usize) else {
            return;
        };
        let ends = self.ends_of(index);
        if pipe.path.is_some() {
            self.fifo(pipe, &ends);
            return;
        }
        let numbers = |wanted: PipeEnd| ends.iter().find(|(_, end, _)| *end == wanted);
        let slot = self.builder.put_words(&[0]);
        let pipe2 = Op::new(sys::PIPE2, [slot, sys::O_CLOEXEC, 0, 0, 0, 0]);
        self.builder.clone.push(pipe2);
        let reading = self.table.lowest();
        self.table.take(reading);
        let writing = self.table.lowest();
        fill(self.builder, writing, pipe);
        let wanted = [numbers(PipeEnd::Read), numbers(PipeEnd::Write)];
        let targets = wanted.map(|end| end.map(|(number, ..)| *number));
        place_pair(self.builder, self.table, [reading, writing], targets);
        for (number, _, flags) in wanted.into_iter().flatten() {
            set_close_on_exec(
                self.builder,
                *number,
                closes_on_exec(self.manifest, *number),
            );
            set_status(self.builder, *number, *flags);
        }
    }

    /// A FIFO is opened for reading and writing first, so that nothing waits for the other end.
    fn fifo(self, pipe: &Pipe, ends: &[(u32, PipeEnd, u32)]) {
        let path = self
            .builder
            .put_path(pipe.path.as_deref().unwrap_or_default());
        let holder = contents::aside(self.builder, 4);
        let both = u64::from(O_RDWR) | sys::O_CLOEXEC | sys::O_NONBLOCK;
        let hold = Op::new(sys::OPEN, [path, both, 0, 0, 0, 0]).descriptor(holder, true);
        self.builder.clone.push(hold);
        fill(self.builder, holder, pipe);
        for (number, _, flags) in ends {
            self.table.take(*number);
            let close_on_exec = closes_on_exec(self.manifest, *number);
            let args = [path, u64::from(*flags) | sys::O_CLOEXEC, 0, 0, 0, 0];
            let open = Op::new(sys::OPEN, args).descriptor(*number, close_on_exec);
            self.builder.clone.push(open);
            set_close_on_exec(self.builder, *number, close_on_exec);
        }
    }

    /// First number, end and flags of each open file of a pipe.
    fn ends_of(&self, index: u32) -> Vec<(u32, PipeEnd, u32)> {
        let mut ends = Vec::new();
        for (open_file, of) in self.numbers {
            let Some(file) = self.manifest.open_files.get(*open_file as usize) else {
                continue;
            };
            if let OpenFileKind::Pipe { pipe, end } = file.kind
                && pipe == index
                && let Some(first) = of.first()
            {
                ends.push((first.number, end, file.flags));
            }
        }
        ends
    }
}

/// Moves two new descriptors where they belong; what belongs nowhere is closed.
pub(super) fn place_pair(
    builder: &mut Builder,
    table: &mut Table,
    made: [u32; 2],
    targets: [Option<u32>; 2],
) {
    if made.map(Some) == targets {
        made.iter().for_each(|number| table.take(*number));
        return;
    }
    let close = |number: u32| Op::new(libc::SYS_close, [number.into(), 0, 0, 0, 0, 0]);
    let dup =
        |from: u32, to: u32| Op::new(sys::DUP3, [from.into(), to.into(), sys::O_CLOEXEC, 0, 0, 0]);
    // By way of two numbers above all others: one's place may be where the other was made.
    let above = contents::aside(builder, 0);
    for (at, from) in made.into_iter().enumerate() {
        builder.clone.push(dup(from, above + at as u32));
        builder.clone.push(close(from));
        table.release(from);
    }
    for (at, to) in targets.into_iter().enumerate() {
        if let Some(to) = to {
            builder.clone.push(dup(above + at as u32, to));
            table.take(to);
        }
        builder.clone.push(close(above + at as u32));
    }
}

fn fill(builder: &mut Builder, number: u32, pipe: &Pipe) {
    let size = [number.into(), F_SETPIPE_SZ, pipe.capacity.into(), 0, 0, 0];
    builder.clone.push(Op::new(sys::FCNTL, size));
    if !pipe.content.is_empty() {
        let bytes = pipe.content.len() as u64;
        let content = builder.put(&pipe.content, 8);
        let write = Op::new(sys::WRITE, [number.into(), content, bytes, 0, 0, 0]);
        builder.clone.push(write.equals(bytes));
    }
}

fn closes_on_exec(manifest: &Manifest, number: u32) -> bool {
    let found = manifest
        .descriptors
        .iter()
        .find(|descriptor| descriptor.number == number);
    found.is_some_and(|descriptor| descriptor.close_on_exec)
}

pub(super) fn set_close_on_exec(builder: &mut Builder, number: u32, close_on_exec: bool) {
    let set = [number.into(), F_SETFD, close_on_exec.into(), 0, 0, 0];
    builder.clone.push(Op::new(sys::FCNTL, set));
}

pub(super) fn set_status(builder: &mut Builder, number: u32, flags: u32) {
    if flags & O_SETTABLE != 0 {
        let set = [number.into(), F_SETFL, (flags & !O_ACCMODE).into(), 0, 0, 0];
        builder.clone.push(Op::new(sys::FCNTL, set));
    }
}

fn arm_timer(builder: &mut Builder, number: u32, kind: &OpenFileKind) {
    let OpenFileKind::Timer {
        ticks,
        left_ns,
        interval_ns,
        ..
    } = *kind
    else {
        return;
    };
    // A periodic timer that has expired stands still until it is read.
    let stands_still = left_ns == 0 && ticks > 0;
    let left_ns = if stands_still { interval_ns } else { left_ns };
    let parts = |ns: u64| [ns / 1_000_000_000, ns % 1_000_000_000];
    if left_ns > 0 {
        let ([interval_s, interval_ns], [left_s, left_ns]) = (parts(interval_ns), parts(left_ns));
        let value = builder.put_words(&[interval_s, interval_ns, left_s, left_ns]);
        let set = [number.into(), 0, value, 0, 0, 0];
        builder.resume.push(Op::new(sys::TIMERFD_SETTIME, set));
    }
    if ticks > 0 {
        let ticks = builder.put_words(&[ticks]);
        let set = [number.into(), TFD_IOC_SET_TICKS, ticks, 0, 0, 0];
        builder.resume.push(Op::new(SYS_IOCTL, set));
    }
}

/// The kernel numbers watches in ascending order: numbers that the program has given back are used up again.
fn inotify(builder: &mut Builder, number: u32, watches: &[InotifyWatch]) {
    let mut ordered: Vec<_> = watches.iter().collect();
    ordered.sort_by_key(|watch| watch.number);
    let mut next = 1;
    let events = builder.put(&[0; 64], 8);
    for watch in ordered {
        let path = builder.put_path(&watch.path);
        let add = Op::new(
            sys::INOTIFY_ADD_WATCH,
            [number.into(), path, watch.mask.into(), 0, 0, 0],
        );
        while next < watch.number {
            builder.clone.push(add);
            let remove = [number.into(), next as u64, 0, 0, 0, 0];
            builder.clone.push(Op::new(sys::INOTIFY_RM_WATCH, remove));
            // The removal tells the program, which must not hear of it.
            let drain = [number.into(), events, 64, 0, 0, 0];
            builder.clone.push(Op::new(sys::READ, drain));
            next += 1;
        }
        builder.clone.push(add.equals(watch.number as u64));
        next = watch.number + 1;
    }
}

/// The other numbers of each open file.
fn duplicates(builder: &mut Builder, manifest: &Manifest, numbers: &Numbers<'_>) {
    for (index, of) in numbers {
        let Some((first, rest)) = of.split_first() else {
            continue;
        };
        let kind = manifest
            .open_files
            .get(*index as usize)
            .map(|file| &file.kind);
        if matches!(kind, Some(OpenFileKind::Substituted { .. })) {
            continue;
        }
        for other in rest {
            let flags = if other.close_on_exec {
                sys::O_CLOEXEC
            } else {
                0
            };
            let dup = [first.number.into(), other.number.into(), flags, 0, 0, 0];
            builder.clone.push(Op::new(sys::DUP3, dup));
        }
    }
}

/// What epoll sets watch, when everything that they may watch is there.
fn watches(builder: &mut Builder, manifest: &Manifest, numbers: &Numbers<'_>) {
    for (index, open_file) in manifest.open_files.iter().enumerate() {
        let OpenFileKind::Epoll { watches } = &open_file.kind else {
            continue;
        };
        let Some(first) = numbers.get(&(index as u32)).and_then(|of| of.first()) else {
            continue;
        };
        for watch in watches {
            // `struct epoll_event` is packed: four bytes, then eight.
            let mut event = watch.events.to_le_bytes().to_vec();
            event.extend(watch.data.to_le_bytes());
            let event = builder.put(&event, 8);
            let add = [
                first.number.into(),
                EPOLL_CTL_ADD,
                watch.descriptor.into(),
                event,
                0,
                0,
            ];
            builder.clone.push(Op::new(sys::EPOLL_CTL, add));
        }
    }
}
