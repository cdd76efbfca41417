//! The namespaces that only children enter.

use offshoot_plan::{Request, fd};

use crate::{header, own, sys};

const CLONE_NEWPID: u32 = 0x2000_0000;
const CLONE_NEWTIME: u64 = 0x80;
/// How old the clock of the template may be, in nanoseconds: making a time namespace takes some 30 µs.
const CLOCK_AGE_NS: i64 = 1_000_000_000;

/// When the clock for children was made, in nanoseconds of `CLOCK_MONOTONIC`.
static mut CLOCK_MADE_NS: i64 = i64::MIN;

/// Whether a clone gets its id in a namespace of its sandbox.
pub fn joins_pids(request: &Request) -> bool {
    request.namespaces & CLONE_NEWPID != 0
}

/// The namespaces that only children enter: the sandbox's PIDs, and a clock that goes on where the image stopped.
pub fn set_child_namespaces(request: &Request, sandbox: i32) -> Result<(), i64> {
    let pid_namespace = if joins_pids(request) {
        sandbox as u64
    } else {
        own(fd::PID_NAMESPACE)
    };
    // SAFETY: changes only what children get.
    let set = unsafe { sys::call3(sys::SETNS, pid_namespace, u64::from(CLONE_NEWPID), 0) };
    if sys::is_error(set) {
        return Err(set);
    }
    let clocks_ns = header().clocks_ns;
    if clocks_ns[0] == 0 {
        return Ok(());
    }
    let (monotonic_ns, boottime_ns) = (now_ns(1), now_ns(7));
    // SAFETY: the template has one thread.
    if unsafe { CLOCK_MADE_NS } > monotonic_ns - CLOCK_AGE_NS {
        return Ok(());
    }
    // SAFETY: makes a time namespace for children.
    let made = unsafe { sys::call3(sys::UNSHARE, CLONE_NEWTIME, 0, 0) };
    if sys::is_error(made) {
        return Err(made);
    }
    let mut text = Text::new();
    text.offset(b"monotonic ", clocks_ns[0] as i64 - monotonic_ns);
    text.offset(b"boottime ", clocks_ns[1] as i64 - boottime_ns);
    // SAFETY: writes the text.
    let written = unsafe {
        sys::call3(
            sys::WRITE,
            own(fd::CLOCKS),
            text.bytes.as_ptr() as u64,
            text.len as u64,
        )
    };
    if sys::is_error(written) {
        return Err(written);
    }
    // SAFETY: as above.
    unsafe { CLOCK_MADE_NS = monotonic_ns };
    Ok(())
}

fn now_ns(clock: u64) -> i64 {
    let mut time = [0_i64; 2];
    // SAFETY: writes a timespec.
    unsafe { sys::call3(sys::CLOCK_GETTIME, clock, time.as_mut_ptr() as u64, 0) };
    time[0].wrapping_mul(1_000_000_000).wrapping_add(time[1])
}

/// Lines of `/proc/pid/timens_offsets` (`time_namespaces(7)`): seconds, which may be negative, and nanoseconds.
struct Text {
    bytes: [u8; 128],
    len: usize,
}

impl Text {
    const fn new() -> Self {
        Self {
            bytes: [0; 128],
            len: 0,
        }
    }

    fn push(&mut self, byte: u8) {
        if self.len < self.bytes.len() {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
    }

    fn offset(&mut self, clock: &[u8], offset_ns: i64) {
        for &byte in clock {
            self.push(byte);
        }
        self.number(offset_ns.div_euclid(1_000_000_000));
        self.push(b' ');
        self.number(offset_ns.rem_euclid(1_000_000_000));
        self.push(b'\n');
    }

    fn number(&mut self, number: i64) {
        if number < 0 {
            self.push(b'-');
        }
        let mut left = number.unsigned_abs();
        let mut digits = [0_u8; 20];
        let mut count = 0;
        loop {
            digits[count] = b'0' + (left % 10) as u8;
            left /= 10;
            count += 1;
            if left == 0 {
                break;
            }
        }
        while count > 0 {
            count -= 1;
            self.push(digits[count]);
        }
    }
}
