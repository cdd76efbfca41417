//! The SQLite implementation: conformance, and what is particular to a local directory.
#![allow(clippy::unwrap_used)]

mod suite;

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use offshoot_state::{
    OpenError, Queue, QueueError, Registry, RegistryError, Rev, StateDir, StoreError,
};
use serde_json::value::to_raw_value;
use suite::event;

#[tokio::test]
async fn sqlite_registry_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).await.unwrap();
    suite::registry::all(&state.registry()).await;
}

#[tokio::test]
async fn sqlite_queue_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).await.unwrap();
    suite::queue::all(&state.queue()).await;
    assert_eq!(blob_files(dir.path()), 0, "payload files left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_queue_conforms_on_many_threads() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).await.unwrap();
    suite::queue::all(&state.queue()).await;
}

fn blob_files(state_dir: &std::path::Path) -> usize {
    std::fs::read_dir(state_dir.join("blobs/queue")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn second_daemon_is_refused_with_directory_and_pid() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).await.unwrap();
    let error = StateDir::open(dir.path()).await.err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, OpenError::InUse { .. }), "{text}");
    assert!(text.contains(dir.path().to_str().unwrap()), "{text}");
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    state.close().await;
    StateDir::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn state_survives_close_and_open() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).await.unwrap();
    let registry = state.registry();
    let rev = registry
        .cas("a", to_raw_value("x").unwrap(), None)
        .await
        .unwrap();
    let gone = registry
        .cas("b", to_raw_value("x").unwrap(), None)
        .await
        .unwrap();
    let last = registry.delete("b", gone).await.unwrap();
    state.queue().enqueue(vec![event("r", 1)]).await.unwrap();
    state.close().await;
    let closed = registry.get("a").await;
    assert!(closed.is_err(), "{closed:?}");
    let closed = registry.delete("a", rev).await;
    assert!(
        matches!(closed, Err(RegistryError::Store(StoreError::Closed))),
        "{closed:?}"
    );

    let state = StateDir::open(dir.path()).await.unwrap();
    let registry = state.registry();
    assert_eq!(registry.get("a").await.unwrap().unwrap().rev, rev);
    assert_eq!(state.queue().depth().await.unwrap().waiting, 1);
    // The deletion of the earlier run is forgotten, and says so; numbers go on.
    let answer = registry.since(Rev(0), 10).await;
    assert!(matches!(answer, Err(RegistryError::Compacted { oldest, .. }) if oldest == last));
    assert!(registry.since(last, 10).await.unwrap().is_empty());
    assert!(registry.delete("a", rev).await.unwrap() > last);
}

#[tokio::test]
async fn directory_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/state");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    StateDir::open(&path).await.unwrap();
    for dir in [path.clone(), path.join("blobs")] {
        let mode = std::fs::metadata(&dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", dir.display());
    }
}

#[tokio::test]
async fn damaged_database_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).await.unwrap();
    let registry = state.registry();
    for n in 0..50 {
        let body = to_raw_value(&"x".repeat(3000)).unwrap();
        registry.cas(&format!("k{n}"), body, None).await.unwrap();
    }
    state.close().await;
    let db = dir.path().join("state.db");
    let good = std::fs::read(&db).unwrap();

    let mut bad_page = good.clone();
    bad_page[3 * 4096..9 * 4096].fill(0xa5);
    let mut no_header = good.clone();
    no_header[..100].fill(0x11);
    let truncated = good[..good.len() / 2].to_vec();
    for bytes in [bad_page, no_header, truncated] {
        std::fs::write(&db, bytes).unwrap();
        let error = StateDir::open(dir.path()).await.err().unwrap();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
        assert!(
            error.to_string().contains(dir.path().to_str().unwrap()),
            "{error}"
        );
    }
    std::fs::write(&db, good).unwrap();
    StateDir::open(dir.path()).await.unwrap();
}

/// Sets a 32-bit big-endian field of the SQLite file header (https://www.sqlite.org/fileformat.html).
fn patch_header(db: &std::path::Path, offset: usize, value: u32) {
    let mut bytes = std::fs::read(db).unwrap();
    bytes[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
    std::fs::write(db, bytes).unwrap();
}

#[tokio::test]
async fn schema_of_a_newer_daemon_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    StateDir::open(dir.path()).await.unwrap().close().await;
    patch_header(&dir.path().join("state.db"), 60, 999); // user_version
    let error = StateDir::open(dir.path()).await.err().unwrap();
    assert!(
        matches!(error, OpenError::NewerSchema { found: 999, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn database_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    StateDir::open(dir.path()).await.unwrap().close().await;
    patch_header(&dir.path().join("state.db"), 68, 0x1234); // application_id
    let error = StateDir::open(dir.path()).await.err().unwrap();
    assert!(
        matches!(
            error,
            OpenError::Foreign {
                application_id: 0x1234,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn lost_or_damaged_payload_is_buried_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).await.unwrap();
    let queue = state.queue();
    let mut large = event("flipped", 1);
    large.payload = Bytes::from(vec![7; 100_000]);
    queue.enqueue(vec![large.clone()]).await.unwrap();
    let first = blobs(dir.path());
    flip_a_byte_of_each(&first);
    large.request_id = "lost".into();
    queue.enqueue(vec![large, event("fine", 2)]).await.unwrap();
    for path in blobs(dir.path())
        .iter()
        .filter(|path| !first.contains(path))
    {
        std::fs::remove_file(path).unwrap();
    }

    let claims = queue.claim(9, 9).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].event.request_id, "fine");
    let dead = queue.dead_letters(None, 9, None).await.unwrap().letters;
    assert_eq!(dead.len(), 2);
    assert!(
        dead.iter().all(|letter| letter.why.contains("damaged")),
        "{dead:?}"
    );
    let payload = queue.dead_payload(dead[0].id).await;
    assert!(
        matches!(payload, Err(QueueError::DamagedPayload { .. })),
        "{payload:?}"
    );
}

fn blobs(state_dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(state_dir.join("blobs/queue")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn flip_a_byte_of_each(paths: &[std::path::PathBuf]) {
    for path in paths {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[500] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
}

#[tokio::test]
async fn open_sweeps_payloads_that_no_event_needs() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).await.unwrap();
    let mut large = event("kept", 1);
    large.payload = Bytes::from(vec![7; 100_000]);
    state.queue().enqueue(vec![large.clone()]).await.unwrap();
    state.close().await;
    // An enqueue and a put that a crash cut off.
    std::fs::write(dir.path().join("blobs/queue/orphan"), "x").unwrap();
    std::fs::write(dir.path().join("blobs/queue/half#1"), "x").unwrap();
    let state = StateDir::open(dir.path()).await.unwrap();
    assert_eq!(blob_files(dir.path()), 1);
    assert_eq!(state.queue().claim(9, 9).await.unwrap()[0].event, large);
}
