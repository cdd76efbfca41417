//! What a program may have asked the processor for.
// UNSAFETY: xgetbv faults where the kernel has not enabled it; that is asked first.
#![expect(unsafe_code)]

use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// `OSXSAVE` in leaf 1 ECX: the kernel uses XSAVE, and `xgetbv` may be executed.
const OSXSAVE: u32 = 1 << 27;
/// State component 18 (`XFEATURE_XTILE_DATA`).
pub const TILE_DATA: u64 = 1 << 18;
/// Length of the legacy FXSAVE area, in bytes.
const FXSAVE_BYTES: u32 = 512;

/// The processor (Intel SDM volume 2, `CPUID`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    /// The vendor, twelve letters.
    pub vendor: String,
    /// Leaf 1 ECX and EDX; leaf 7.0 EBX, ECX and EDX; leaf 7.1 EAX; leaf 0xD.1 EAX; leaf
    /// 0x8000_0001 ECX and EDX. Zero where the processor has no such leaf.
    pub features: [u32; 9],
    /// The state components that the kernel has enabled (XCR0).
    pub xcr0: u64,
    /// Length of an XSAVE area in the standard format with these components, in bytes.
    pub xsave_bytes: u32,
}

/// Asks the processor that this thread runs on.
pub fn processor() -> Processor {
    let root = __cpuid(0);
    let has = |leaf| leaf <= root.eax;
    let one = __cpuid(1);
    let (seven, seven_one) = if has(7) {
        let seven = __cpuid_count(7, 0);
        let next = if seven.eax >= 1 {
            __cpuid_count(7, 1).eax
        } else {
            0
        };
        ([seven.ebx, seven.ecx, seven.edx], next)
    } else {
        ([0; 3], 0)
    };
    let extended = if __cpuid(0x8000_0000).eax >= 0x8000_0001 {
        let leaf = __cpuid(0x8000_0001);
        [leaf.ecx, leaf.edx]
    } else {
        [0; 2]
    };
    let saves = one.ecx & OSXSAVE != 0 && has(0xd);
    let (xsave_features, xcr0, xsave_bytes) = if saves {
        (
            __cpuid_count(0xd, 1).eax,
            read_xcr0(),
            __cpuid_count(0xd, 0).ebx,
        )
    } else {
        (0, 3, FXSAVE_BYTES)
    };
    let [ebx, ecx, edx] = seven;
    let [extended_ecx, extended_edx] = extended;
    let mut vendor = Vec::with_capacity(12);
    for word in [root.ebx, root.edx, root.ecx] {
        vendor.extend_from_slice(&word.to_le_bytes());
    }
    Processor {
        vendor: String::from_utf8_lossy(&vendor).into_owned(),
        features: [
            one.ecx,
            one.edx,
            ebx,
            ecx,
            edx,
            seven_one,
            xsave_features,
            extended_ecx,
            extended_edx,
        ],
        xcr0,
        xsave_bytes,
    }
}

/// Where the data of AMX tiles begins in an XSAVE area (CPUID leaf 0xD.18 EBX), of a processor that has them. It is the
/// only state component that a program must ask for before it uses it, and the last and largest of the area.
pub fn tile_data_at(processor: &Processor) -> Option<usize> {
    let has = processor.xcr0 & TILE_DATA != 0;
    has.then(|| __cpuid_count(0xd, 18).ebx as usize)
}

/// Only after OSXSAVE has been seen.
fn read_xcr0() -> u64 {
    #[target_feature(enable = "xsave")]
    fn read() -> u64 {
        // SAFETY: register 0 exists wherever xgetbv does.
        unsafe { _xgetbv(0) }
    }
    // SAFETY: OSXSAVE says that xgetbv may be executed.
    unsafe { read() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_is_x86_64_with_sse2() {
        let processor = processor();
        assert_eq!(processor.vendor.len(), 12);
        assert_ne!(processor.features[1] & (1 << 26), 0, "SSE2");
        assert_eq!(processor.xcr0 & 3, 3, "x87 and SSE");
        assert!(processor.xsave_bytes >= FXSAVE_BYTES);
    }
}
