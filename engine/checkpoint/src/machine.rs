//! The machine that the process runs on.

use offshoot_image::model::{Cpu, Machine, Vdso};
use offshoot_trace::cpu;

/// Describes this machine, for a process with that vDSO.
pub(crate) fn describe(vdso: Vdso) -> Machine {
    let processor = cpu::processor();
    Machine {
        cpu: Cpu {
            vendor: processor.vendor,
            features: processor.features,
            xcr0: processor.xcr0,
            xsave_bytes: processor.xsave_bytes,
        },
        vdso,
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .chars()
            .take(64)
            .collect(),
    }
}
