//! Rules of mappings, runs, guards and the profile.

use super::*;

#[test]
#[rustfmt::skip] // one case, one line
fn mappings_must_be_in_order_and_in_user_space() {
    refuse(&[
        (|m| m.mappings.swap(0, 1), "the mapping at 0x400000 does not come after its predecessor"),
        (|m| m.mappings[0].end = HEAP + 4096, "the mapping at 0x600000 does not come after"),
        (|m| m.mappings[0].end = TEXT, "the mapping at 0x400000 is empty"),
        (|m| m.mappings[0].start = 0, "the mapping at 0x0 is empty or does not lie in user space"),
        (|m| m.mappings[0].start += 1, "the mapping at 0x400001 does not begin and end with a page"),
        (|m| m.mappings[0].end += 1, "the mapping at 0x400000 does not begin and end with a page"),
        (|m| m.mappings[3].end = USER_SPACE_END + 4096, "the mapping at 0x900000 is empty or does not lie"),
        (|m| m.mappings[3].end = 0x7fff_0000_1000, "the kernel's mapping at 0x7fff00000000 overlaps a mapping"),
        (|m| m.mappings[0].protection.0 = 8, "the mapping at 0x400000 has bits in its protection"),
        (
            |m| m.mappings[0].flags.0 = 1 << 14,
            "the mapping at 0x400000 has bits in its flags that are not allowed: 0x4000",
        ),
        (|m| m.mappings[0].flags.0 = 1, "the mapping at 0x400000 cannot be both growing down and other"),
        (|m| m.mappings[1].flags.0 = 0x30, "the mapping at 0x600000 cannot be both of huge pages and of none"),
        (|m| m.mappings[0].name = b"x".to_vec(), "the mapping at 0x400000 cannot be both named and of a file"),
        (|m| m.mappings[1].name = vec![b'x'; 80], "the mapping at 0x600000 has a name"),
        (|m| m.mappings[1].name = vec![0], "the mapping at 0x600000 has a name"),
        (|m| m.mappings[1].shared = true, "the mapping at 0x600000 cannot be both shared and anonymous"),
    ]);
}

#[test]
#[rustfmt::skip] // one case, one line
fn backings_must_exist() {
    refuse(&[
        (|m| m.mappings[0].backing = file(1, 0), "the mapping at 0x400000 names file 1, of 1"),
        (|m| m.mappings[0].backing = file(0, 5), "the mapping at 0x400000 does not begin"),
        (
            |m| m.mappings[0].backing = file(0, 0x7fff_ffff_ffff_f000),
            "the mapping at 0x400000 has an impossible file offset",
        ),
        (|m| m.mappings[2].backing = content(9), "the mapping at 0x800000 names content 9, of 1"),
    ]);
}

#[test]
#[rustfmt::skip] // one case, one line
fn runs_must_lie_in_their_mapping_and_in_the_file() {
    refuse(&[
        (|m| run(m).pages = 0, "run 0 of the mapping at 0x600000 has no pages"),
        (|m| run(m).page -= 1, "run 0 of the mapping at 0x600000 does not lie in its mapping"),
        (|m| run(m).pages = 9, "run 0 of the mapping at 0x600000 does not lie in its mapping"),
        (|m| run(m).page = u64::MAX, "run 0 of the mapping at 0x600000 does not lie in its mapping"),
        (|m| run(m).file_page = 511, "run 0 of the mapping at 0x600000 does not lie in its image file"),
        (|m| run(m).file_page = MAX_FILE_PAGE, "run 0 of the mapping at 0x600000 does not lie in its image"),
        (|m| run(m).file_page = u64::MAX, "run 0 of the mapping at 0x600000 does not lie in its image"),
        (|m| run(m).generation = 1, "run 0 of the mapping at 0x600000 refers to generation 1"),
        (
            |m| {
                m.parent = Some(ImageId([1; 32]));
                run(m).generation = 17;
            },
            "run 0 of the mapping at 0x600000 refers to generation 17",
        ),
        (|m| m.parent = Some(ImageId([0; 32])), "the manifest names an all-zero parent"),
        (
            |m| {
                let again = *run(m);
                m.mappings[1].runs.push(again);
            },
            "run 1 of the mapping at 0x600000 does not come after its predecessor",
        ),
        (|m| m.contents[0].runs[0].file_page = 512, "page 512 of the image file occurs twice"),
        (|m| m.mappings[1].flags.0 = MappingFlags::WIPE_ON_FORK, "the mapping at 0x600000 is wiped on fork and"),
        (|m| m.mappings[1].flags.0 = MappingFlags::DROPPABLE, "the mapping at 0x600000 is droppable and must"),
        (|m| m.mappings[2].runs = vec![other_run(0x800)], "the mapping at 0x800000 is a shared mapping of a content"),
        (
            |m| {
                m.mappings[3].shared = true;
                m.mappings[3].backing = file(0, 0);
                m.mappings[3].runs = vec![other_run(0x900)];
            },
            "the mapping at 0x900000 is shared and writable",
        ),
        (|m| m.contents[0].runs[0].page = 4, "run 0 of content 0 does not lie in its content"),
        (|m| run(m).clean = true, "run 0 of the mapping at 0x600000 cannot be both clean and other than a private"),
        (|m| m.contents[0].runs[0].clean = true, "run 0 of content 0 cannot be both clean and other than"),
    ]);
}

#[test]
#[rustfmt::skip] // one case, one line
fn guards_must_lie_in_their_mapping_beside_its_runs() {
    refuse(&[
        (|m| guard(m, 0x900, 0), "guard 0 of the mapping at 0x900000 has no pages"),
        (|m| guard(m, 0x8ff, 1), "guard 0 of the mapping at 0x900000 does not lie in its mapping"),
        (|m| guard(m, 0x900, u64::MAX), "guard 0 of the mapping at 0x900000 does not lie in its mapping"),
        (|m| { guard(m, 0x901, 1); guard(m, 0x900, 1); }, "guard 1 of the mapping at 0x900000 does not come after"),
        (
            |m| {
                guard(m, 0x901, 1);
                m.mappings[3].runs = vec![
                    other_run(0x900),
                    Run {
                        file_page: 900,
                        ..other_run(0x901)
                    },
                ];
            },
            "guard 0 of the mapping at 0x900000 overlaps a run",
        ),
        (|m| m.profile.dirty = vec![range(0, 1)], "range 0 of the dirty pages is empty or does not lie in user"),
        (|m| m.profile.accessed = vec![range(1, 0)], "range 0 of the accessed pages is empty"),
        (|m| m.profile.accessed = vec![range(1, u64::MAX)], "range 0 of the accessed pages is empty or does"),
        (|m| m.profile.dirty = vec![range(2, 2), range(3, 1)], "range 1 of the dirty pages does not come after"),
    ]);
}

#[test]
fn runs_of_ancestors_must_lie_in_them() {
    let parent = seal(&sample::manifest(4));
    let mut child = sample::manifest(4);
    child.parent = Some(parent.id);
    run(&mut child).generation = 1;
    assert_eq!(child.validate(), Ok(()));
    assert_eq!(child.validate_ancestors(&[&parent]), Ok(()));
    let place = Place::MappingRun(HEAP, 0);
    assert_eq!(
        child.validate_ancestors(&[]),
        Err(Invalid {
            place,
            rule: Rule::Generation(1)
        })
    );
    let small = seal(&sample::manifest(3));
    let manifest = Place::Manifest;
    let wrong = Invalid {
        place: manifest,
        rule: Rule::WrongAncestor,
    };
    assert_eq!(child.validate_ancestors(&[&small]), Err(wrong));
    child.parent = Some(small.id);
    assert_eq!(
        child.validate_ancestors(&[&small]),
        Err(Invalid {
            place,
            rule: Rule::Outside("ancestor")
        })
    );
    assert_eq!(child.validate_ancestors(&[&small, &parent]), Err(wrong));
}
