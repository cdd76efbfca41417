//! Key files.

#![allow(clippy::unwrap_used, missing_docs)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use offshoot_pool::{KeyError, load_key, load_or_create_key};

#[test]
fn new_key_is_random_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let key = load_or_create_key(&path).unwrap();
    assert_eq!(load_or_create_key(&path).unwrap(), key);
    assert_eq!(load_key(&path).unwrap(), key);
    assert_ne!(load_or_create_key(&dir.path().join("other")).unwrap(), key);
    assert_eq!(std::fs::read(&path).unwrap(), key.0);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn all_who_create_a_key_at_once_get_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let keys: Vec<_> = std::thread::scope(|scope| {
        let creators: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| load_or_create_key(&path)))
            .collect();
        creators
            .into_iter()
            .map(|creator| creator.join().unwrap().unwrap())
            .collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn key_that_others_can_read_or_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
        let path = file(dir.path(), 32, mode);
        match load_or_create_key(&path) {
            Err(KeyError::Exposed { mode: found, .. }) => assert_eq!(found, mode),
            other => panic!("{mode:o}: {other:?}"),
        }
    }
    assert!(load_key(&file(dir.path(), 32, 0o400)).is_ok());
}

#[test]
fn key_of_another_length_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for length in [0, 31, 33, 64] {
        let refused = load_or_create_key(&file(dir.path(), length, 0o600)).unwrap_err();
        let expected = format!("is {length} bytes long; a key has 32");
        assert!(refused.to_string().ends_with(&expected), "{refused}");
    }
}

#[test]
fn key_of_another_user_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), 32, 0o600);
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
        println!("skipped: giving a file away needs root");
        return;
    }
    assert!(matches!(
        load_key(&path),
        Err(KeyError::Foreign { owner: 12_345, .. })
    ));
}

#[test]
fn things_that_are_no_key_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), 32, 0o600);
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(load_or_create_key(&link).is_err());
    assert!(matches!(
        load_or_create_key(dir.path()),
        Err(KeyError::NotAFile { .. })
    ));
    assert!(load_or_create_key(&dir.path().join("none/key")).is_err());
    assert!(load_key(&dir.path().join("none")).is_err());
    assert!(matches!(
        load_or_create_key(Path::new("/")),
        Err(KeyError::NotAFile { .. })
    ));
}

fn file(dir: &Path, bytes: usize, mode: u32) -> std::path::PathBuf {
    let path = dir.join("key");
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, vec![7; bytes]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}
