//! What hangs on functions, layers, and the life of documents.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Home, arn, code, function, layer, layer_arn, new_code, open};
use offshoot_catalog::{
    CatalogError, InvokeConfigChange, NewAlias, NewUrl, PageRequest, Publish, SettingsPatch,
    UrlAuth, UrlInvokeMode, UrlPatch,
};
use offshoot_lambda::error::ErrorKind;
use offshoot_state::Registry;
use serde_json::json;

#[tokio::test]
async fn reservations_leave_a_hundred_for_the_others() {
    let home = Home::new().await;
    let c = &home.catalog;
    for name in ["f", "g"] {
        c.create_function(function(name)).await.unwrap();
    }
    // Both at once: one of them must lose.
    let (f, g) = tokio::join!(
        c.put_reserved_concurrency("f", 600),
        c.put_reserved_concurrency("g", 600)
    );
    let error = match (f, g) {
        (Ok(()), Err(error)) | (Err(error), Ok(())) => error,
        other => panic!("{other:?}"),
    };
    assert!(
        error
            .to_string()
            .ends_with("below its minimum value of [100]."),
        "{error}"
    );
    c.put_reserved_concurrency("f", 900)
        .await
        .unwrap_or_default();
    c.delete_reserved_concurrency("g").await.unwrap();
    // A function's own old reservation does not count against its new one.
    c.put_reserved_concurrency("f", 900).await.unwrap();
    c.put_reserved_concurrency("f", 899).await.unwrap();
    assert_eq!(
        c.resolve("f", None, 0.0).unwrap().reserved_concurrency,
        Some(899)
    );
    assert_eq!(c.unreserved_concurrency(), 101);
}

#[tokio::test]
async fn tags_are_merged_and_limited() {
    let home = Home::new().await;
    let c = &home.catalog;
    c.create_function(function("f")).await.unwrap();
    let tags = |range: std::ops::Range<u32>| -> BTreeMap<String, String> {
        range.map(|n| (format!("k{n}"), "v".into())).collect()
    };
    c.tag("f", tags(0..50)).await.unwrap();
    c.tag("f", tags(10..50)).await.unwrap();
    assert!(matches!(
        c.tag("f", tags(50..51)).await,
        Err(CatalogError::TooManyTags)
    ));
    c.untag("f", &["k0".into(), "none".into()]).await.unwrap();
    assert_eq!(c.function("f").unwrap().tags, tags(1..50));
}

#[tokio::test]
async fn url_is_found_by_its_id_until_it_or_its_function_goes() {
    let home = Home::new().await;
    let c = &home.catalog;
    let new = || NewUrl {
        auth: UrlAuth::None,
        invoke_mode: UrlInvokeMode::Buffered,
        cors: None,
    };
    let missing = c.create_url("f", None, new()).await.unwrap_err();
    assert_eq!(missing.to_string(), "Function does not exist");
    c.create_function(function("f")).await.unwrap();
    let no_alias = c.create_url("f", Some("live"), new()).await;
    assert!(matches!(no_alias, Err(CatalogError::UrlFunctionNotFound)));
    let url = c.create_url("f", None, new()).await.unwrap();
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    assert!(
        url.url_id.len() == 32 && url.url_id.bytes().all(lower),
        "{}",
        url.url_id
    );
    let twice = c.create_url("f", None, new()).await.unwrap_err();
    assert!(twice.to_string().contains(&arn("f")), "{twice}");

    let version = "$LATEST".into();
    let (name, description) = ("live".into(), String::new());
    let live = NewAlias {
        name,
        version,
        description,
        weights: BTreeMap::new(),
    };
    c.create_alias("f", live).await.unwrap();
    let live = c.create_url("f", Some("live"), new()).await.unwrap();
    let (function, qualifier, found) = c.function_of_url(&live.url_id).unwrap();
    assert_eq!((&*function.name, qualifier.as_deref()), ("f", Some("live")));
    assert_eq!(found, live);
    assert_eq!(c.function_of_url(&url.url_id).unwrap().1, None);
    let patch = UrlPatch {
        auth: Some(UrlAuth::AwsIam),
        ..Default::default()
    };
    let changed = c.update_url("f", None, patch).await.unwrap();
    assert_eq!(
        (changed.auth, &changed.url_id),
        (UrlAuth::AwsIam, &url.url_id)
    );

    c.delete_alias("f", "live").await.unwrap();
    assert!(c.function_of_url(&live.url_id).is_none());
    c.delete_function("f", None).await.unwrap();
    assert!(c.function_of_url(&url.url_id).is_none());
    assert!(matches!(
        c.delete_url("f", None).await,
        Err(CatalogError::UrlFunctionNotFound)
    ));
}

#[tokio::test]
async fn invoke_config_rules_are_lambdas() {
    let home = Home::new().await;
    let c = &home.catalog;
    let change = |failure: &str| InvokeConfigChange {
        max_retries: Some(1),
        max_age_s: None,
        destinations: Some((Some(failure.into()), None)),
    };
    let queue = "arn:aws:sqs:us-east-1:000000000000:q";
    let missing = c
        .put_invoke_config("f", None, change(queue), false)
        .await
        .unwrap_err();
    assert_eq!(missing.to_string(), "The function doesn't exist.");
    c.create_function(function("f")).await.unwrap();
    c.create_function(function("g")).await.unwrap();
    let none = c
        .put_invoke_config("f", None, change(queue), true)
        .await
        .unwrap_err();
    let message = format!(
        "The function {} doesn't have an EventInvokeConfig",
        arn("f:$LATEST")
    );
    assert_eq!(none.to_string(), message);
    for (destination, message) in [
        (
            arn("f"),
            "You can't specify the function as a destination for itself.",
        ),
        (arn("h"), "The destination ARN arn:"),
        (
            "arn:aws:ec2:us-east-1:000000000000:x".into(),
            "The provided destination config",
        ),
    ] {
        let error = c
            .put_invoke_config("f", None, change(&destination), false)
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(error.kind(), ErrorKind::InvalidParameterValue);
    }
    let old = InvokeConfigChange {
        max_age_s: Some(59),
        ..Default::default()
    };
    let old = c.put_invoke_config("f", None, old, false).await;
    assert!(matches!(old, Err(CatalogError::OutOfRange { .. })));
    c.put_invoke_config("f", None, change(&arn("g")), false)
        .await
        .unwrap();
    let age = InvokeConfigChange {
        max_age_s: Some(60),
        ..Default::default()
    };
    let merged = c
        .put_invoke_config("f", None, age.clone(), true)
        .await
        .unwrap();
    assert_eq!((merged.max_retries, merged.max_age_s), (Some(1), Some(60)));
    assert_eq!(merged.on_failure, Some(arn("g")));
    assert_eq!(
        c.resolve("f", None, 0.0).unwrap().invoke_config,
        Some(merged)
    );
    let replaced = c.put_invoke_config("f", None, age, false).await.unwrap();
    assert_eq!((replaced.max_retries, &replaced.on_failure), (None, &None));
    c.delete_invoke_config("f", None).await.unwrap();
    assert!(c.invoke_config("f", None).is_err());
}

#[tokio::test]
async fn statements_are_kept_until_removed() {
    let home = Home::new().await;
    let c = &home.catalog;
    c.create_function(function("f")).await.unwrap();
    let before = c.function("f").unwrap().latest.revision_id;
    c.add_permission("f", None, "s1", json!({"Sid": "s1"}), None)
        .await
        .unwrap();
    let (policy, revision) = c.policy("f", None).unwrap();
    assert_eq!(policy.statements["s1"], json!({"Sid": "s1"}));
    assert_ne!(revision, before);
    let twice = c
        .add_permission("f", None, "s1", json!({}), None)
        .await
        .unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::ResourceConflict);
    let absent = c
        .remove_permission("f", None, "s2", None)
        .await
        .unwrap_err();
    assert_eq!(
        absent.to_string(),
        "Statement s2 is not found in resource policy."
    );
    c.remove_permission("f", None, "s1", Some(&revision.to_string()))
        .await
        .unwrap();
    assert!(matches!(
        c.policy("f", None),
        Err(CatalogError::PolicyNotFound)
    ));
    let nowhere = c
        .add_permission("f", Some("live"), "s1", json!({}), None)
        .await;
    assert!(matches!(
        nowhere,
        Err(CatalogError::FunctionNotFound { .. })
    ));
}

#[tokio::test]
async fn layer_rules_are_lambdas() {
    let home = Home::new().await;
    let c = &home.catalog;
    for name in ["a", "b", "c", "d", "e", "f"] {
        c.publish_layer(name, layer(name)).await.unwrap();
    }
    assert_eq!(c.publish_layer("a", layer("a2")).await.unwrap().version, 2);
    c.create_function(function("f")).await.unwrap();
    let set = |layers: &[&str]| {
        let layers = Some(layers.iter().map(|rest| layer_arn(rest)).collect());
        c.update_configuration(
            "f",
            SettingsPatch {
                layers,
                ..Default::default()
            },
            None,
        )
    };
    let good = set(&["b:1", "a:2"]).await.unwrap();
    let digests: Vec<_> = good.layers.iter().map(|layer| layer.code).collect();
    assert_eq!(digests, [code("b"), code("a2")]);
    for (layers, message) in [
        (
            &["a:1", "b:1", "c:1", "d:1", "e:1", "f:1"][..],
            "Cannot reference more than 5 layers.",
        ),
        (
            &["a:1", "a:2"],
            "Two different versions of the same layer are not allowed",
        ),
        (
            &["a:3"],
            "Layer version arn:aws:lambda:us-east-1:000000000000:layer:a:3 does not exist.",
        ),
        (&["z:1"], "Layer version "),
        (&["a"], "Layer version "),
    ] {
        let error = set(layers).await.unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let mut big = layer("big");
    big.code.unzipped_bytes = 262_144_000;
    c.publish_layer("big", big).await.unwrap();
    let both = set(&["big:1"]).await.unwrap_err();
    assert!(
        both.to_string()
            .ends_with("The actual size is 262144020 bytes."),
        "{both}"
    );
    // A deleted layer version goes on working where it is used, and its number is not used again.
    c.delete_layer_version("a", 2).await.unwrap();
    c.delete_layer_version("a", 2).await.unwrap();
    assert!(matches!(
        c.layer_version("a", 2),
        Err(CatalogError::LayerNotFound)
    ));
    assert!(matches!(
        c.layer_version("a", 0),
        Err(CatalogError::LayerVersionBelowOne)
    ));
    assert!(c.live_digests().contains(&code("a2").digest));
    assert_eq!(c.publish_layer("a", layer("a3")).await.unwrap().version, 3);
    let versions = c
        .list_layer_versions("a", |_| true, &PageRequest::default())
        .unwrap();
    let numbers: Vec<_> = versions
        .items
        .iter()
        .map(|version| version.version)
        .collect();
    assert_eq!(numbers, [3, 1]);
    let layers = c
        .list_layers(|version| version.version == 1, &PageRequest::default())
        .unwrap();
    assert_eq!(layers.items.len(), 7);
}

#[tokio::test]
async fn live_digests_are_those_of_what_is_left() {
    let home = Home::new().await;
    let c = &home.catalog;
    c.publish_layer("l", layer("l1")).await.unwrap();
    c.create_function(function("f")).await.unwrap();
    c.publish_version("f", Publish::default()).await.unwrap();
    c.update_code("f", new_code("two")).await.unwrap();
    let set = |contents: &[&str]| -> BTreeSet<_> {
        contents
            .iter()
            .map(|content| code(content).digest)
            .collect()
    };
    assert_eq!(c.live_digests(), set(&["l1", "one", "two"]));
    c.delete_function("f", Some("1")).await.unwrap();
    assert_eq!(c.live_digests(), set(&["l1", "two"]));
    c.delete_function("f", None).await.unwrap();
    c.delete_layer_version("l", 1).await.unwrap();
    assert_eq!(c.live_digests(), set(&[]));
}

#[tokio::test]
async fn deleted_function_leaves_no_document() {
    let mut home = Home::new().await;
    home.catalog.create_function(function("f")).await.unwrap();
    home.catalog.delete_function("f", None).await.unwrap();
    assert!(home.state().registry().list("").await.unwrap().is_empty());
    home.reopen().await;
    assert!(home.catalog.function("f").is_err());
}

#[tokio::test]
async fn write_of_a_dropped_caller_reaches_memory_and_disk_alike() {
    let mut home = Home::new().await;
    for n in 0..20 {
        let name = format!("f{n}");
        let catalog = home.catalog.clone();
        let mut create = Box::pin(catalog.create_function(function(&name)));
        // Polled up to some point, then dropped, as when a client hangs up.
        for _ in 0..n % 4 {
            if tokio::time::timeout(std::time::Duration::ZERO, &mut create)
                .await
                .is_ok()
            {
                break;
            }
        }
        drop(create);
        // Waits for its turn, so after the dropped one.
        let _ = home.catalog.untag(&name, &[]).await;
    }
    let names = |home: &Home| -> Vec<_> {
        let page = home
            .catalog
            .list_functions(false, &PageRequest::default())
            .unwrap();
        page.items
            .iter()
            .map(|version| version.key.clone())
            .collect()
    };
    let before = names(&home);
    home.reopen().await;
    assert_eq!(names(&home), before);
}

#[tokio::test]
async fn change_by_another_process_is_seen_not_overwritten() {
    let home = Home::new().await;
    // Two catalogs over one registry stand for two daemons.
    let other = open(home.state()).await.unwrap();
    home.catalog.create_function(function("f")).await.unwrap();
    let exists = other.create_function(function("f")).await;
    assert!(
        matches!(exists, Err(CatalogError::FunctionExists { .. })),
        "{exists:?}"
    );
    home.catalog.put_reserved_concurrency("f", 7).await.unwrap();
    other
        .tag("f", BTreeMap::from([("k".into(), "v".into())]))
        .await
        .unwrap();
    let seen = other.function("f").unwrap();
    assert_eq!((seen.reserved_concurrency, seen.tags.len()), (Some(7), 1));
    home.catalog.delete_function("f", None).await.unwrap();
    let gone = other
        .tag("f", BTreeMap::from([("k".into(), "w".into())]))
        .await;
    assert!(
        matches!(gone, Err(CatalogError::FunctionNotFound { .. })),
        "{gone:?}"
    );
}

#[tokio::test]
async fn strange_documents_are_refused_by_name() {
    let home = Home::new().await;
    home.catalog.create_function(function("f")).await.unwrap();
    let registry = home.state().registry();
    let good = registry.get("function/f").await.unwrap().unwrap();
    let good_json: serde_json::Value = serde_json::from_str(good.body.get()).unwrap();
    let mut rev = good.rev;
    type Edit = fn(&mut serde_json::Value);
    let edits: [(Edit, &str); 5] = [
        (
            |doc| doc["format"] = json!(2),
            "document function/f has format 2",
        ),
        (
            |doc| doc["latest"] = json!(null),
            "document function/f is damaged",
        ),
        (
            |doc| doc["next_version"] = json!(0),
            "document function/f contradicts itself",
        ),
        (|doc| *doc = json!([1]), "document function/f is damaged"),
        (
            |doc| {
                let id = "6a04ce21-9d5b-4d0e-9f52-4e0d0f4f1f5f";
                doc["aliases"]["a"] = json!({
                    "description": "", "version": "5", "weighted": null, "revision_id": id
                });
            },
            "document function/f contradicts itself: alias a refers to missing version 5",
        ),
    ];
    for (edit, message) in edits {
        let mut doc = good_json.clone();
        edit(&mut doc);
        let body = serde_json::value::to_raw_value(&doc).unwrap();
        rev = registry.cas("function/f", body, Some(rev)).await.unwrap();
        let error = open(home.state()).await.err().unwrap();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    // Fields of a later daemon of the same format are ignored.
    let mut doc = good_json;
    doc["later"] = json!({"x": 1});
    let body = serde_json::value::to_raw_value(&doc).unwrap();
    registry.cas("function/f", body, Some(rev)).await.unwrap();
    let catalog = open(home.state()).await.unwrap();
    assert_eq!(
        catalog.function("f").unwrap().latest,
        home.catalog.function("f").unwrap().latest
    );
}
