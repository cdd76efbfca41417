//! Functions, versions, aliases: Lambda's rules.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{Home, arn, code, function, new_code};
use offshoot_catalog::{
    AliasPatch, CatalogError, LoggingPatch, NewAlias, PageRequest, Publish, SettingsPatch,
};
use offshoot_lambda::error::ErrorKind;

fn alias(name: &str, version: &str, weights: &[(&str, f64)]) -> NewAlias {
    NewAlias {
        name: name.into(),
        version: version.into(),
        description: String::new(),
        weights: weights.iter().map(|(v, w)| ((*v).to_owned(), *w)).collect(),
    }
}

#[tokio::test]
async fn created_function_resolves_and_a_second_of_its_name_is_refused() {
    let home = Home::new().await;
    let c = &home.catalog;
    let missing = c.resolve("f", None, 0.0).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!("Function not found: {}", arn("f"))
    );
    assert_eq!(missing.kind(), ErrorKind::ResourceNotFound);
    let made = c.create_function(function("f")).await.unwrap();
    let resolved = c.resolve("f", None, 0.0).unwrap();
    assert_eq!(resolved.version, made);
    assert_eq!(&*resolved.invoked_arn, arn("f"));
    assert_eq!(&*resolved.executed_version, "$LATEST");
    let resolved = c.resolve("f", Some("$LATEST"), 0.0).unwrap();
    assert_eq!(&*resolved.invoked_arn, arn("f:$LATEST"));
    for qualifier in ["1", "live", "$OTHER", "0", ""] {
        let error = c.resolve("f", Some(qualifier), 0.0).unwrap_err();
        let message = format!("Function not found: {}", arn(&format!("f:{qualifier}")));
        assert_eq!(error.to_string(), message);
    }
    let again = c.create_function(function("f")).await.unwrap_err();
    assert_eq!(again.to_string(), "Function already exist: f");
    assert_eq!(again.kind(), ErrorKind::ResourceConflict);
}

#[tokio::test]
async fn change_gives_another_key_and_a_stale_revision_is_refused() {
    let home = Home::new().await;
    let c = &home.catalog;
    let first = c.create_function(function("f")).await.unwrap();
    let stale = first.revision_id.to_string();
    let patch = SettingsPatch {
        timeout_s: Some(60),
        ..Default::default()
    };
    let second = c
        .update_configuration("f", patch.clone(), Some(&stale))
        .await
        .unwrap();
    assert_eq!(
        (second.settings.timeout_s, second.settings.memory_mb),
        (60, 128)
    );
    assert_ne!(first.key, second.key);
    let error = c
        .update_configuration("f", patch, Some(&stale))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    let update = offshoot_catalog::UpdateCode {
        revision_id: Some(stale),
        ..new_code("two")
    };
    assert!(matches!(
        c.update_code("f", update).await,
        Err(CatalogError::StaleRevision)
    ));
    let third = c.update_code("f", new_code("two")).await.unwrap();
    assert_eq!((third.code, third.settings.timeout_s), (code("two"), 60));
    // Tags change the API's revision, and no instance has to go for that.
    c.tag("f", BTreeMap::from([("team".into(), "a".into())]))
        .await
        .unwrap();
    let tagged = c.resolve("f", None, 0.0).unwrap().version;
    assert_eq!(tagged.key, third.key);
    assert_ne!(tagged.revision_id, third.revision_id);
}

#[tokio::test]
async fn dry_run_changes_nothing() {
    let home = Home::new().await;
    let first = home.catalog.create_function(function("f")).await.unwrap();
    let update = offshoot_catalog::UpdateCode {
        dry_run: true,
        publish: true,
        ..new_code("two")
    };
    let shown = home.catalog.update_code("f", update).await.unwrap();
    assert_eq!(shown.code, code("two"));
    assert_eq!(home.catalog.resolve("f", None, 0.0).unwrap().version, first);
}

#[tokio::test]
async fn publishing_unchanged_code_gives_the_last_version_again() {
    let home = Home::new().await;
    let c = &home.catalog;
    c.create_function(function("f")).await.unwrap();
    let described = Publish {
        description: Some("first".into()),
        ..Default::default()
    };
    let one = c.publish_version("f", described).await.unwrap();
    assert_eq!(
        (one.label.to_string(), one.settings.description.as_str()),
        ("1".into(), "first")
    );
    let again = c.publish_version("f", Publish::default()).await.unwrap();
    assert_eq!(again, one);
    let two = offshoot_catalog::UpdateCode {
        publish: true,
        ..new_code("two")
    };
    let two = c.update_code("f", two).await.unwrap();
    assert_eq!(&*two.qualified_arn, arn("f:2"));
    // A deleted version's number is not used again.
    c.delete_function("f", Some("2")).await.unwrap();
    let three = c.publish_version("f", Publish::default()).await.unwrap();
    assert_eq!(three.label.to_string(), "3");
    assert_eq!(
        c.resolve("f", Some("1"), 0.0).unwrap().version.code,
        code("one")
    );
    let wrong = Publish {
        code_sha256: Some("x".into()),
        ..Default::default()
    };
    let error = c.publish_version("f", wrong).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("CodeSHA256 (x) is different from current"),
        "{error}"
    );
}

#[tokio::test]
async fn weighted_alias_picks_by_draw() {
    let home = Home::new().await;
    let c = &home.catalog;
    c.create_function(offshoot_catalog::NewFunction {
        publish: true,
        ..function("f")
    })
    .await
    .unwrap();
    c.update_code(
        "f",
        offshoot_catalog::UpdateCode {
            publish: true,
            ..new_code("two")
        },
    )
    .await
    .unwrap();
    c.create_alias("f", alias("live", "1", &[("2", 0.25)]))
        .await
        .unwrap();
    for (draw, version) in [(0.0, "2"), (0.2499, "2"), (0.25, "1"), (0.999, "1")] {
        let resolved = c.resolve("f", Some("live"), draw).unwrap();
        assert_eq!(&*resolved.executed_version, version, "draw {draw}");
        assert_eq!(&*resolved.invoked_arn, arn("f:live"));
    }
    let off = AliasPatch {
        weights: Some(BTreeMap::new()),
        ..Default::default()
    };
    let updated = c.update_alias("f", "live", off).await.unwrap();
    assert_eq!(updated.weighted, None);
    assert_eq!(
        &*c.resolve("f", Some("live"), 0.0).unwrap().executed_version,
        "1"
    );
}

#[tokio::test]
async fn alias_rules_are_lambdas() {
    let home = Home::new().await;
    let c = &home.catalog;
    c.create_function(offshoot_catalog::NewFunction {
        publish: true,
        ..function("f")
    })
    .await
    .unwrap();
    let cases: [(NewAlias, &str); 7] = [
        (alias("a", "9", &[]), "Function not found: "),
        (alias("a", "1", &[("9", 0.1)]), "Function not found: "),
        (
            alias("a", "1", &[("1", 0.1)]),
            "Invalid function version 1. Function version 1 is already",
        ),
        (
            alias("a", "1", &[("2", 0.1), ("3", 0.1)]),
            "Number of items in AdditionalVersionWeights",
        ),
        (
            alias("a", "1", &[("2", 1.5)]),
            "1 validation error detected: Value '{2=1.5}'",
        ),
        (
            alias("a", "1", &[("x", 0.5)]),
            "1 validation error detected: Value '{x=0.5}'",
        ),
        (
            alias("a", "$LATEST", &[("1", 0.5)]),
            "$LATEST is not supported for an alias pointing",
        ),
    ];
    for (new, message) in cases {
        let error = c.create_alias("f", new).await.unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let nan = c
        .create_alias("f", alias("a", "1", &[("2", f64::NAN)]))
        .await;
    assert!(matches!(nan, Err(CatalogError::BadWeight { .. })));
    let made = c.create_alias("f", alias("a", "1", &[])).await.unwrap();
    let twice = c.create_alias("f", alias("a", "1", &[])).await.unwrap_err();
    assert_eq!(
        twice.to_string(),
        format!("Alias already exists: {}", arn("f:a"))
    );
    let none = c.alias("f", "b").unwrap_err();
    assert_eq!(
        none.to_string(),
        format!("Cannot find alias arn: {}", arn("f:b"))
    );
    let in_use = c.delete_function("f", Some("1")).await.unwrap_err();
    assert_eq!(in_use.kind(), ErrorKind::ResourceConflict);
    let stale = AliasPatch {
        revision_id: Some("old".into()),
        ..Default::default()
    };
    let stale = c.update_alias("f", "a", stale).await;
    assert!(matches!(stale, Err(CatalogError::StaleRevision)));
    let revision_id = Some(made.revision_id.to_string());
    let empty = AliasPatch {
        revision_id,
        ..Default::default()
    };
    assert_ne!(
        c.update_alias("f", "a", empty).await.unwrap().revision_id,
        made.revision_id
    );
    c.delete_alias("f", "a").await.unwrap();
    c.delete_alias("f", "a").await.unwrap();
    c.delete_function("f", Some("1")).await.unwrap();
}

#[tokio::test]
async fn only_whole_functions_and_versions_are_deleted() {
    let home = Home::new().await;
    let c = &home.catalog;
    c.create_function(function("f")).await.unwrap();
    let latest = c.delete_function("f", Some("$LATEST")).await.unwrap_err();
    assert!(
        latest
            .to_string()
            .starts_with("$LATEST version cannot be deleted"),
        "{latest}"
    );
    let alias = c.delete_function("f", Some("live")).await;
    assert!(matches!(alias, Err(CatalogError::AliasNotDeletableHere)));
    c.delete_function("f", Some("7")).await.unwrap();
    c.delete_function("f", None).await.unwrap();
    let gone = c.delete_function("f", None).await;
    assert!(matches!(gone, Err(CatalogError::FunctionNotFound { .. })));
    // Numbers begin anew with a new function of the name.
    c.create_function(function("f")).await.unwrap();
    let one = c.publish_version("f", Publish::default()).await.unwrap();
    assert_eq!(one.label.to_string(), "1");
}

#[tokio::test]
async fn settings_out_of_lambdas_limits_are_refused() {
    let home = Home::new().await;
    let c = &home.catalog;
    let refused = |change: fn(&mut offshoot_catalog::Settings)| async move {
        let mut new = function("f");
        change(&mut new.settings);
        c.create_function(new).await.unwrap_err()
    };
    let too_long = refused(|s| s.timeout_s = 901).await;
    assert_eq!(
        too_long.to_string(),
        "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"
    );
    assert!(matches!(
        refused(|s| s.timeout_s = 0).await,
        CatalogError::OutOfRange { .. }
    ));
    assert!(matches!(
        refused(|s| s.memory_mb = 127).await,
        CatalogError::OutOfRange { .. }
    ));
    assert!(matches!(
        refused(|s| s.memory_mb = 10_241).await,
        CatalogError::OutOfRange { .. }
    ));
    assert!(matches!(
        refused(|s| s.ephemeral_mb = 511).await,
        CatalogError::OutOfRange { .. }
    ));
    let reserved = refused(|s| _ = s.env.insert("AWS_REGION".into(), "x".into())).await;
    assert!(
        reserved
            .to_string()
            .ends_with("used in this request: AWS_REGION"),
        "{reserved}"
    );
    let big = refused(|s| _ = s.env.insert("K".into(), "v".repeat(4096))).await;
    assert!(matches!(big, CatalogError::EnvTooLarge { .. }));
    // {"K":"v.."} of exactly 4 KB fits.
    let mut new = function("fits");
    new.settings.env.insert("K".into(), "v".repeat(4096 - 8));
    c.create_function(new).await.unwrap();
    let mut new = function("f");
    new.code.unzipped_bytes = 262_144_001;
    let large = c.create_function(new).await.unwrap_err();
    assert_eq!(
        large.to_string(),
        "Unzipped size must be smaller than 262144000 bytes"
    );
    assert!(
        c.function("f").is_err(),
        "a refused function must leave nothing"
    );
}

#[tokio::test]
async fn json_logs_get_levels_and_text_loses_them() {
    let home = Home::new().await;
    let c = &home.catalog;
    c.create_function(function("f")).await.unwrap();
    let logging = |format| SettingsPatch {
        logging: Some(LoggingPatch {
            format: Some(format),
            ..Default::default()
        }),
        ..Default::default()
    };
    let json = logging(offshoot_catalog::LogFormat::Json);
    let json = c.update_configuration("f", json, None).await.unwrap();
    assert_eq!(
        json.settings.logging.application_level.as_deref(),
        Some("INFO")
    );
    assert_eq!(json.settings.logging.group, "/aws/lambda/f");
    let text = logging(offshoot_catalog::LogFormat::Text);
    let text = c.update_configuration("f", text, None).await.unwrap();
    assert_eq!(text.settings.logging.application_level, None);
}

#[tokio::test]
async fn lists_page_through_everything_once() {
    let home = Home::new().await;
    let c = &home.catalog;
    for n in 0..7 {
        let publish = n % 2 == 0;
        let new = offshoot_catalog::NewFunction {
            publish,
            ..function(&format!("f{n}"))
        };
        c.create_function(new).await.unwrap();
    }
    for (all, total) in [(false, 7), (true, 11)] {
        let (mut seen, mut marker) = (Vec::new(), None);
        loop {
            let request = PageRequest {
                marker,
                max_items: Some(3),
            };
            let page = c.list_functions(all, &request).unwrap();
            assert!(page.items.len() <= 3);
            seen.extend(page.items.iter().map(|v| v.qualified_arn.to_string()));
            // What was listed may go in between.
            marker = page.next_marker;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), total);
        seen.dedup();
        assert_eq!(seen.len(), total);
        assert!(seen[0].ends_with("f0:$LATEST"));
    }
    let bad = PageRequest {
        marker: Some("!".into()),
        max_items: None,
    };
    assert!(matches!(
        c.list_functions(false, &bad),
        Err(CatalogError::BadMarker)
    ));
    for n in 0..12 {
        c.update_code("f0", new_code(&n.to_string())).await.unwrap();
        c.publish_version("f0", Publish::default()).await.unwrap();
    }
    let versions = c
        .list_versions("f0", &PageRequest::default())
        .unwrap()
        .items;
    let labels: Vec<_> = versions.iter().map(|v| v.label.to_string()).collect();
    assert_eq!(labels[..3], ["$LATEST", "1", "2"]);
    assert_eq!(labels[10..], ["10", "11", "12", "13"]);
}
