//! Rules of [`Registry`].

use offshoot_state::{Registry, RegistryError, Rev};
use serde_json::value::{RawValue, to_raw_value};

fn doc(n: u32) -> Box<RawValue> {
    to_raw_value(&n).unwrap()
}

fn is_conflict<T: std::fmt::Debug>(answer: Result<T, RegistryError>) -> bool {
    matches!(answer, Err(RegistryError::Conflict { .. }))
}

pub async fn all(registry: &dyn Registry) {
    document_is_written_only_over_the_expected_revision(registry).await;
    deleted_document_is_absent(registry).await;
    list_gives_the_prefix_in_key_order(registry).await;
    since_gives_each_changed_key_once_in_order(registry).await;
    concurrent_writers_lose_no_update(registry).await;
    bad_keys_are_refused(registry).await;
}

async fn document_is_written_only_over_the_expected_revision(r: &dyn Registry) {
    assert!(is_conflict(r.cas("cas/a", doc(1), Some(Rev(77))).await));
    let first = r.cas("cas/a", doc(1), None).await.unwrap();
    assert!(is_conflict(r.cas("cas/a", doc(2), None).await));
    let second = r.cas("cas/a", doc(2), Some(first)).await.unwrap();
    assert!(second > first);
    match r.cas("cas/a", doc(3), Some(first)).await {
        Err(RegistryError::Conflict {
            key,
            expected,
            found,
        }) => {
            assert_eq!(
                (key.as_str(), expected, found),
                ("cas/a", Some(first), Some(second))
            );
        }
        other => panic!("{other:?}"),
    }
    let found = r.get("cas/a").await.unwrap().unwrap();
    assert_eq!((found.rev, found.body.get()), (second, "2"));
}

async fn deleted_document_is_absent(r: &dyn Registry) {
    let rev = r.cas("del/a", doc(1), None).await.unwrap();
    assert!(is_conflict(r.delete("del/a", Rev(rev.0 + 1)).await));
    let gone = r.delete("del/a", rev).await.unwrap();
    assert!(gone > rev);
    assert!(r.get("del/a").await.unwrap().is_none());
    assert!(is_conflict(r.delete("del/a", rev).await));
    // A later document of the same key cannot be mistaken for the deleted one.
    let again = r.cas("del/a", doc(2), None).await.unwrap();
    assert!(again > gone);
    assert!(is_conflict(r.cas("del/a", doc(3), Some(rev)).await));
}

async fn list_gives_the_prefix_in_key_order(r: &dyn Registry) {
    for key in ["list/b", "list/a", "lisu", "list", "list/ä", "list/c"] {
        r.cas(key, doc(0), None).await.unwrap();
    }
    let gone = r.get("list/c").await.unwrap().unwrap();
    r.delete("list/c", gone.rev).await.unwrap();
    let listed = r.list("list/").await.unwrap();
    let keys: Vec<&str> = listed.iter().map(|d| d.key.as_str()).collect();
    assert_eq!(keys, ["list/a", "list/b", "list/ä"]);
}

async fn since_gives_each_changed_key_once_in_order(r: &dyn Registry) {
    let start = r.cas("since/a", doc(0), None).await.unwrap();
    assert!(r.since(start, 10).await.unwrap().is_empty());
    let b = r.cas("since/b", doc(1), None).await.unwrap();
    let a = r.cas("since/a", doc(2), Some(start)).await.unwrap();
    let b = r.delete("since/b", b).await.unwrap();
    let changes = r.since(start, 10).await.unwrap();
    let seen: Vec<_> = changes
        .iter()
        .map(|c| {
            (
                c.key.as_str(),
                c.rev,
                c.body.as_ref().map(|body| body.get()),
            )
        })
        .collect();
    assert_eq!(seen, [("since/a", a, Some("2")), ("since/b", b, None)]);
    let page = r.since(start, 1).await.unwrap();
    assert_eq!(page.len(), 1);
    assert_eq!(r.since(page[0].rev, 1).await.unwrap()[0].key, "since/b");
}

async fn concurrent_writers_lose_no_update(r: &dyn Registry) {
    r.cas("count", doc(0), None).await.unwrap();
    let increment = || async {
        loop {
            let now = r.get("count").await.unwrap().unwrap();
            let n: u32 = now.body.get().parse().unwrap();
            match r.cas("count", doc(n + 1), Some(now.rev)).await {
                Ok(_) => return,
                Err(RegistryError::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    futures_util::future::join_all((0..20).map(|_| increment())).await;
    assert_eq!(r.get("count").await.unwrap().unwrap().body.get(), "20");
}

async fn bad_keys_are_refused(r: &dyn Registry) {
    for key in ["", &"k".repeat(513)] {
        let answer = r.cas(key, doc(0), None).await;
        assert!(
            matches!(answer, Err(RegistryError::BadKey { .. })),
            "{answer:?}"
        );
    }
}
