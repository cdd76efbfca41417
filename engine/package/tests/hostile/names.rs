//! Names that lead elsewhere or mean different things to different readers.

use offshoot_package::EntryFault as E;

use crate::cases::{Case, Want, named, refuse_all, zip};
use crate::support::builder::{Item, extra};

#[test]
#[rustfmt::skip] // one row, one case
fn hostile_names_are_refused() {
    let deep = "d/".repeat(300) + "f";
    let cases: Vec<Case> = vec![
        ("parent", named("../x"), Want::Entry(E::ParentComponent)),
        ("parent inside", named("a/../../x"), Want::Entry(E::ParentComponent)),
        ("parent that stays inside", named("a/../x"), Want::Entry(E::ParentComponent)),
        ("parent at the end", named("a/.."), Want::Entry(E::ParentComponent)),
        ("parent directory", named("../"), Want::Entry(E::ParentComponent)),
        ("only parent", named(".."), Want::Entry(E::ParentComponent)),
        ("parent behind dot", named("./../x"), Want::Entry(E::ParentComponent)),
        ("many parents", named("../".repeat(60) + "etc/cron.d/x"), Want::Entry(E::ParentComponent)),
        ("absolute", named("/x"), Want::Entry(E::Absolute)),
        ("absolute into etc", named("/etc/passwd"), Want::Entry(E::Absolute)),
        ("two slashes", named("//x"), Want::Entry(E::Absolute)),
        ("only slash", named("/"), Want::Entry(E::Absolute)),
        ("drive and backslash", named("C:\\x"), Want::Entry(E::DriveLetter)),
        ("drive and slash", named("C:/x"), Want::Entry(E::DriveLetter)),
        ("drive relative", named("c:x"), Want::Entry(E::DriveLetter)),
        ("backslash parents", named("a\\..\\..\\x"), Want::Entry(E::Backslash)),
        ("share", named("\\\\host\\share"), Want::Entry(E::Backslash)),
        ("backslash root", named("\\x"), Want::Entry(E::Backslash)),
        ("backslash at the end", named("a\\"), Want::Entry(E::Backslash)),
        ("nul", named("a\0b"), Want::Entry(E::NulByte)),
        ("nul then suffix", named("safe.txt\0.sh"), Want::Entry(E::NulByte)),
        ("nul alone", named("\0"), Want::Entry(E::NulByte)),
        ("nul at the end", named("x\0"), Want::Entry(E::NulByte)),
        ("empty name", named(""), Want::Entry(E::EmptyName)),
        ("empty component", named("a//b"), Want::Entry(E::IdleComponent)),
        ("two slashes at the end", named("a//"), Want::Entry(E::IdleComponent)),
        ("dot component", named("a/./b"), Want::Entry(E::IdleComponent)),
        ("dot", named("."), Want::Entry(E::IdleComponent)),
        ("two dot slashes", named("././b"), Want::Entry(E::IdleComponent)),
        ("dot slash slash", named(".//etc"), Want::Entry(E::IdleComponent)),
        ("4096 bytes", named("n".repeat(4_096)), Want::Entry(E::NameTooLong { limit_bytes: 1_024 })),
        ("65535 bytes", named("n/".repeat(32_767)), Want::Entry(E::NameTooLong { limit_bytes: 1_024 })),
        ("256 byte component", named("n".repeat(256)), Want::Entry(E::ComponentTooLong)),
        ("300 deep", named(deep), Want::Entry(E::TooDeep { limit: 64 })),
        ("65 deep", named("d/".repeat(64) + "f"), Want::Entry(E::TooDeep { limit: 64 })),
        ("latin-1", named(b"caf\xe9"), Want::Entry(E::NotUtf8)),
        ("overlong slash", named(b"..\xc0\xafx"), Want::Entry(E::NotUtf8)),
        ("surrogate", named(b"\xed\xa0\x80"), Want::Entry(E::NotUtf8)),
        ("beyond unicode", named(b"\xf4\x90\x80\x80"), Want::Entry(E::NotUtf8)),
        ("cut utf-8", named(b"x\xe2\x82"), Want::Entry(E::NotUtf8)),
        ("not utf-8, but flagged", flagged(b"\xff\xfe", 1 << 11), Want::Entry(E::NotUtf8)),
        ("escape sequence in a bad name", named("../\x1b[2J\x07"), Want::Entry(E::ParentComponent)),
        ("other unicode path", second_name(b"../../x"), Want::Entry(E::SecondName)),
        ("short unicode path field", second_name(b""), Want::Entry(E::SecondName)),
    ];
    refuse_all(cases, 44);
}

fn flagged(name: &[u8], flags: u16) -> Vec<u8> {
    zip([Item::file(name, "x").both(|h| h.flags |= flags)])
}

fn second_name(other: &[u8]) -> Vec<u8> {
    let field = extra(0x7075, &[b"\x01CRC!", other].concat());
    zip([Item::file("harmless", "x").both(|h| h.extra = field.clone())])
}
