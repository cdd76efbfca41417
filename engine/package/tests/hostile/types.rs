//! Special files, links that lead out, and paths used twice.

use offshoot_package::EntryFault as E;

use crate::cases::{Case, Want, refuse_all, zip};
use crate::support::builder::{Item, extra};

#[test]
#[rustfmt::skip] // one row, one case
fn hostile_types_and_twins_are_refused() {
    let typed = |mode| zip([Item::typed("x", "", mode)]);
    let linked = |target: &str| zip([Item::link("a/l", target)]);
    let two = |a: &str, b: &str| zip([Item::file(a, "1"), Item::file(b, "2")]);
    let extra_field =
        |id, len| zip([Item::file("x", "").both(|h| h.extra = extra(id, &vec![1; len]))]);
    let cases: Vec<Case> = vec![
        ("fifo", typed(0o010644), Want::Entry(E::SpecialFile)),
        ("character device", typed(0o020666), Want::Entry(E::SpecialFile)),
        ("block device", typed(0o060666), Want::Entry(E::SpecialFile)),
        ("socket", typed(0o140777), Want::Entry(E::SpecialFile)),
        ("unknown type", typed(0o150000), Want::Entry(E::SpecialFile)),
        ("all type bits", typed(0o170777), Want::Entry(E::SpecialFile)),
        ("whiteout", typed(0o160000), Want::Entry(E::SpecialFile)),
        ("fifo as directory", zip([Item::typed("x/", "", 0o010644)]), Want::Entry(E::SpecialFile)),
        ("fifo made on dos", dos_made(0o010644), Want::Entry(E::SpecialFile)),
        ("hard link field", extra_field(0x000d, 20), Want::Entry(E::Hardlink)),
        ("asi link field", extra_field(0x756e, 14), Want::Entry(E::Hardlink)),
        ("short asi field", extra_field(0x756e, 4), Want::Entry(E::Hardlink)),
        ("directory mode without slash", typed(0o040755), Want::Entry(E::DirectoryOrFile)),
        ("directory with content", zip([Item::typed("x/", "data", 0o040755)]), Want::Entry(E::DirectoryOrFile)),
        ("file with slash and content", zip([Item::typed("x/", "data", 0o100644)]), Want::Entry(E::DirectoryOrFile)),
        ("link with slash", zip([Item::typed("x/", "t", 0o120777)]), Want::Entry(E::DirectoryOrFile)),
        ("absolute link", linked("/etc/passwd"), Want::Entry(E::LinkAbsolute)),
        ("link to root", linked("/"), Want::Entry(E::LinkAbsolute)),
        ("link out", linked("../../x"), Want::Entry(E::LinkEscapes)),
        ("link far out", linked("../../../../../../etc/shadow"), Want::Entry(E::LinkEscapes)),
        ("link out after descending", linked("b/../../.."), Want::Entry(E::LinkEscapes)),
        ("link climbing after a name", linked("b/../c"), Want::Entry(E::LinkEscapes)),
        ("link out at the top", zip([Item::link("l", "..")]), Want::Entry(E::LinkEscapes)),
        ("link to nothing", linked(""), Want::Entry(E::LinkTarget)),
        ("link with nul", linked("a\0b"), Want::Entry(E::LinkTarget)),
        ("link not utf-8", zip([Item::link("l", b"\xff")]), Want::Entry(E::LinkTarget)),
        ("link of 4096 bytes", linked(&"x".repeat(4_096)), Want::Entry(E::LinkTarget)),
        ("link bomb", zip([Item::link("l", vec![b'x'; 3_000_000]).deflated()]), Want::Entry(E::LinkTarget)),
        ("link made on dos", zip([Item::link("l", "../x").both(|h| h.host = 0)]), Want::Entry(E::LinkEscapes)),
        ("write through link", zip([Item::link("d", "."), Item::file("d/x", "1")]), Want::Entry(E::ParentNotADirectory)),
        ("write through link, link last", zip([Item::file("d/x", "1"), Item::link("d", ".")]), Want::Entry(E::ParentNotADirectory)),
        ("link chain then file", zip([ Item::link("a", "."), Item::link("a/b", ".."), Item::file("a/b/x", "1")]), Want::Entry(E::ParentNotADirectory)),
        ("link then directory of its name", zip([Item::link("d", "."), Item::directory("d/")]), Want::Entry(E::Duplicate)),
        ("link overwritten by file", zip([Item::link("l", "t"), Item::file("l", "1")]), Want::Entry(E::Duplicate)),
        ("file overwritten by link", zip([Item::file("l", "1"), Item::link("l", "t")]), Want::Entry(E::Duplicate)),
        ("chain through dot link", zip([Item::link("d", "."), Item::link("e", "d/..")]), Want::Entry(E::LinkEscapes)),
        ("duplicate file", two("x", "x"), Want::Entry(E::Duplicate)),
        ("duplicate behind dot slash", two("x", "./x"), Want::Entry(E::Duplicate)),
        ("duplicate directory", zip([Item::directory("d/"), Item::directory("d/")]), Want::Entry(E::Duplicate)),
        ("file and directory", zip([Item::file("d", "1"), Item::directory("d/")]), Want::Entry(E::Duplicate)),
        ("file as parent", two("d", "d/x"), Want::Entry(E::ParentNotADirectory)),
        ("file as grandparent", two("d", "d/e/x"), Want::Entry(E::ParentNotADirectory)),
        ("parent becomes file", two("d/x", "d"), Want::Entry(E::ParentNotADirectory)),
    ];
    refuse_all(cases, 43);
}

fn dos_made(mode: u32) -> Vec<u8> {
    zip([Item::typed("x", "", mode).both(|h| h.host = 0)])
}
