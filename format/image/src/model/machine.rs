//! What a process has seen of the machine below it, and will expect to find again.

use serde::{Deserialize, Serialize};

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor.
    pub cpu: Cpu,
    /// The code that the kernel gives each process.
    pub vdso: Vdso,
    /// The kernel's release (`uname -r`), for messages only.
    pub kernel: String,
}

/// What a program may have asked the processor for (`cpuid`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// The vendor, twelve letters.
    pub vendor: String,
    /// Feature words: leaf 1 ECX and EDX; leaf 7.0 EBX, ECX and EDX; leaf 7.1 EAX; leaf 0xD.1 EAX;
    /// leaf 0x8000_0001 ECX and EDX. A clone needs a processor that has every bit that is set here.
    pub features: [u32; 9],
    /// The state components that the kernel has enabled (XCR0).
    pub xcr0: u64,
    /// Length of an XSAVE area in the standard format with these components, in bytes.
    pub xsave_bytes: u32,
}

/// The vDSO (`vdso(7)`) and the kernel's data pages beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vdso {
    /// BLAKE3 of the code. Another kernel's vDSO has its functions elsewhere, and the process holds their addresses.
    pub digest: [u8; 32],
    /// The mappings, ascending: `[vvar]`, since Linux 6.13 also `[vvar_vclock]`, and `[vdso]`.
    pub mappings: Vec<SpecialMapping>,
}

/// One of the kernel's own mappings in every process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecialMapping {
    /// Which one.
    pub kind: SpecialKind,
    /// First address.
    pub start: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// Which of the kernel's own mappings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpecialKind {
    /// `[vvar]`: clock data.
    Vvar,
    /// `[vvar_vclock]`: clock data of hypervisors.
    VvarVclock,
    /// `[vdso]`: code.
    Vdso,
}
