//! The rules that every manifest keeps.
//!
//! A manifest that has been validated can be acted on without further checks of numbers: indices lead somewhere, sums do
//! not overflow, addresses lie in user space, and nothing in it asks the kernel for more than a frozen process had.

mod file;
mod invalid;
mod machine;
mod memory;
mod process;
mod socket;
mod thread;

pub use invalid::{Invalid, Place, Rule};

use crate::header::Header;
use crate::id::ImageId;
use crate::limits::{MAX_PATH_BYTES, USER_SPACE_END, USER_SPACE_START};
use crate::model::{Manifest, PAGE_BYTES};

impl Manifest {
    /// Checks every rule.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, and what breaks it.
    pub fn validate(&self) -> Result<(), Invalid> {
        let no_parent = self.parent == Some(ImageId([0; 32]));
        ensure(!no_parent, Place::Manifest, Rule::NoParent)?;
        machine::check(&self.machine)?;
        memory::check(self)?;
        file::check(self)?;
        socket::check(self)?;
        process::check(self)?;
        thread::check(self)
    }

    /// Checks that the pages which this image takes from its ancestors lie where those store pages. `ancestors` begins
    /// with the parent, then the parent's parent.
    ///
    /// # Errors
    ///
    /// If an ancestor is missing or another one than the image or its predecessor names, or a run lies outside it.
    pub fn validate_ancestors(&self, ancestors: &[&Header]) -> Result<(), Invalid> {
        let mut parent = self.parent;
        for ancestor in ancestors {
            ensure(
                parent == Some(ancestor.id),
                Place::Manifest,
                Rule::WrongAncestor,
            )?;
            parent = ancestor.parent;
        }
        memory::check_ancestors(self, ancestors)
    }
}

pub(crate) fn ensure(holds: bool, place: Place, rule: Rule) -> Result<(), Invalid> {
    if holds {
        Ok(())
    } else {
        Err(Invalid { place, rule })
    }
}

/// Whether a stretch of addresses is not empty and lies in user space.
fn in_user_space(start: u64, end: u64) -> bool {
    USER_SPACE_START <= start && start < end && end <= USER_SPACE_END
}

/// Whether a program may hold a pointer there.
fn is_user_address(address: u64) -> bool {
    (USER_SPACE_START..USER_SPACE_END).contains(&address)
}

/// The same, or no pointer at all.
fn is_user_address_or_null(address: u64) -> bool {
    address == 0 || is_user_address(address)
}

fn is_page_aligned(address: u64) -> bool {
    address.is_multiple_of(PAGE_BYTES)
}

fn check_path(path: &[u8], place: Place) -> Result<(), Invalid> {
    let good = path.first() == Some(&b'/') && path.len() <= MAX_PATH_BYTES && !path.contains(&0);
    ensure(good, place, Rule::Path)
}

fn check_index(index: u32, count: usize, what: &'static str, place: Place) -> Result<(), Invalid> {
    let rule = Rule::NoSuch { what, index, count };
    ensure((index as usize) < count, place, rule)
}

fn check_bits(bits: u64, known: u64, field: &'static str, place: Place) -> Result<(), Invalid> {
    let unknown = bits & !known;
    ensure(
        unknown == 0,
        place,
        Rule::Bits {
            field,
            bits: unknown,
        },
    )
}

/// `KILL` and `STOP` can be neither caught nor blocked (`signal(7)`).
fn is_signal(signal: u8) -> bool {
    (1..=64).contains(&signal) && signal != 9 && signal != 19
}

/// Bits of `KILL` and `STOP` in a signal mask.
const FORBIDDEN_SIGNALS: u64 = 1 << 8 | 1 << 18;

fn check_mask(mask: u64, place: Place) -> Result<(), Invalid> {
    check_bits(mask, !FORBIDDEN_SIGNALS, "signal mask", place)
}

/// Each is a `siginfo_t` of 128 bytes that begins with the signal's number.
fn check_pending(pending: &[Vec<u8>], place: Place) -> Result<(), Invalid> {
    for info in pending {
        ensure(info.len() == 128, place, Rule::Pending)?;
        let number = i32::from_le_bytes([info[0], info[1], info[2], info[3]]);
        let signal = u8::try_from(number).unwrap_or(0);
        ensure(is_signal(signal), place, Rule::Signal(signal))?;
    }
    Ok(())
}

/// The kernel keeps times and positions in signed numbers.
fn check_signed(value: u64, field: &'static str, place: Place) -> Result<(), Invalid> {
    ensure(
        i64::try_from(value).is_ok(),
        place,
        Rule::Range { field, value },
    )
}
