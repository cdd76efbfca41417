//! Which machines a process can move between.

#![allow(missing_docs)]

use offshoot_image::model::{Machine, SpecialKind};
use offshoot_image::{Incompatible, compatibility, sample};

#[test]
fn machine_suits_its_own_images_and_those_of_lesser_ones() {
    let image = sample::machine();
    assert_eq!(compatibility(&image, &image), Ok(()));
    let mut better = image.clone();
    better.cpu.features[2] |= 1 << 16;
    better.cpu.xcr0 |= 0xe0;
    better.cpu.xsave_bytes = 2696;
    better.kernel = "6.18.1".to_owned();
    assert_eq!(compatibility(&image, &better), Ok(()));
    assert!(compatibility(&better, &image).is_err());
}

#[test]
fn vdso_may_lie_elsewhere() {
    let image = sample::machine();
    let mut moved = image.clone();
    for mapping in &mut moved.vdso.mappings {
        mapping.start += 0x10_0000;
    }
    assert_eq!(compatibility(&image, &moved), Ok(()));
}

#[test]
fn what_a_machine_lacks_is_named() {
    type Change = fn(&mut Machine);
    let cases: [(Change, &str); 9] = [
        (
            |m| m.cpu.vendor = "AuthenticAMD".to_owned(),
            "the image needs a processor of \"GenuineIntel\"",
        ),
        (
            |m| m.cpu.features[2] = 3,
            "this machine's processor lacks features of the image's: cpuid 7.0 EBX, bits 0x00000004",
        ),
        (
            |m| m.cpu.xcr0 = 3,
            "this machine lacks the state components 0x4 (XCR0)",
        ),
        (
            |m| m.cpu.xsave_bytes = 576,
            "an XSAVE area takes 576 bytes on this machine and 832 in the image",
        ),
        (|m| m.cpu.xsave_bytes = 840, "an XSAVE area takes 840 bytes"),
        (
            |m| m.vdso.digest[0] = 0,
            "the vDSO of this kernel (6.18.0) is not the image's (6.18.0)",
        ),
        (
            |m| m.vdso.mappings[2].bytes = 0x1000,
            "the vDSO of this kernel (6.18.0) has other mappings",
        ),
        (
            |m| m.vdso.mappings[1].start += 4096,
            "the vDSO of this kernel (6.18.0) has other mappings",
        ),
        (
            |m| {
                m.vdso
                    .mappings
                    .retain(|mapping| mapping.kind != SpecialKind::VvarVclock)
            },
            "the vDSO of this kernel (6.18.0) has other mappings",
        ),
    ];
    for (change, expected) in cases {
        let mut machine = sample::machine();
        change(&mut machine);
        let refused =
            compatibility(&sample::machine(), &machine).map_err(|e: Incompatible| e.to_string());
        assert!(
            refused
                .as_ref()
                .is_err_and(|text| text.starts_with(expected)),
            "{refused:?}"
        );
    }
}
