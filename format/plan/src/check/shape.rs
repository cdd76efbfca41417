//! The shape of a system call: what each of its arguments may be.

use super::places::{Kinds, Places, is_programs};
use crate::{Check, Op, PLAN_BASE};

/// `MAP_ANONYMOUS` and `MAP_FIXED` (`mmap(2)`).
const MAP_ANONYMOUS: u64 = 0x20;
const MAP_FIXED: u64 = 0x10;
/// Those, `MAP_SHARED`, `MAP_PRIVATE`, `MAP_DROPPABLE`, `MAP_GROWSDOWN` and `MAP_NORESERVE`.
const MAP_FLAGS: u64 = 0x01 | 0x02 | 0x08 | MAP_FIXED | MAP_ANONYMOUS | 0x100 | 0x4000;
/// Where `struct prctl_mm_map` has the executable's descriptor.
const EXECUTABLE_OFFSET: u64 = 100;

/// What an argument may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arg {
    /// A number, or memory that the kernel only reads.
    Any,
    /// One of these numbers.
    OneOf(&'static [u64]),
    /// A descriptor.
    Fd(Kinds),
    /// What `mmap` maps: a descriptor, or nothing if the memory is anonymous.
    Mapped(Kinds),
    /// How `mmap` maps: fixed, and in no way that makes a mapping longer than it says.
    MapFlags,
    /// The program's memory, its length being the next argument.
    Memory,
    /// Memory to which the kernel writes so many bytes.
    Written(u64),
    /// The id of a process or thread, loaded from where an operation has stored it.
    Loaded,
    /// A `struct prctl_mm_map`, in which one of the plan's files is the executable.
    MemoryMap,
}

/// What comes of a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gives {
    /// Nothing that is used, but to see whether it worked.
    Nothing,
    /// A descriptor, which gets a number of these kinds.
    Fd(Kinds),
    /// An id, which may be stored.
    Id,
}

/// A system call as a plan may have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) number: u32,
    pub(super) args: [Arg; 6],
    pub(super) gives: Gives,
}

/// What is wrong with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// An argument, or what is to come of it.
    Value(u64),
    /// A descriptor that it may not name.
    Descriptor(u64),
    /// An address.
    Address(u64),
}

impl Shape {
    /// A call that gives nothing; arguments that are left out may be anything.
    pub(super) const fn new<const N: usize>(number: u32, args: [Arg; N]) -> Self {
        let mut all = [Arg::Any; 6];
        let mut at = 0;
        while at < N {
            all[at] = args[at];
            at += 1;
        }
        Self {
            number,
            args: all,
            gives: Gives::Nothing,
        }
    }

    /// The same, giving something.
    pub(super) const fn gives(mut self, gives: Gives) -> Self {
        self.gives = gives;
        self
    }

    /// Whether an operation has this shape.
    pub(super) fn check(&self, op: &Op, plan: &[u8], places: &Places) -> Result<(), Fault> {
        for (at, arg) in self.args.iter().enumerate() {
            let is_loaded = op.loads & 1 << at != 0;
            if is_loaded != matches!(arg, Arg::Loaded) {
                return Err(Fault::Value(op.args[at]));
            }
            arg.check(at, op, plan, places)?;
        }
        self.check_result(op, places)
    }

    fn check_result(&self, op: &Op, places: &Places) -> Result<(), Fault> {
        let makes_descriptor = op.check == Check::Descriptor as u8;
        match self.gives {
            Gives::Fd(kinds) if !makes_descriptor || !places.is(kinds, op.expected) => {
                return Err(Fault::Descriptor(op.expected));
            }
            Gives::Nothing | Gives::Id if makes_descriptor => {
                return Err(Fault::Descriptor(op.expected));
            }
            _ => {}
        }
        let may_store = matches!(self.gives, Gives::Id) && places.may_write(op.store, 4);
        if op.store != 0 && !may_store {
            return Err(Fault::Address(op.store));
        }
        Ok(())
    }
}

impl Arg {
    fn check(&self, at: usize, op: &Op, plan: &[u8], places: &Places) -> Result<(), Fault> {
        let value = op.args[at];
        let next = op.args.get(at + 1).copied().unwrap_or(u64::MAX);
        let (is_right, fault) = match *self {
            Self::Any => (true, Fault::Value(value)),
            Self::OneOf(numbers) => (numbers.contains(&value), Fault::Value(value)),
            Self::Fd(kinds) => (places.is(kinds, value), Fault::Descriptor(value)),
            Self::Mapped(kinds) => {
                let is_nothing = op.args[at - 1] & MAP_ANONYMOUS != 0 && value == u64::MAX;
                let is_file = op.args[at - 1] & MAP_ANONYMOUS == 0 && places.is(kinds, value);
                (is_nothing || is_file, Fault::Descriptor(value))
            }
            Self::MapFlags => {
                let is_right = value & !MAP_FLAGS == 0 && value & MAP_FIXED != 0;
                (is_right, Fault::Value(value))
            }
            Self::Memory => (is_programs(value, next), Fault::Address(value)),
            Self::Written(bytes) => (places.may_write(value, bytes), Fault::Address(value)),
            Self::Loaded => (places.may_write(value, 4), Fault::Address(value)),
            Self::MemoryMap => {
                let executable = executable(plan, value).ok_or(Fault::Address(value))?;
                let is_right = places.is(Kinds::FILE, executable.into());
                (is_right, Fault::Descriptor(executable.into()))
            }
        };
        is_right.then_some(()).ok_or(fault)
    }
}

/// The executable's descriptor in a map of memory. It is still that when the kernel reads it: no operation of a template
/// writes to the plan.
fn executable(plan: &[u8], address: u64) -> Option<u32> {
    let at = address
        .checked_sub(PLAN_BASE)?
        .checked_add(EXECUTABLE_OFFSET)?;
    let bytes = plan.get(usize::try_from(at).ok()?..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}
