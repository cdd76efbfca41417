//! What a plan may do.
//!
//! A plan is made from bytes that nobody vouches for, by a process without rights; a template then runs it with more
//! rights than the program will have, because it still has to enter a sandbox. So only system calls that give nobody
//! anything pass, in the shape in which the compiler makes them (`calls`):
//!
//! 1. Memory that a call maps, changes or reads a file into is the program's, never the engine's.
//! 2. A descriptor that a call names, or makes, is the program's, one of the plan's files, or one that the plan has made
//!    for itself: never the stub's own, [`fd::CONTROL`](crate::fd::CONTROL) and those behind it. Numbers that an operation
//!    has stored are ids of processes, and are used as such.
//! 3. What the kernel writes for a call besides, it writes to data of the plan, which lies below threads' stacks and
//!    operations: so a plan stays what was checked. A template's operations write nothing there at all.
//! 4. A clone opens paths only after the stub has closed all that the template gave it but the control socket, which
//!    cannot be opened by a path. It writes to files only where they begin, because one of them could be its own memory
//!    (`/proc/self/mem`).

mod calls;
mod places;
mod shape;

use crate::traps::{Instruction, MAX_INSTRUCTIONS, TrapRange, TrapState, Traps};
use crate::{
    Check, Confinement, Header, MAGIC, MAX_FILES, Op, PLAN_BASE, PLAN_MAX_BYTES, Phase, Span,
    Thread, VERSION,
};
use calls::{EVENTFD2, F_SETPIPE_SZ, FCNTL, OPEN, WRITE, shapes};
use places::{Places, is_id_place, is_plans, is_programs};
use shape::Fault;

/// Why a plan is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its header is another version's, or says what cannot be.
    Header,
    /// This system call may not be in this phase.
    Call {
        /// The phase.
        phase: Phase,
        /// Index of the operation.
        index: usize,
        /// The system call's number.
        number: u32,
    },
    /// An argument is none that this system call may have in this phase.
    Argument {
        /// The phase.
        phase: Phase,
        /// Index of the operation.
        index: usize,
        /// The argument.
        value: u64,
    },
    /// The operation would name a descriptor that is not the program's, or make one there: the stub's own, for example.
    Descriptor {
        /// The phase.
        phase: Phase,
        /// Index of the operation.
        index: usize,
        /// The descriptor.
        descriptor: u64,
    },
    /// The operation would touch the engine's own region, or what is not user space.
    Address {
        /// The phase.
        phase: Phase,
        /// Index of the operation.
        index: usize,
        /// The address.
        address: u64,
    },
    /// The operation would write to what may be a file, behind its beginning.
    Write {
        /// Index of the operation.
        index: usize,
    },
    /// A thread has no stack of its own, or would write to the engine's region.
    Thread {
        /// Its index.
        index: usize,
    },
    /// A part lies outside the plan.
    Outside,
    /// The traps' filter could do more than trap, or there is something wrong with what belongs to it.
    Traps,
    /// The stub would read where it must not.
    Touched,
    /// It brings what only a sandbox may bring: a filter could make the stub believe anything.
    Confinement,
}

/// Length of a `struct iovec`.
const BUFFER_BYTES: usize = 16;
/// Highest first descriptor of a stub: programs have theirs below.
const MAX_FD_BASE: u32 = 1 << 20;

/// Looks a whole plan over: that its parts lie within it, and that every operation may be there.
///
/// # Errors
/// [`Refused`] names the first thing that is wrong.
pub fn check(plan: &[u8]) -> Result<(), Refused> {
    let header = Header::from_bytes(plan).ok_or(Refused::Header)?;
    check_header(&header, plan.len() as u64)?;
    let places = check_threads(plan, &header)?;
    let phases = [
        (Phase::Template, header.template),
        (Phase::Memory, header.memory),
        (Phase::Clone, header.clone),
        (Phase::Prefault, header.prefault),
        (Phase::Watch, header.watch),
        (Phase::Settle, header.settle),
        (Phase::Resume, header.resume),
    ];
    for (phase, span) in phases {
        check_span(plan, &places, phase, span)?;
    }
    for thread in threads(plan, header.threads)? {
        check_span(plan, &places, Phase::Thread, thread?.ops)?;
    }
    part(plan, header.pinned, BUFFER_BYTES)?;
    check_touched(part(plan, header.touched, BUFFER_BYTES)?)?;
    check_traps(plan, &places, &header.traps)
}

fn check_header(header: &Header, bytes: u64) -> Result<(), Refused> {
    if header.confinement != Confinement::default() {
        return Err(Refused::Confinement);
    }
    let is_ours = header.magic == MAGIC && header.version == VERSION;
    let fits = header.bytes == bytes
        && header.bytes <= PLAN_MAX_BYTES
        && header.fd_base <= MAX_FD_BASE
        && header.file_count <= MAX_FILES
        && header.kept_files <= header.file_count
        && header.special_count as usize <= header.specials.len();
    if !is_ours || !fits {
        return Err(Refused::Header);
    }
    let mut specials = header.specials[..header.special_count as usize].iter();
    let is_right = specials.all(|special| is_programs(special.target, special.bytes))
        && is_plans(header.credentials.supplementary)
        && (is_plans(header.main_frame) || header.main_frame == 0)
        && is_id_place(header.main_child_tid)
        && is_programs(header.main_rseq.address, header.main_rseq.bytes.into());
    is_right.then_some(()).ok_or(Refused::Header)
}

/// Every thread runs the stub on a stack of its own, above what operations write and below them. The plan's places.
fn check_threads(plan: &[u8], header: &Header) -> Result<Places, Refused> {
    let mut first = u64::MAX;
    for thread in threads(plan, header.threads)? {
        let ops = thread?.ops;
        if ops.count > 0 {
            first = first.min(ops.offset);
        }
    }
    let of_threads = Span {
        offset: first,
        count: 1,
    };
    let spans = [
        header.template,
        header.memory,
        header.clone,
        header.prefault,
        header.watch,
        header.settle,
        header.resume,
        header.threads,
        of_threads,
    ];
    let mut places = Places::of(header, spans.into_iter());
    let mut last = 0;
    for (index, thread) in threads(plan, header.threads)?.enumerate() {
        let thread = thread?;
        if !places.admits(&thread, last) {
            return Err(Refused::Thread { index });
        }
        if index == 0 {
            places.written_end = thread.stack_end - crate::THREAD_STACK_BYTES;
        }
        last = thread.stack_end;
    }
    Ok(places)
}

fn threads(
    plan: &[u8],
    span: Span,
) -> Result<impl Iterator<Item = Result<Thread, Refused>>, Refused> {
    let records = part(plan, span, size_of::<Thread>())?.chunks_exact(size_of::<Thread>());
    Ok(records.map(|bytes| Thread::from_bytes(bytes).ok_or(Refused::Outside)))
}

/// The stub reads there itself: only what is the program's, page by page.
fn check_touched(buffers: &[u8]) -> Result<(), Refused> {
    let words = buffers.as_chunks().0;
    let word = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word));
    let is_touchable = |at: usize| {
        let (start, bytes) = (word(at), word(at + 1));
        start.is_multiple_of(4096) && bytes.is_multiple_of(4096) && is_programs(start, bytes)
    };
    let all = (0..words.len()).step_by(2).all(is_touchable);
    all.then_some(()).ok_or(Refused::Touched)
}

/// The template installs the filter, with its rights: see [`Instruction::is_allowed`].
fn check_traps(plan: &[u8], places: &Places, traps: &Traps) -> Result<(), Refused> {
    let filter = part(plan, traps.filter, size_of::<Instruction>())?;
    let ranges = part(plan, traps.ranges, size_of::<TrapRange>())?;
    let probes = part(plan, traps.probes, size_of::<u64>())?;
    part(plan, traps.state, size_of::<TrapState>())?;
    let is_data = |state: Span| {
        let start = PLAN_BASE + state.offset;
        is_plans(start) && start + size_of::<TrapState>() as u64 <= places.operations
    };
    let of_filter =
        |bytes: &[u8]| Instruction::from_bytes(bytes).is_some_and(|one| one.is_allowed());
    let of_range = |bytes: &[u8]| {
        TrapRange::from_bytes(bytes).is_some_and(|range| {
            let bytes = range.end.checked_sub(range.start);
            bytes.is_some_and(|bytes| is_programs(range.start, bytes))
        })
    };
    let is_right = filter.chunks_exact(size_of::<Instruction>()).all(of_filter)
        && ranges.chunks_exact(size_of::<TrapRange>()).all(of_range)
        && probes
            .as_chunks()
            .0
            .iter()
            .all(|probe| is_programs(u64::from_le_bytes(*probe), 1))
        && traps.filter.count <= MAX_INSTRUCTIONS
        && traps.state.count == u64::from(traps.filter.count > 0)
        // The state is written to: it must be neither the header, which the stub believes, nor an operation.
        && (traps.state.count == 0 || is_data(traps.state));
    is_right.then_some(()).ok_or(Refused::Traps)
}

fn check_span(plan: &[u8], places: &Places, phase: Phase, span: Span) -> Result<(), Refused> {
    let ops = part(plan, span, size_of::<Op>())?.chunks_exact(size_of::<Op>());
    let mut previous = None;
    for (index, bytes) in ops.enumerate() {
        let op = Op::from_bytes(bytes).ok_or(Refused::Outside)?;
        check_op(plan, places, (phase, index), &op)?;
        if op.number == WRITE && !previous.is_some_and(|previous| may_write_there(&previous, &op)) {
            return Err(Refused::Write { index });
        }
        previous = Some(op);
    }
    Ok(())
}

fn check_op(plan: &[u8], places: &Places, at: (Phase, usize), op: &Op) -> Result<(), Refused> {
    let (phase, index) = at;
    let number = op.number;
    let mut refused = Refused::Call {
        phase,
        index,
        number,
    };
    for shape in shapes(phase).iter().filter(|shape| shape.number == number) {
        refused = match shape.check(op, plan, places) {
            Ok(()) => return Ok(()),
            Err(Fault::Value(value)) => Refused::Argument {
                phase,
                index,
                value,
            },
            Err(Fault::Descriptor(descriptor)) => Refused::Descriptor {
                phase,
                index,
                descriptor,
            },
            Err(Fault::Address(address)) => Refused::Address {
                phase,
                index,
                address,
            },
        };
    }
    Err(refused)
}

/// Whether a `write` goes to what the operation before it has just made, so that it begins at the file's beginning, or
/// has found to be a pipe.
fn may_write_there(previous: &Op, write: &Op) -> bool {
    let descriptor = write.args[0];
    match previous.number {
        OPEN | EVENTFD2 => previous.expected == descriptor,
        FCNTL => {
            previous.check == Check::Success as u8
                && previous.args[0] == descriptor
                && previous.args[1] == F_SETPIPE_SZ
        }
        _ => false,
    }
}

/// The system calls that operations of clones may make.
pub(crate) fn phases_of_clones() -> impl Iterator<Item = u32> {
    let phases = [
        Phase::Memory,
        Phase::Clone,
        Phase::Prefault,
        Phase::Watch,
        Phase::Settle,
        Phase::Resume,
        Phase::Thread,
    ];
    let shapes = phases.into_iter().flat_map(shapes);
    shapes.map(|shape| shape.number)
}

/// The bytes of a span of elements.
fn part(plan: &[u8], span: Span, element_bytes: usize) -> Result<&[u8], Refused> {
    let range = usize::try_from(span.offset)
        .ok()
        .zip(usize::try_from(span.count).ok());
    let range = range
        .filter(|(start, _)| start.is_multiple_of(8))
        .and_then(|(start, count)| {
            Some(start..start.checked_add(count.checked_mul(element_bytes)?)?)
        });
    range
        .and_then(|range| plan.get(range))
        .ok_or(Refused::Outside)
}

#[cfg(test)]
mod tests;
