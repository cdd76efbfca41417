//! Rules of [`Queue`]. Each is given an empty queue and leaves it empty.

use bytes::Bytes;
use offshoot_state::{Claim, ClaimId, DeadId, Queue, QueueDepth, QueueError};

use super::event;

pub async fn all(queue: &dyn Queue) {
    visible_events_are_claimed_oldest_first(queue).await;
    event_comes_back_as_it_was(queue).await;
    batch_with_a_duplicate_is_refused_whole(queue).await;
    retry_counts_and_release_does_not(queue).await;
    stale_claim_changes_nothing(queue).await;
    buried_event_can_be_redriven(queue).await;
    dead_letters_are_paged_and_purged(queue).await;
    reclaim_makes_claims_visible_again(queue).await;
    dispatcher_knows_when_to_wake(queue).await;
    concurrent_claimers_never_share_an_event(queue).await;
    oversized_event_is_refused(queue).await;
    cancelled_claim_goes_back(queue).await;
    assert_eq!(queue.depth().await.unwrap(), QueueDepth::default());
}

fn ids(claims: &[Claim]) -> Vec<ClaimId> {
    claims.iter().map(|claim| claim.id).collect()
}

fn requests(claims: &[Claim]) -> Vec<&str> {
    claims
        .iter()
        .map(|claim| claim.event.request_id.as_str())
        .collect()
}

async fn drain(queue: &dyn Queue) {
    queue.reclaim_all().await.unwrap();
    let claims = queue.claim(256, i64::MAX).await.unwrap();
    queue.ack(&ids(&claims)).await.unwrap();
    queue.purge_dead(None, i64::MAX).await.unwrap();
}

async fn visible_events_are_claimed_oldest_first(q: &dyn Queue) {
    q.enqueue(vec![event("c", 30), event("a", 10), event("d", 40)])
        .await
        .unwrap();
    q.enqueue(vec![event("b", 10)]).await.unwrap();
    assert_eq!(requests(&q.claim(2, 30).await.unwrap()), ["a", "b"]);
    assert_eq!(requests(&q.claim(9, 30).await.unwrap()), ["c"]);
    assert!(q.claim(9, 39).await.unwrap().is_empty());
    let depth = q.depth().await.unwrap();
    assert_eq!(
        depth,
        QueueDepth {
            waiting: 1,
            claimed: 3,
            dead: 0
        }
    );
    drain(q).await;
}

async fn event_comes_back_as_it_was(q: &dyn Queue) {
    let small = event("small", 1);
    let mut large = event("large", 2);
    large.payload = Bytes::from(vec![7; 300_000]);
    let mut bare = event("bare", 3);
    (bare.qualifier, bare.client_context, bare.payload) = (None, None, Bytes::new());
    bare.trace_id = Some("Root=1-2-3".into());
    q.enqueue(vec![small.clone(), large.clone(), bare.clone()])
        .await
        .unwrap();
    let claims = q.claim(9, 9).await.unwrap();
    let events: Vec<_> = claims.iter().map(|claim| claim.event.clone()).collect();
    assert_eq!(events, [small, large, bare]);
    assert!(
        claims
            .iter()
            .all(|c| c.attempt == 0 && c.deliveries == 1 && c.last_error.is_none())
    );
    assert_eq!(q.ack(&ids(&claims)).await.unwrap(), 3);
    assert_eq!(q.ack(&ids(&claims)).await.unwrap(), 0);
}

async fn batch_with_a_duplicate_is_refused_whole(q: &dyn Queue) {
    q.enqueue(vec![event("one", 1)]).await.unwrap();
    let mut large = event("three", 1);
    large.payload = Bytes::from(vec![1; 100_000]);
    for batch in [
        vec![event("two", 1), large.clone(), event("one", 1)],
        vec![event("two", 1), event("two", 1)],
    ] {
        let answer = q.enqueue(batch).await;
        assert!(
            matches!(answer, Err(QueueError::Duplicate { .. })),
            "{answer:?}"
        );
    }
    // In one transaction with good ones, only the bad call is refused.
    let (good, bad, also) = tokio::join!(
        q.enqueue(vec![event("two", 2)]),
        q.enqueue(vec![event("one", 2)]),
        q.enqueue(vec![large]),
    );
    assert!(good.is_ok() && also.is_ok());
    assert!(matches!(bad, Err(QueueError::Duplicate { request_id }) if request_id == "one"));
    assert_eq!(q.depth().await.unwrap().waiting, 3);
    drain(q).await;
}

async fn retry_counts_and_release_does_not(q: &dyn Queue) {
    q.enqueue(vec![event("a", 10)]).await.unwrap();
    let first = q.claim(1, 10).await.unwrap().remove(0);
    q.retry(first.id, 50, "exit status 1").await.unwrap();
    assert!(q.claim(1, 49).await.unwrap().is_empty());
    let second = q.claim(1, 50).await.unwrap().remove(0);
    assert_eq!((second.attempt, second.deliveries), (1, 2));
    assert_eq!(second.last_error.as_deref(), Some("exit status 1"));
    assert_eq!(q.release(&[second.id]).await.unwrap(), 1);
    let third = q.claim(1, 50).await.unwrap().remove(0);
    assert_eq!((third.attempt, third.deliveries), (1, 3));
    assert_eq!(third.event.request_id, "a");
    drain(q).await;
}

async fn stale_claim_changes_nothing(q: &dyn Queue) {
    q.enqueue(vec![event("a", 1)]).await.unwrap();
    let old = q.claim(1, 1).await.unwrap().remove(0).id;
    q.release(&[old]).await.unwrap();
    let new = q.claim(1, 1).await.unwrap().remove(0).id;
    assert_eq!(q.ack(&[old]).await.unwrap(), 0);
    assert_eq!(q.release(&[old]).await.unwrap(), 0);
    for answer in [
        q.retry(old, 1, "late").await,
        q.bury(old, 1, "late", None).await,
    ] {
        assert!(
            matches!(answer, Err(QueueError::StaleClaim { .. })),
            "{answer:?}"
        );
    }
    assert_eq!(q.ack(&[new, old]).await.unwrap(), 1);
}

async fn buried_event_can_be_redriven(q: &dyn Queue) {
    let mut large = event("a", 1);
    large.payload = Bytes::from(vec![9; 70_000]);
    q.enqueue(vec![large.clone()]).await.unwrap();
    let claim = q.claim(1, 1).await.unwrap().remove(0);
    q.retry(claim.id, 2, "boom").await.unwrap();
    let claim = q.claim(1, 2).await.unwrap().remove(0);
    q.bury(claim.id, 77, "RetriesExhausted", Some("bang"))
        .await
        .unwrap();
    let duplicate = q.enqueue(vec![event("a", 1)]).await;
    assert!(matches!(duplicate, Err(QueueError::Duplicate { .. })));

    let letter = q
        .dead_letters(None, 10, None)
        .await
        .unwrap()
        .letters
        .remove(0);
    assert_eq!(
        (letter.request_id.as_str(), letter.why.as_str()),
        ("a", "RetriesExhausted")
    );
    assert_eq!(
        (letter.buried_at_ms, letter.attempt, letter.payload_bytes),
        (77, 2, 70_000)
    );
    assert_eq!(letter.last_error.as_deref(), Some("bang"));
    assert_eq!(
        q.dead_payload(letter.id).await.unwrap().unwrap(),
        large.payload
    );
    assert_eq!(q.dead_payload(DeadId(0)).await.unwrap(), None);

    assert_eq!(q.redrive(&[letter.id, DeadId(0)], 1000).await.unwrap(), 1);
    assert_eq!(q.redrive(&[letter.id], 1000).await.unwrap(), 0);
    let again = q.claim(1, 1000).await.unwrap().remove(0);
    large.accepted_at_ms = 1000;
    large.visible_at_ms = 1000;
    assert_eq!((again.event, again.attempt), (large, 0));
    drain(q).await;
}

async fn dead_letters_are_paged_and_purged(q: &dyn Queue) {
    for n in 0..5 {
        let mut event = event(&format!("r{n}"), n);
        event.function = if n % 2 == 0 {
            "even".into()
        } else {
            "odd".into()
        };
        q.enqueue(vec![event]).await.unwrap();
    }
    for claim in q.claim(9, 9).await.unwrap() {
        q.bury(claim.id, claim.event.visible_at_ms, "x", None)
            .await
            .unwrap();
    }
    let first = q.dead_letters(Some("even"), 2, None).await.unwrap();
    let second = q.dead_letters(Some("even"), 2, first.next).await.unwrap();
    let names: Vec<_> = first
        .letters
        .iter()
        .chain(&second.letters)
        .map(|l| l.request_id.as_str())
        .collect();
    assert_eq!(names, ["r0", "r2", "r4"]);
    assert_eq!(second.next, None);
    assert_eq!(q.purge_dead(Some("even"), 4).await.unwrap(), 2);
    assert_eq!(q.purge_dead(None, i64::MAX).await.unwrap(), 3);
}

async fn reclaim_makes_claims_visible_again(q: &dyn Queue) {
    q.enqueue(vec![event("a", 5), event("b", 6)]).await.unwrap();
    assert_eq!(q.claim(9, 9).await.unwrap().len(), 2);
    assert_eq!(q.reclaim_all().await.unwrap(), 2);
    let claims = q.claim(9, 9).await.unwrap();
    assert_eq!(requests(&claims), ["a", "b"]);
    assert!(
        claims
            .iter()
            .all(|claim| claim.attempt == 0 && claim.deliveries == 2)
    );
    drain(q).await;
}

async fn dispatcher_knows_when_to_wake(q: &dyn Queue) {
    let mut arrivals = q.arrivals();
    arrivals.mark_unchanged();
    assert_eq!(q.next_visible_at_ms().await.unwrap(), None);
    q.enqueue(vec![event("late", 90), event("soon", 40)])
        .await
        .unwrap();
    assert!(arrivals.has_changed().unwrap());
    assert_eq!(q.next_visible_at_ms().await.unwrap(), Some(40));
    let claims = q.claim(1, 40).await.unwrap();
    assert_eq!(q.next_visible_at_ms().await.unwrap(), Some(90));
    arrivals.mark_unchanged();
    q.release(&ids(&claims)).await.unwrap();
    assert!(arrivals.has_changed().unwrap());
    drain(q).await;
}

async fn concurrent_claimers_never_share_an_event(q: &dyn Queue) {
    let enqueues = (0..200).map(|n| q.enqueue(vec![event(&format!("p{n}"), n)]));
    for answer in futures_util::future::join_all(enqueues).await {
        answer.unwrap();
    }
    let claims = futures_util::future::join_all((0..20).map(|_| q.claim(10, 1000))).await;
    let mut seen: Vec<_> = claims
        .iter()
        .flat_map(|claims| claims.as_ref().unwrap())
        .map(|claim| claim.event.request_id.clone())
        .collect();
    assert_eq!(seen.len(), 200);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 200);
    drain(q).await;
}

async fn oversized_event_is_refused(q: &dyn Queue) {
    let mut huge = event("huge", 1);
    huge.payload = Bytes::from(vec![0; offshoot_state::MAX_PAYLOAD_BYTES + 1]);
    let mut long = event("long", 1);
    long.client_context = Some("x".repeat(1 << 20));
    for event in [huge, long] {
        let answer = q.enqueue(vec![event]).await;
        assert!(
            matches!(answer, Err(QueueError::TooLarge { .. })),
            "{answer:?}"
        );
    }
}

async fn cancelled_claim_goes_back(q: &dyn Queue) {
    q.enqueue(vec![event("a", 1)]).await.unwrap();
    for _ in 0..20 {
        // Polled once, so that the call is under way, then dropped.
        let mut claim = q.claim(1, 1);
        let _ = futures_util::poll!(&mut claim);
        drop(claim);
    }
    for _ in 0..200 {
        let claims = q.claim(1, 1).await.unwrap();
        if !claims.is_empty() {
            assert_eq!(claims[0].attempt, 0);
            q.ack(&ids(&claims)).await.unwrap();
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("event of a cancelled claim did not come back");
}
