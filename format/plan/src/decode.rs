//! The plan's structures from bytes as they lie in memory: little-endian, in the order of their fields, as `repr(C)` has
//! them.

use core::mem::offset_of;

use crate::traps::{Instruction, TrapRange, Traps};
use crate::{Confinement, Credentials, Header, Op, Rseq, Span, Special, Thread};

/// Reads numbers at offsets.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    pub(crate) fn u32(self, offset: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.0.get(offset..)?.first_chunk()?))
    }

    pub(crate) fn u64(self, offset: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.0.get(offset..)?.first_chunk()?))
    }

    fn span(self, offset: usize) -> Option<Span> {
        Some(Span {
            offset: self.u64(offset)?,
            count: self.u64(offset + 8)?,
        })
    }
}

impl Header {
    /// The header of a plan; none if the plan is too short.
    pub fn from_bytes(plan: &[u8]) -> Option<Self> {
        let bytes = Bytes(plan);
        let mut header = Self {
            magic: bytes.u64(offset_of!(Self, magic))?,
            version: bytes.u32(offset_of!(Self, version))?,
            fd_base: bytes.u32(offset_of!(Self, fd_base))?,
            bytes: bytes.u64(offset_of!(Self, bytes))?,
            specials: [Special::default(); 4],
            special_count: bytes.u32(offset_of!(Self, special_count))?,
            file_count: bytes.u32(offset_of!(Self, file_count))?,
            kept_files: bytes.u32(offset_of!(Self, kept_files))?,
            awaits_threads: bytes.u32(offset_of!(Self, awaits_threads))?,
            template: bytes.span(offset_of!(Self, template))?,
            memory: bytes.span(offset_of!(Self, memory))?,
            clone: bytes.span(offset_of!(Self, clone))?,
            prefault: bytes.span(offset_of!(Self, prefault))?,
            watch: bytes.span(offset_of!(Self, watch))?,
            settle: bytes.span(offset_of!(Self, settle))?,
            resume: bytes.span(offset_of!(Self, resume))?,
            threads: bytes.span(offset_of!(Self, threads))?,
            pinned: bytes.span(offset_of!(Self, pinned))?,
            touched: bytes.span(offset_of!(Self, touched))?,
            pid: bytes.u64(offset_of!(Self, pid))?,
            main_child_tid: bytes.u64(offset_of!(Self, main_child_tid))?,
            main_frame: bytes.u64(offset_of!(Self, main_frame))?,
            main_rseq: rseq(bytes, offset_of!(Self, main_rseq))?,
            credentials: credentials(bytes, offset_of!(Self, credentials))?,
            clocks_ns: [0; 2],
            traps: traps(bytes, offset_of!(Self, traps))?,
            confinement: confinement(bytes, offset_of!(Self, confinement))?,
        };
        for (index, special) in header.specials.iter_mut().enumerate() {
            let at = offset_of!(Self, specials) + index * size_of::<Special>();
            *special = Special {
                below_vdso: bytes.u64(at)?,
                bytes: bytes.u64(at + 8)?,
                target: bytes.u64(at + 16)?,
            };
        }
        for (index, clock_ns) in header.clocks_ns.iter_mut().enumerate() {
            *clock_ns = bytes.u64(offset_of!(Self, clocks_ns) + 8 * index)?;
        }
        Some(header)
    }
}

fn rseq(bytes: Bytes<'_>, at: usize) -> Option<Rseq> {
    Some(Rseq {
        address: bytes.u64(at + offset_of!(Rseq, address))?,
        bytes: bytes.u32(at + offset_of!(Rseq, bytes))?,
        signature: bytes.u32(at + offset_of!(Rseq, signature))?,
    })
}

fn traps(bytes: Bytes<'_>, at: usize) -> Option<Traps> {
    Some(Traps {
        filter: bytes.span(at + offset_of!(Traps, filter))?,
        ranges: bytes.span(at + offset_of!(Traps, ranges))?,
        probes: bytes.span(at + offset_of!(Traps, probes))?,
        state: bytes.span(at + offset_of!(Traps, state))?,
    })
}

fn confinement(bytes: Bytes<'_>, at: usize) -> Option<Confinement> {
    Some(Confinement {
        inherited: bytes.span(at + offset_of!(Confinement, inherited))?,
        last: bytes.span(at + offset_of!(Confinement, last))?,
        limits: bytes.span(at + offset_of!(Confinement, limits))?,
        beneath: bytes.span(at + offset_of!(Confinement, beneath))?,
        handled: bytes.u64(at + offset_of!(Confinement, handled))?,
        restrict_flags: bytes.u64(at + offset_of!(Confinement, restrict_flags))?,
    })
}

impl Instruction {
    /// From its bytes; none if there are too few.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = Bytes(bytes);
        let first = bytes.u32(0)?;
        Some(Self {
            code: first as u16,
            if_true: (first >> 16) as u8,
            if_false: (first >> 24) as u8,
            k: bytes.u32(offset_of!(Self, k))?,
        })
    }
}

impl TrapRange {
    /// From its bytes; none if there are too few.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = Bytes(bytes);
        Some(Self {
            start: bytes.u64(offset_of!(Self, start))?,
            end: bytes.u64(offset_of!(Self, end))?,
            map_flags: bytes.u32(offset_of!(Self, map_flags))?,
            advice: bytes.u32(offset_of!(Self, advice))?,
        })
    }
}

fn credentials(bytes: Bytes<'_>, at: usize) -> Option<Credentials> {
    let mut who = Credentials {
        apply: bytes.u32(at + offset_of!(Credentials, apply))?,
        supplementary_count: bytes.u32(at + offset_of!(Credentials, supplementary_count))?,
        securebits: bytes.u32(at + offset_of!(Credentials, securebits))?,
        supplementary: bytes.u64(at + offset_of!(Credentials, supplementary))?,
        ..Credentials::default()
    };
    for index in 0..4 {
        who.users[index] = bytes.u32(at + offset_of!(Credentials, users) + 4 * index)?;
        who.groups[index] = bytes.u32(at + offset_of!(Credentials, groups) + 4 * index)?;
    }
    for (index, set) in who.capabilities.iter_mut().enumerate() {
        *set = bytes.u64(at + offset_of!(Credentials, capabilities) + 8 * index)?;
    }
    Some(who)
}

impl Thread {
    /// From its bytes; none if there are too few.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = Bytes(bytes);
        Some(Self {
            child_tid: bytes.u64(offset_of!(Self, child_tid))?,
            tls: bytes.u64(offset_of!(Self, tls))?,
            stack_end: bytes.u64(offset_of!(Self, stack_end))?,
            ops: bytes.span(offset_of!(Self, ops))?,
            frame: bytes.u64(offset_of!(Self, frame))?,
            rseq: rseq(bytes, offset_of!(Self, rseq))?,
        })
    }
}

impl Op {
    /// From its bytes; none if there are too few.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = Bytes(bytes);
        let first = bytes.u64(0)?;
        let mut op = Self {
            number: first as u32,
            check: (first >> 32) as u8,
            loads: (first >> 40) as u8,
            close_on_exec: (first >> 48) as u16,
            args: [0; 6],
            expected: bytes.u64(offset_of!(Self, expected))?,
            store: bytes.u64(offset_of!(Self, store))?,
        };
        for (index, argument) in op.args.iter_mut().enumerate() {
            *argument = bytes.u64(offset_of!(Self, args) + 8 * index)?;
        }
        Some(op)
    }
}
