//! This machine, as images are compared with it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use offshoot_image::model::{Cpu, Machine, SpecialKind, SpecialMapping, Vdso};

/// A vDSO is two pages; more than this is none.
const MAX_VDSO_BYTES: u64 = 1 << 20;

/// Why this machine could not be described.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the kernel's mappings of this process")]
pub struct MachineError(#[from] io::Error);

/// Describes this machine by its processor, and by the kernel's mappings in this process.
///
/// # Errors
/// `/proc/self` cannot be read.
pub fn this_machine() -> Result<Machine, MachineError> {
    let cpu = offshoot_trace::cpu::processor();
    let mappings = special_mappings(&std::fs::read_to_string("/proc/self/maps")?);
    let code = mappings
        .iter()
        .find(|mapping| mapping.kind == SpecialKind::Vdso);
    let mut vdso = Vec::new();
    if let Some(code) = code.filter(|code| code.bytes <= MAX_VDSO_BYTES) {
        vdso.resize(code.bytes as usize, 0);
        File::open("/proc/self/mem")?.read_exact_at(&mut vdso, code.start)?;
    }
    Ok(Machine {
        cpu: Cpu {
            vendor: cpu.vendor,
            features: cpu.features,
            xcr0: cpu.xcr0,
            xsave_bytes: cpu.xsave_bytes,
        },
        vdso: Vdso {
            digest: *blake3::hash(&vdso).as_bytes(),
            mappings,
        },
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
    })
}

/// The kernel's mappings among the lines of `/proc/pid/maps`.
fn special_mappings(maps: &str) -> Vec<SpecialMapping> {
    let of_line = |line: &str| {
        let kind = match line.rsplit(' ').next()? {
            "[vvar]" => SpecialKind::Vvar,
            "[vvar_vclock]" => SpecialKind::VvarVclock,
            "[vdso]" => SpecialKind::Vdso,
            _ => return None,
        };
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        Some(SpecialMapping {
            kind,
            start,
            bytes: end.checked_sub(start)?,
        })
    };
    maps.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn this_machine_has_a_vdso_and_can_be_compared_with_itself() {
        let machine = this_machine().unwrap();
        assert!(
            machine
                .vdso
                .mappings
                .iter()
                .any(|one| one.kind == SpecialKind::Vdso)
        );
        assert!(offshoot_image::compatibility(&machine, &machine).is_ok());
    }
}
