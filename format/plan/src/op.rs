//! One system call.

/// One system call: number, arguments, and what is expected of it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Op {
    /// Its number.
    pub number: u32,
    /// What its result must be: a [`Check`].
    pub check: u8,
    /// Bit `n`: argument `n` is the address of a 32-bit number which is the argument. So an operation can use what an
    /// earlier one has written, such as the descriptors of a pipe.
    pub loads: u8,
    /// Whether the descriptor of [`Check::Descriptor`] is closed on exec.
    pub close_on_exec: u16,
    /// Its arguments.
    pub args: [u64; 6],
    /// The expected result, or the descriptor's number.
    pub expected: u64,
    /// Address at which the result is stored, as a 32-bit number; 0 is nowhere.
    pub store: u64,
}

/// What the result of a system call must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Check {
    /// Not an error.
    Success = 0,
    /// Exactly [`Op::expected`].
    Equals = 1,
    /// Anything: advice that may be refused.
    Anything = 2,
    /// A descriptor, which is moved to the number [`Op::expected`].
    Descriptor = 3,
}

/// When an operation runs; for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// The stub's own steps.
    Stub = 0,
    /// Making the template.
    Template = 1,
    /// Each clone: its descriptors.
    Clone = 2,
    /// Bringing pages in.
    Prefault = 3,
    /// Right before the program goes on.
    Resume = 4,
    /// A thread; the operation's index counts from the first thread's first.
    Thread = 5,
    /// Being watched.
    Watch = 6,
    /// Each clone, before: its memory.
    Memory = 7,
    /// When all threads are there: what is the same whenever the program goes on.
    Settle = 8,
}

impl Op {
    /// A call that must not fail.
    pub const fn new(number: i64, args: [u64; 6]) -> Self {
        Self {
            number: number as u32,
            check: Check::Success as u8,
            loads: 0,
            close_on_exec: 0,
            args,
            expected: 0,
            store: 0,
        }
    }

    /// The same, with an expected result.
    pub const fn equals(mut self, expected: u64) -> Self {
        self.check = Check::Equals as u8;
        self.expected = expected;
        self
    }

    /// The same, with any result.
    pub const fn anything(mut self) -> Self {
        self.check = Check::Anything as u8;
        self
    }

    /// The same, its result being a descriptor that gets this number.
    pub const fn descriptor(mut self, number: u32, close_on_exec: bool) -> Self {
        self.check = Check::Descriptor as u8;
        self.expected = number as u64;
        self.close_on_exec = close_on_exec as u16;
        self
    }

    /// The same, its result being stored for later operations.
    pub const fn store(mut self, address: u64) -> Self {
        self.store = address;
        self
    }

    /// The same, the argument being loaded from the address given for it.
    pub const fn load(mut self, argument: u8) -> Self {
        self.loads |= 1 << argument;
        self
    }
}
