//! Seeds of runtimes: what the porter expects of them.

use std::sync::Arc;
use std::time::Duration;

use offshoot_decide::{Decision, Rung};
use offshoot_porter::{Porter, PorterConfig, SeedPolicy};

use crate::node::{FakeNode, driven, invoke, target};

/// Each instance ends with its event, and no version has a seed: the next start is of the runtime's, or cold.
fn config() -> PorterConfig {
    PorterConfig {
        keep_alive: Duration::ZERO,
        seeds: SeedPolicy {
            after_events: 1000,
            idle_after: None,
            ..SeedPolicy::default()
        },
        ..PorterConfig::default()
    }
}

fn explained(porter: &Porter<FakeNode>, function: &str) -> Decision {
    porter.explain(function).unwrap()
}

fn samples(porter: &Porter<FakeNode>, function: &str, rung: Rung) -> u32 {
    let rungs = explained(porter, function).rungs;
    let found = rungs.into_iter().find(|figures| figures.rung == rung);
    found.unwrap().samples
}

async fn until_next(porter: &Arc<Porter<FakeNode>>, function: &str, rung: Rung) {
    for _ in 0..2000 {
        if explained(porter, function).next_rung == rung {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", explained(porter, function));
}

#[tokio::test]
async fn a_runtimes_seed_is_reckoned_with_as_soon_as_it_is_there() {
    let (node, porter) = driven(FakeNode::default(), config());
    let (in_clone, alone) = (target("f", "r", None), target("alone", "r", None));
    for target in [&in_clone, &alone] {
        invoke(&porter, target).await.unwrap();
    }
    assert_eq!(explained(&porter, "f").next_rung, Rung::Cold);
    // Nothing is invoked: the node tells.
    node.set_runtime(true);
    until_next(&porter, "f", Rung::Level1).await;
    assert_eq!(samples(&porter, "f", Rung::Level1), 0);
    // Control: who begins in no clone does not profit.
    assert_eq!(explained(&porter, "alone").next_rung, Rung::Cold);
    assert_eq!(explained(&porter, "alone").runtime_seed, None);
    invoke(&porter, &in_clone).await.unwrap();
    invoke(&porter, &alone).await.unwrap();
    assert_eq!(samples(&porter, "f", Rung::Level1), 1);
    assert_eq!(samples(&porter, "f", Rung::Cold), 1);
    assert_eq!(samples(&porter, "alone", Rung::Cold), 2);
    node.set_runtime(false);
    until_next(&porter, "f", Rung::Cold).await;
}

#[tokio::test]
async fn a_version_that_comes_later_knows_of_its_runtimes_seed() {
    let (node, porter) = driven(FakeNode::default(), config());
    node.set_runtime(true);
    invoke(&porter, &target("f", "r", None)).await.unwrap();
    assert_eq!(explained(&porter, "f").next_rung, Rung::Level1);
}

#[tokio::test]
async fn a_runtimes_seed_is_made_anew_after_so_many_clones() {
    let config = PorterConfig {
        seeds: SeedPolicy {
            rotate_clones: 3,
            ..config().seeds
        },
        ..config()
    };
    let (node, porter) = driven(FakeNode::default(), config);
    node.set_runtime(true);
    let target = target("f", "r", None);
    for _ in 0..2 {
        invoke(&porter, &target).await.unwrap();
    }
    assert_eq!(node.calls("renew_runtime"), 0);
    invoke(&porter, &target).await.unwrap();
    node.until(|node| node.calls("renew_runtime") == 1).await;
    // Counted from the new one on; what started before it was there does not count.
    for _ in 0..100 {
        invoke(&porter, &target).await.unwrap();
        if node.calls("renew_runtime") == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(node.calls("renew_runtime"), 2);
    let rotated = porter.decisions(0).into_iter();
    let rotated = rotated.filter(|decided| decided.action == "rotate_seed of python");
    assert!(rotated.count() >= 2);
}
