//! Whether a process that was frozen on one machine can run on another.

use crate::model::{Machine, SpecialMapping, Vdso};

/// Why a process cannot run on a machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// Another vendor's processor.
    #[error("the image needs a processor of {image:?}, this machine has one of {machine:?}")]
    Vendor {
        /// The image's.
        image: String,
        /// This machine's.
        machine: String,
    },
    /// Features that the program may use are missing.
    #[error("this machine's processor lacks features of the image's: {}, bits {bits:#010x}", FEATURE_WORDS[*word])]
    Features {
        /// Index of the feature word (see [`Cpu::features`](crate::model::Cpu::features)).
        word: usize,
        /// The missing bits.
        bits: u32,
    },
    /// The kernel has not enabled state components that the image holds.
    #[error("this machine lacks the state components {bits:#x} (XCR0) of the image")]
    StateComponents {
        /// The missing bits of XCR0.
        bits: u64,
    },
    /// The components lie elsewhere in the XSAVE area.
    #[error(
        "an XSAVE area takes {machine_bytes} bytes on this machine and {image_bytes} in the image"
    )]
    XsaveArea {
        /// The image's length.
        image_bytes: u32,
        /// This machine's length.
        machine_bytes: u32,
    },
    /// The kernel's mappings have another shape.
    #[error(
        "the vDSO of this kernel ({machine_kernel}) has other mappings than the image's ({image_kernel}); freeze again"
    )]
    VdsoShape {
        /// The image's kernel.
        image_kernel: String,
        /// This machine's kernel.
        machine_kernel: String,
    },
    /// The vDSO has other code.
    #[error(
        "the vDSO of this kernel ({machine_kernel}) is not the image's ({image_kernel}); freeze again"
    )]
    VdsoCode {
        /// The image's kernel.
        image_kernel: String,
        /// This machine's kernel.
        machine_kernel: String,
    },
}

const FEATURE_WORDS: [&str; 9] = [
    "cpuid 1 ECX",
    "cpuid 1 EDX",
    "cpuid 7.0 EBX",
    "cpuid 7.0 ECX",
    "cpuid 7.0 EDX",
    "cpuid 7.1 EAX",
    "cpuid 0xd.1 EAX",
    "cpuid 0x80000001 ECX",
    "cpuid 0x80000001 EDX",
];

/// Whether a process that was frozen on `image` can run on `machine`. More features than the image's do no harm; the
/// kernel's release does not matter as long as its vDSO is the same.
///
/// # Errors
///
/// The first thing that `machine` lacks.
pub fn compatibility(image: &Machine, machine: &Machine) -> Result<(), Incompatible> {
    let (wanted, given) = (&image.cpu, &machine.cpu);
    if wanted.vendor != given.vendor {
        return Err(Incompatible::Vendor {
            image: wanted.vendor.clone(),
            machine: given.vendor.clone(),
        });
    }
    for (word, (wanted, given)) in wanted.features.iter().zip(given.features).enumerate() {
        let bits = wanted & !given;
        if bits != 0 {
            return Err(Incompatible::Features { word, bits });
        }
    }
    let bits = wanted.xcr0 & !given.xcr0;
    if bits != 0 {
        return Err(Incompatible::StateComponents { bits });
    }
    // With more components the area may be longer; with the same ones it must be the same, or they lie elsewhere.
    let same_components = wanted.xcr0 == given.xcr0;
    if given.xsave_bytes < wanted.xsave_bytes
        || same_components && given.xsave_bytes != wanted.xsave_bytes
    {
        return Err(Incompatible::XsaveArea {
            image_bytes: wanted.xsave_bytes,
            machine_bytes: given.xsave_bytes,
        });
    }
    vdso_compatibility(image, machine)
}

fn vdso_compatibility(image: &Machine, machine: &Machine) -> Result<(), Incompatible> {
    let image_kernel = image.kernel.clone();
    let machine_kernel = machine.kernel.clone();
    if !shape(&image.vdso).eq(shape(&machine.vdso)) {
        return Err(Incompatible::VdsoShape {
            image_kernel,
            machine_kernel,
        });
    }
    if image.vdso.digest != machine.vdso.digest {
        return Err(Incompatible::VdsoCode {
            image_kernel,
            machine_kernel,
        });
    }
    Ok(())
}

// Where the mappings lie is free, how they lie to each other is not: the code finds its data by distance.
fn shape(vdso: &Vdso) -> impl Iterator<Item = SpecialMapping> {
    let base = vdso.mappings.first().map_or(0, |mapping| mapping.start);
    vdso.mappings.iter().map(move |mapping| SpecialMapping {
        start: mapping.start.wrapping_sub(base),
        ..*mapping
    })
}
