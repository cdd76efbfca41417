//! Zips that real tools write unpack to what was packed.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use offshoot_package::{Digest, Limits, Package};
use support::builder::{Archive, Item, extra, zip64_extra};
use support::{Arena, snapshot};

fn unpack(arena: &Arena, zip: &[u8]) -> (Package, BTreeMap<String, String>) {
    let package = arena.store.unpack(zip, &Limits::default()).unwrap();
    assert_eq!(package.digest, Digest::of(zip));
    let tree = snapshot(&package.path);
    assert_eq!(package.entries as usize, tree.len());
    (package, tree)
}

fn tree_of(items: impl IntoIterator<Item = Item>) -> BTreeMap<String, String> {
    unpack(&Arena::new(), &Archive::of(items).bytes()).1
}

fn expect(tree: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(path, what)| ((*path).to_owned(), (*what).to_owned()))
        .collect();
    assert_eq!(tree, &expected);
}

#[test]
fn files_directories_and_modes_are_made() {
    let tree = tree_of([
        Item::typed("private", "p", 0o100600),
        Item::typed("bootstrap", "#!", 0o100700),
        Item::typed("group", "g", 0o100010),
        Item::typed("setuid", "s", 0o106755),
        Item::typed("sticky", "t", 0o101644),
        Item::typed("no mode", "n", 0).deflated(),
        Item::typed("closed/", "", 0o040000),
        Item::typed("open/", "", 0o043777),
        Item::typed("plain/", "", 0),
        Item::file("a/b/c.txt", "nested").deflated(),
    ]);
    expect(
        &tree,
        &[
            ("a", "dir 755"),
            ("a/b", "dir 755"),
            ("a/b/c.txt", "file 644 6 nested"),
            ("bootstrap", "file 755 2 #!"),
            ("closed", "dir 755"),
            ("group", "file 755 1 g"),
            ("no mode", "file 644 1 n"),
            ("open", "dir 755"),
            ("plain", "dir 755"),
            ("private", "file 644 1 p"),
            ("setuid", "file 755 1 s"),
            ("sticky", "file 644 1 t"),
        ],
    );
}

#[test]
fn links_inside_are_kept() {
    let tree = tree_of([
        Item::link("node_modules/.bin/tsc", "../typescript/bin/tsc"),
        Item::link("lib.so", "lib.so.1").deflated(),
        Item::link("dangling", "nowhere/at/all"),
        Item::link("up/here", ".."),
        Item::file("node_modules/typescript/bin/tsc", "tsc"),
        Item::file("lib.so.1", "elf"),
    ]);
    assert_eq!(tree["node_modules/.bin/tsc"], "link ../typescript/bin/tsc");
    assert_eq!(tree["lib.so"], "link lib.so.1");
    assert_eq!(tree["dangling"], "link nowhere/at/all");
    assert_eq!(tree["up/here"], "link ..");
}

#[test]
fn twins_in_case_and_in_normal_form_are_two_files() {
    let tree = tree_of(["a", "A", "é", "e\u{301}", "ß", "ss"].map(|n| Item::file(n, n)));
    assert_eq!(tree.len(), 6);
    assert_eq!(tree["e\u{301}"], "file 644 3 e\u{301}");
}

#[test]
fn odd_but_legal_names_are_kept() {
    let long = "n".repeat(255);
    let deep = "d/".repeat(63) + "f";
    let names = [
        "Icon\r",
        "..a",
        "a..",
        "...",
        " ",
        "-rf",
        "a\nb",
        "a:b c",
        "日本語",
        &long,
        &deep,
    ];
    // "a:b c" would be a drive letter at the start.
    let tree = tree_of(names.map(|n| Item::file(n.replace("a:b", "aa:b"), "x")));
    for name in [
        "Icon\r",
        "...",
        " ",
        "-rf",
        "a\nb",
        "aa:b c",
        "日本語",
        &long,
        &deep,
    ] {
        assert_eq!(tree[name], "file 644 1 x", "{name}");
    }
}

#[test]
fn harmless_liberties_of_writers_are_accepted() {
    let described = |signed, wide| {
        Item::file(format!("d{signed}{wide}"), "x")
            .deflated()
            .described(signed, wide)
    };
    let zip = Archive::of([
        Item::directory("./"),
        Item::directory("./dot/"),
        Item::file("./dot/slash", "x"),
        described(true, false),
        described(true, true),
        described(false, false),
        described(false, true),
        Item::directory("dir/").described(true, false),
        Item::file("utf8 flag in one header", "x").with(|i| i.central.flags |= 1 << 11),
        Item::file("padded", "x").with(|i| i.local.extra = vec![0; 3]),
        Item::file("aligned", "x").with(|i| i.local.extra = extra(0xd935, &[0; 2_000])),
        Item::file("same unicode path", "x")
            .both(|h| h.extra = extra(0x7075, b"\x01CRC!same unicode path")),
        Item::file("pkware times", "x").both(|h| h.extra = extra(0x000d, &[0; 12])),
        Item::file("commented", "x")
            .with(|i| i.central.comment = b"PK\x05\x06 in a comment".to_vec()),
        Item::file("zip64 in both", "x").both(|h| {
            (h.uncompressed, h.compressed) = (u32::MAX, u32::MAX);
            h.extra = zip64_extra(&[1, 1]);
        }),
        Item::file("unneeded zip64", "x").with(|i| i.local.extra = zip64_extra(&[1, 1])),
        Item::file("levels", "x")
            .deflated()
            .both(|h| h.flags |= 0b110),
    ])
    .with(|a| a.comment = b"0123456789abcdef0123456789abcdef01234567".to_vec());
    let (package, tree) = unpack(&Arena::new(), &zip.bytes());
    assert_eq!(tree.len(), 16);
    assert_eq!(tree["dot/slash"], "file 644 1 x");
    assert_eq!(package.unzipped_bytes, 14);
}

#[test]
fn zip64_end_records_are_read() {
    let zip = Archive::of([Item::file("f", "x")]).with(|a| {
        (a.count, a.directory_len, a.directory_offset) =
            (Some(u16::MAX), Some(u32::MAX), Some(u32::MAX));
        a.zip64 = Some(|_| {});
    });
    expect(
        &unpack(&Arena::new(), &zip.bytes()).1,
        &[("f", "file 644 1 x")],
    );
    let extensible = Archive::of([Item::file("f", "y")]).with(|a| {
        a.zip64 = Some(|w| {
            w.padding = vec![0; 12];
            w.size += 12;
        });
    });
    expect(
        &unpack(&Arena::new(), &extensible.bytes()).1,
        &[("f", "file 644 1 y")],
    );
}

#[test]
fn exactly_the_limits_are_allowed() {
    let arena = Arena::new();
    let zip = Archive::of([
        Item::file("a/b/f", vec![0; 5_000]).deflated(),
        Item::file("g", vec![1; 5_000]),
    ]);
    let limits = Limits {
        unzipped_bytes: 10_000,
        entries: 4,
        depth: 3,
        ..Limits::default()
    };
    let package = arena.store.unpack(&zip.bytes(), &limits).unwrap();
    assert_eq!((package.unzipped_bytes, package.entries), (10_000, 4));
}

#[test]
fn modification_times_are_kept() {
    let arena = Arena::new();
    let stamp = 1_700_000_001_i32;
    let field = extra(0x5455, &[&[1][..], &stamp.to_le_bytes()].concat());
    let zip = Archive::of([
        Item::file("extended", "x").with(|i| i.central.extra = field),
        Item::file("dos", "x"),
    ]);
    let (package, _) = unpack(&arena, &zip.bytes());
    let mtime = |name: &str| package.path.join(name).metadata().unwrap().mtime();
    assert_eq!(mtime("extended"), 1_700_000_001);
    assert_eq!(mtime("dos"), 1_704_067_200); // 2024-01-01 00:00:00 UTC
}

#[test]
fn five_thousand_files_unpack() {
    let item = |n: u32| {
        Item::file(format!("pkg{}/sub/m{n}.py", n % 50), format!("content {n}")).deflated()
    };
    let (package, tree) = unpack(&Arena::new(), &Archive::of((0..5_000).map(item)).bytes());
    assert_eq!(package.entries, 5_000 + 100);
    assert_eq!(tree["pkg49/sub/m4999.py"], "file 644 12 content 4999");
}

#[test]
fn incompressible_and_large_contents_survive() {
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    })
    .take(3_000_000)
    .collect();
    let arena = Arena::new();
    let zip = Archive::of([
        Item::file("noise", &noise).deflated(),
        Item::file("zeros", vec![0; 9_000_000]).deflated(),
    ]);
    let (package, _) = unpack(&arena, &zip.bytes());
    assert!(std::fs::read(package.path.join("noise")).unwrap() == noise);
    assert!(std::fs::read(package.path.join("zeros")).unwrap() == vec![0; 9_000_000]);
}

#[test]
fn the_zip_crates_archives_unpack() {
    use zip::write::SimpleFileOptions;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    writer.add_directory("empty", options).unwrap();
    writer
        .start_file("bin/run", options.unix_permissions(0o755))
        .unwrap();
    writer.write_all(b"run").unwrap();
    writer
        .start_file("large", options.large_file(true))
        .unwrap();
    writer.write_all(&[b'l'; 100]).unwrap();
    writer.add_symlink("link", "bin/run", options).unwrap();
    let zip = writer.finish().unwrap().into_inner();
    let (_, tree) = unpack(&Arena::new(), &zip);
    assert_eq!(tree["bin/run"], "file 755 3 run");
    assert_eq!(tree["empty"], "dir 755");
    assert_eq!(tree["link"], "link bin/run");
    assert!(tree["large"].starts_with("file 644 100 lll"));
}

/// Runs `script` with Python in `dir`, where it writes `out.zip`; `None` without Python.
fn by_tool(dir: &Path, program: &str, args: &[&str]) -> Option<Vec<u8>> {
    match Command::new(program).args(args).current_dir(dir).output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(std::fs::read(dir.join("out.zip")).unwrap())
        }
        Err(error) => {
            eprintln!("skipped: {program} is missing ({error})");
            None
        }
    }
}

#[test]
fn pythons_archives_unpack() {
    const SCRIPT: &str = "
import sys, zipfile
class Pipe:
    def __init__(self, f): self.f = f
    def write(self, b): return self.f.write(b)
    def flush(self): self.f.flush()
with open('out.zip', 'wb') as f:
    with zipfile.ZipFile(Pipe(f), 'w', zipfile.ZIP_DEFLATED) as z:  # not seekable: descriptors
        z.writestr('text.txt', 'hello ' * 1000)
        z.writestr('pkg/', '')
        z.writestr('pkg/\\u00e9.py', 'x = 1')
        with z.open('pkg/big', 'w', force_zip64=True) as e:
            e.write(b'b' * 100000)
        z.writestr('stored', 'raw', zipfile.ZIP_STORED)
";
    let dir = tempfile::tempdir().unwrap();
    let Some(zip) = by_tool(dir.path(), "python3", &["-c", SCRIPT]) else {
        return;
    };
    let (_, tree) = unpack(&Arena::new(), &zip);
    assert!(tree["text.txt"].starts_with("file 644 6000 hello"));
    assert_eq!(tree["pkg/é.py"], "file 644 5 x = 1");
    assert!(tree["pkg/big"].starts_with("file 644 100000 bbb"));
    assert_eq!(tree["stored"], "file 644 3 raw");
}

#[test]
fn python_zip64_archives_unpack() {
    const SCRIPT: &str = "
import zipfile
zipfile.ZIP64_LIMIT = 100          # everything becomes zip64
zipfile.ZIP_FILECOUNT_LIMIT = 2
with zipfile.ZipFile('out.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    for n in range(20):
        z.writestr(f'f{n}', bytes([n]) * 300)
";
    let dir = tempfile::tempdir().unwrap();
    let Some(zip) = by_tool(dir.path(), "python3", &["-c", SCRIPT]) else {
        return;
    };
    assert!(
        zip.windows(4).any(|w| w == b"PK\x06\x06"),
        "no zip64 record in it"
    );
    assert_eq!(unpack(&Arena::new(), &zip).1.len(), 20);
}

#[test]
fn info_zips_archives_unpack() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("in/sub/empty")).unwrap();
    std::fs::write(dir.path().join("in/sub/é.txt"), "text").unwrap();
    std::os::unix::fs::symlink("sub/é.txt", dir.path().join("in/link")).unwrap();
    let Some(zip) = by_tool(dir.path(), "zip", &["-q", "-r", "-y", "out.zip", "in"]) else {
        return;
    };
    let arena = Arena::new();
    let (package, tree) = unpack(&arena, &zip);
    assert_eq!(tree["in/sub/é.txt"], "file 644 4 text");
    assert_eq!(tree["in/sub/empty"], "dir 755");
    assert_eq!(tree["in/link"], "link sub/é.txt");
    let packed = dir.path().join("in/sub/é.txt").metadata().unwrap().mtime();
    assert_eq!(
        package
            .path
            .join("in/sub/é.txt")
            .metadata()
            .unwrap()
            .mtime(),
        packed
    );
}
