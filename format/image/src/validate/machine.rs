//! Rules for what the process ran on.

use super::{Invalid, Place, Rule, ensure, in_user_space, is_page_aligned};
use crate::limits::MAX_XSAVE_BYTES;
use crate::model::{Machine, Vdso};

/// Legacy region and header (Intel SDM volume 1, section 13.4).
pub(super) const XSAVE_HEADER_END: u32 = 576;

/// x87 and SSE, which XCR0 always has in 64-bit programs.
const ALWAYS_ENABLED: u64 = 3;

pub(super) fn check(machine: &Machine) -> Result<(), Invalid> {
    let cpu = &machine.cpu;
    let good = cpu.vendor.len() <= 12
        && cpu
            .vendor
            .bytes()
            .all(|b| b == b' ' || b.is_ascii_graphic());
    ensure(good && !cpu.vendor.is_empty(), Place::Machine, Rule::Name)?;
    ensure(machine.kernel.len() <= 64, Place::Machine, Rule::Name)?;
    let xcr0 = Rule::Range {
        field: "XCR0",
        value: cpu.xcr0,
    };
    ensure(
        cpu.xcr0 & ALWAYS_ENABLED == ALWAYS_ENABLED,
        Place::Machine,
        xcr0,
    )?;
    let length = Rule::Range {
        field: "XSAVE length",
        value: u64::from(cpu.xsave_bytes),
    };
    let possible = (XSAVE_HEADER_END..=MAX_XSAVE_BYTES).contains(&cpu.xsave_bytes);
    ensure(possible, Place::Machine, length)?;
    check_vdso(&machine.vdso)
}

fn check_vdso(vdso: &Vdso) -> Result<(), Invalid> {
    let mut behind = 0;
    for (index, mapping) in vdso.mappings.iter().enumerate() {
        let place = Place::SpecialMapping(mapping.start);
        let end = mapping.start.saturating_add(mapping.bytes);
        ensure(
            in_user_space(mapping.start, end),
            place,
            Rule::NotInUserSpace,
        )?;
        ensure(
            is_page_aligned(mapping.start) && is_page_aligned(end),
            place,
            Rule::Unaligned,
        )?;
        ensure(mapping.start >= behind, place, Rule::NotAscending)?;
        let twice = vdso.mappings[..index]
            .iter()
            .any(|other| other.kind == mapping.kind);
        ensure(!twice, place, Rule::Twice)?;
        behind = end;
    }
    Ok(())
}
