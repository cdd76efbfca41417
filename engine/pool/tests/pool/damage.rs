//! Files in a pool that are not what they should be.

use std::os::unix::fs::{FileExt, PermissionsExt};

use offshoot_image::{HeaderError, ManifestError};
use offshoot_pool::OpenError;

use super::*;

#[test]
fn damaged_page_is_found_and_named() {
    let (dir, pool) = pool();
    let image = write(&pool, "a", &sample::manifest(35));
    flip(dir.path(), (FIRST_PAGE + 20) * PAGE_BYTES + 7);
    let refused = image.verify().unwrap_err();
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert_eq!(
        source,
        "pages 528 to 543 of the image file differ from those that were stored"
    );
    assert!(image.read_manifest().is_ok());
}

#[test]
fn image_that_has_changed_has_another_stamp() {
    let (dir, pool) = pool();
    let image = write(&pool, "a", &sample::manifest(35));
    let (name, stamp) = (image.name().clone(), image.stamp().unwrap());
    assert!(image.verify().is_ok());
    assert!(pool.open_unchanged(&name, &stamp).is_some());
    std::thread::sleep(std::time::Duration::from_millis(10));
    flip(dir.path(), (FIRST_PAGE + 20) * PAGE_BYTES + 7);
    assert!(pool.open_unchanged(&name, &stamp).is_none());
    // Nor is another file of that name it.
    let stamp = image.stamp().unwrap();
    assert!(pool.open_unchanged(&name, &stamp).is_some());
    pool.remove(&name).unwrap();
    assert!(pool.open_unchanged(&name, &stamp).is_none());
    write(&pool, "a", &sample::manifest(35));
    assert!(pool.open_unchanged(&name, &stamp).is_none());
}

#[test]
fn damaged_parts_are_refused() {
    let (dir, pool) = pool();
    let image = write(&pool, "a", &sample::manifest(35));
    flip(dir.path(), image.header().digests.offset);
    let manifest = image.read_manifest().unwrap();
    assert!(matches!(
        image.read_digests(&manifest),
        Err(OpenError::Digests { .. })
    ));
    flip(dir.path(), image.header().metadata.offset + 5);
    let refused = image.read_manifest().unwrap_err();
    let damaged = |e: &OpenError| {
        matches!(
            e,
            OpenError::Manifest {
                source: ManifestError::WrongDigest,
                ..
            }
        )
    };
    assert!(damaged(&refused), "{refused:?}");
    flip(dir.path(), 100);
    assert_eq!(header_error(&pool), HeaderError::WrongDigest);
    flip(dir.path(), 0);
    assert_eq!(header_error(&pool), HeaderError::NotAnImage);
}

#[test]
fn image_of_another_length_is_refused() {
    let (dir, pool) = pool();
    let image = write(&pool, "a", &sample::manifest(2));
    let whole = image.header().file_bytes;
    for length in [whole + 1, whole - 1, 4096] {
        file(dir.path()).set_len(length).unwrap();
        let expected = HeaderError::WrongLength {
            expected_bytes: whole,
            found_bytes: length,
        };
        assert_eq!(header_error(&pool), expected);
    }
    file(dir.path()).set_len(4095).unwrap();
    assert_eq!(header_error(&pool), HeaderError::NotAnImage);
    // What was opened before the file was cut ends in an error too.
    assert!(image.verify().is_err());
}

#[test]
fn image_of_another_pool_is_refused() {
    let (dir, pool) = pool();
    write(&pool, "a", &sample::manifest(2));
    let other = Pool::open(&existing(dir.path()), Key([1; 32])).unwrap();
    assert_eq!(header_error(&other), HeaderError::WrongDigest);
}

#[test]
fn things_that_are_no_files_are_refused() {
    let (dir, pool) = pool();
    write(&pool, "image", &sample::manifest(1));
    std::os::unix::fs::symlink("image", dir.path().join("link")).unwrap();
    std::fs::create_dir(dir.path().join("directory")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(dir.path().join("fifo"))
        .status()
        .unwrap();
    assert!(made.success());
    for other in ["link", "directory", "socket", "fifo"] {
        let refused = pool.open_image(&name(other)).unwrap_err();
        assert!(
            matches!(refused, OpenError::NotAFile { .. }),
            "{other}: {refused:?}"
        );
    }
    assert!(matches!(
        pool.open_image(&name("none")),
        Err(OpenError::NotFound { .. })
    ));
}

#[test]
fn damaged_image_is_listed_and_can_be_removed() {
    let (dir, pool) = pool();
    let good = write(&pool, "good", &sample::manifest(1));
    write(&pool, "a", &sample::manifest(1));
    flip(dir.path(), 4095);
    std::fs::write(dir.path().join("stray"), "text").unwrap();
    std::fs::write(dir.path().join(".hidden"), "text").unwrap();
    let list = pool.list().unwrap();
    let opened: Vec<_> = list
        .iter()
        .map(|image| (image.name.as_str(), image.header.is_ok()))
        .collect();
    assert_eq!(opened, [("a", false), ("good", true), ("stray", false)]);
    assert_eq!(pool.find(good.id()).unwrap().unwrap().name(), &name("good"));
    pool.remove(&name("a")).unwrap();
    pool.remove(&name("stray")).unwrap();
    assert_eq!(files(dir.path()), [".hidden", "good"]);
}

fn header_error(pool: &Pool) -> HeaderError {
    match pool.open_image(&name("a")) {
        Err(OpenError::Header { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

fn flip(dir: &Path, at: u64) {
    let file = file(dir);
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

/// The image `a`, made writable by force.
fn file(dir: &Path) -> std::fs::File {
    let path = dir.join("a");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::File::options()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap()
}
