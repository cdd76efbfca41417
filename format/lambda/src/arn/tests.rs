//! Facts about identifiers.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::error::{ApiError, ErrorKind};

fn home() -> Home {
    Home {
        partition: "aws".into(),
        region: "us-east-1".into(),
        account: "123456789012".into(),
    }
}

fn api_error(text: &str) -> ApiError {
    FunctionId::parse(text).unwrap_err().into()
}

#[test]
fn every_form_names_the_same_function() {
    for text in [
        "f-1_x",
        "function:f-1_x",
        "123456789012:function:f-1_x",
        "us-east-1:123456789012:function:f-1_x",
        "arn:aws:lambda:us-east-1:123456789012:function:f-1_x",
    ] {
        let id = FunctionId::parse(text).unwrap();
        assert_eq!((id.name, id.qualifier), ("f-1_x", None), "{text}");
        id.check_home(&home()).unwrap();
        for (suffix, qualifier) in [
            ("$LATEST", Qualifier::Latest),
            ("17", Qualifier::Version(17)),
            ("live", Qualifier::Alias("live")),
            ("1a", Qualifier::Alias("1a")),
        ] {
            let qualified = format!("{text}:{suffix}");
            let id = FunctionId::parse(&qualified).unwrap();
            assert_eq!(
                (id.name, id.qualifier),
                ("f-1_x", Some(qualifier)),
                "{qualified}"
            );
        }
    }
}

#[test]
fn names_that_look_like_prefixes_are_names() {
    for text in ["function", "123456789012", "us-east-1"] {
        assert_eq!(FunctionId::parse(text).unwrap().name, text);
    }
}

#[test]
fn malformed_identifiers_are_validation_errors() {
    for text in [
        "",
        ":",
        "f:",
        "f:live:x",
        "f g",
        "f/../g",
        "..",
        "a.b",
        "f:$OTHER",
        "f\0",
        "é",
        "arn:aws:lambda:us-east-1:123456789012:function:",
        "arn:aws:s3:us-east-1:123456789012:function:f",
        "arn:aws:lambda:us-east-1:123456789012:f",
        "arn:aws:lambda:nowhere:123456789012:function:f",
    ] {
        let error = api_error(text);
        assert_eq!(error.kind, ErrorKind::Validation, "{text}: {error}");
        assert!(
            error.message.contains("at 'functionName' failed"),
            "{error}"
        );
    }
}

#[test]
fn name_of_65_characters_is_an_invalid_parameter() {
    assert!(FunctionId::parse(&"a".repeat(64)).is_ok());
    let error = api_error(&"a".repeat(65));
    assert_eq!(error.kind, ErrorKind::InvalidParameterValue);
    assert!(
        error
            .message
            .ends_with("Member must have length less than or equal to 64")
    );
    assert_eq!(api_error(&"a".repeat(257)).kind, ErrorKind::Validation);
}

#[test]
fn query_qualifier_must_agree_with_the_identifier() {
    let id = FunctionId::parse("f:live").unwrap();
    assert_eq!(id.with_qualifier(Some("live")).unwrap(), id);
    let error: ApiError = id.with_qualifier(Some("1")).unwrap_err().into();
    assert_eq!(error.kind, ErrorKind::InvalidParameterValue);
    let plain = FunctionId::parse("f").unwrap();
    assert_eq!(
        plain.with_qualifier(Some("3")).unwrap().qualifier,
        Some(Qualifier::Version(3))
    );
    let error: ApiError = plain.with_qualifier(Some("a b")).unwrap_err().into();
    assert_eq!(error.kind, ErrorKind::Validation);
}

#[test]
fn impossible_version_is_not_found() {
    for text in ["f:0", "f:01", "f:99999999999999999999999"] {
        assert_eq!(api_error(text).kind, ErrorKind::ResourceNotFound, "{text}");
    }
}

#[test]
fn foreign_region_is_not_found_and_foreign_account_is_denied() {
    let check = |text| {
        let id = FunctionId::parse(text).unwrap();
        ApiError::from(id.check_home(&home()).unwrap_err())
    };
    let error = check("arn:aws:lambda:eu-west-1:123456789012:function:f");
    assert_eq!(error.kind, ErrorKind::ResourceNotFound);
    assert_eq!(
        error.message,
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    );
    let error = check("arn:aws:lambda:us-east-1:000000000000:function:f");
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert_eq!(
        check("arn:aws-cn:lambda:us-east-1:123456789012:function:f").status(),
        403
    );
}

#[test]
fn layers_are_named_by_name_or_arn() {
    let arn = home().layer_version_arn("deps", 3);
    let id = LayerId::parse(&arn).unwrap();
    assert_eq!(
        (id.name, id.version, id.account),
        ("deps", Some(3), Some("123456789012"))
    );
    assert_eq!(LayerId::parse("deps").unwrap().version, None);
    assert_eq!(
        LayerId::parse(&home().layer_arn("deps")).unwrap().version,
        None
    );
    for text in [
        "",
        "a.b",
        "deps:3",
        "arn:aws:lambda:us-east-1:123456789012:layer:deps:0",
    ] {
        assert_eq!(
            ApiError::from(LayerId::parse(text).unwrap_err()).status(),
            400,
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", query in "\\PC*") {
        if let Ok(id) = FunctionId::parse(&text) {
            let _ = id.with_qualifier(Some(&query)).map_err(ApiError::from);
            let _ = id.check_home(&home());
        }
        let _ = LayerId::parse(&text);
    }

    #[test]
    fn near_misses_do_not_panic(parts in prop::collection::vec(
        prop_oneof![
            Just("arn".to_owned()), Just("aws".into()), Just("lambda".into()),
            Just("function".into()), Just("us-east-1".into()), Just("123456789012".into()),
            Just("$LATEST".into()), "[a-z0-9-]{0,8}",
        ],
        0..10,
    )) {
        let text = parts.join(":");
        let by_hand = FunctionId::parse(&text);
        // What is accepted here, AWS's own pattern accepts too.
        if by_hand.is_ok() {
            let rule = &crate::generated::rules::NAMESPACED_FUNCTION_NAME;
            prop_assert!(rule.accepts(&text), "{}", text);
        }
    }

    #[test]
    fn arn_round_trips(name in "[a-zA-Z0-9_-]{1,64}", version in 1..u64::MAX, alias in "[a-z][a-zA-Z0-9_-]{0,30}") {
        for qualifier in [Qualifier::Latest, Qualifier::Version(version), Qualifier::Alias(&alias)] {
            let arn = home().qualified_arn(&name, qualifier);
            let id = FunctionId::parse(&arn).unwrap();
            prop_assert_eq!((id.name, id.qualifier), (name.as_str(), Some(qualifier)));
            prop_assert!(id.check_home(&home()).is_ok());
        }
    }
}
