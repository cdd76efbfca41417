//! Facts about constraints, through the generated inputs.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::error::{ApiError, ErrorKind};
use crate::generated::{
    CreateAliasRequest, CreateFunctionRequest, FunctionCode, ListFunctionsRequest, VpcConfig,
};

fn function() -> CreateFunctionRequest {
    CreateFunctionRequest {
        function_name: Some("f".into()),
        role: Some("arn:aws:iam::123456789012:role/r".into()),
        code: Some(FunctionCode::default()),
        ..Default::default()
    }
}

fn text_of(input: &impl Validate) -> String {
    message(&input.validate())
}

#[test]
fn valid_input_has_no_violation() {
    assert_eq!(function().validate(), []);
    let mut full = function();
    full.runtime = Some("python3.12".into());
    full.handler = Some("app.handler".into());
    full.timeout = Some(900);
    full.architectures = Some(vec!["x86_64".into()]);
    full.kms_key_arn = Some(String::new());
    full.tags = Some(BTreeMap::from([("équipe 1".into(), String::new())]));
    assert_eq!(full.validate(), []);
}

#[test]
fn missing_members_are_reported_together() {
    assert_eq!(
        text_of(&CreateFunctionRequest::default()),
        "3 validation errors detected: \
         Value null at 'functionName' failed to satisfy constraint: Member must not be null; \
         Value null at 'role' failed to satisfy constraint: Member must not be null; \
         Value null at 'code' failed to satisfy constraint: Member must not be null"
    );
}

#[test]
fn bad_role_is_shown_with_the_model_pattern() {
    let input = CreateFunctionRequest {
        role: Some("r1".into()),
        ..function()
    };
    assert_eq!(
        text_of(&input),
        "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member \
         must satisfy regular expression pattern: \
         arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"
    );
}

#[test]
fn numbers_outside_their_range_are_reported() {
    let input = CreateFunctionRequest {
        timeout: Some(0),
        memory_size: Some(1),
        ..function()
    };
    assert_eq!(
        text_of(&input),
        "2 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: \
         Member must have value greater than or equal to 1; Value '1' at 'memorySize' failed to \
         satisfy constraint: Member must have value greater than or equal to 128"
    );
}

#[test]
fn two_architectures_are_too_many() {
    let architectures = Some(vec!["x86_64".into(), "arm64".into()]);
    assert_eq!(
        text_of(&CreateFunctionRequest {
            architectures,
            ..function()
        }),
        "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to \
         satisfy constraint: Member must have length less than or equal to 1"
    );
}

#[test]
fn bad_list_element_is_reported_at_the_list() {
    let architectures = Some(vec!["X86_64".into()]);
    assert_eq!(
        text_of(&CreateFunctionRequest {
            architectures,
            ..function()
        }),
        "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy \
         constraint: Member must satisfy constraint: [Member must satisfy enum value set: \
         [x86_64, arm64], Member must not be null]"
    );
}

#[test]
fn nested_members_have_dotted_paths() {
    let subnet_ids = Some(vec!["subnet-1".to_owned(); 17]);
    let vpc_config = Some(VpcConfig {
        subnet_ids,
        ..Default::default()
    });
    let found = CreateFunctionRequest {
        vpc_config,
        ..function()
    }
    .validate();
    assert_eq!(found[0].path, "vpcConfig.subnetIds");
}

#[test]
fn secret_map_is_never_shown() {
    let variables = Some(BTreeMap::from([("1BAD".into(), "hunter2".into())]));
    let environment = Some(crate::generated::Environment { variables });
    let input = CreateFunctionRequest {
        environment,
        ..function()
    };
    let text = text_of(&input);
    assert!(
        text.starts_with(
            "1 validation error detected: Value at 'environment.variables' failed to satisfy \
             constraint: Map keys must satisfy constraint: [Member must satisfy regular \
             expression pattern: [a-zA-Z]([a-zA-Z0-9_])+"
        ),
        "{text}"
    );
    assert!(!text.contains("hunter2") && !text.contains("1BAD"));
    assert!(!format!("{input:?}").contains("hunter2"));
}

#[test]
fn unknown_runtime_is_an_invalid_parameter_in_its_own_words() {
    let input = CreateFunctionRequest {
        runtime: Some("Python3.9".into()),
        ..function()
    };
    let error = ApiError::from_violations(&input.validate()).unwrap();
    assert_eq!(error.kind, ErrorKind::InvalidParameterValue);
    assert!(
        error.message.starts_with(
            "Value Python3.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum \
             value set: [nodejs, "
        ),
        "{error}"
    );
    assert!(error.message.ends_with("] or be a valid ARN"));
}

#[test]
fn other_violations_come_before_the_runtime() {
    let input = CreateFunctionRequest {
        runtime: Some("cobol".into()),
        timeout: Some(-1),
        ..function()
    };
    let error = ApiError::from_violations(&input.validate()).unwrap();
    assert_eq!(error.kind, ErrorKind::Validation);
    assert!(
        error
            .message
            .starts_with("1 validation error detected: Value '-1' at 'timeout'")
    );
}

#[test]
fn number_is_not_an_alias() {
    let alias = |name: &str| CreateAliasRequest {
        function_name: Some("f".into()),
        name: Some(name.into()),
        function_version: Some("1".into()),
        ..Default::default()
    };
    assert_eq!(alias("1a").validate(), []);
    assert_eq!(alias("live").validate(), []);
    assert!(text_of(&alias("12")).ends_with("pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"));
}

#[test]
fn bucket_does_not_end_with_a_dot() {
    let bucket = |name: &str| {
        let code = FunctionCode {
            s3_bucket: Some(name.into()),
            ..Default::default()
        };
        CreateFunctionRequest {
            code: Some(code),
            ..function()
        }
        .validate()
        .len()
    };
    assert_eq!((bucket("my.bucket"), bucket("my-bucket.")), (0, 1));
}

#[test]
fn page_size_is_bounded() {
    let page = |max_items| {
        ListFunctionsRequest {
            max_items,
            ..Default::default()
        }
        .validate()
    };
    assert_eq!(page(Some(10_000)), []);
    assert_eq!(page(Some(0)).len(), 1);
}

#[test]
fn huge_value_is_cut_in_the_message() {
    let input = CreateFunctionRequest {
        role: Some("x".repeat(1 << 20)),
        ..function()
    };
    assert!(text_of(&input).len() < 20_000);
}

#[test]
fn every_generated_pattern_compiles() {
    let rules = crate::generated::rules::TEXT_RULES;
    let patterns: Vec<_> = rules
        .iter()
        .filter_map(|rule| rule.pattern.as_ref())
        .collect();
    assert!(patterns.len() > 30);
    for pattern in patterns {
        // A malformed one would panic.
        LazyLock::force(&pattern.regex);
    }
}

#[test]
fn alias_weights_are_fractions_of_numbered_versions() {
    let weights = |version: &str, weight| {
        let weights = Some(BTreeMap::from([(version.to_owned(), weight)]));
        let routing = crate::generated::AliasRoutingConfiguration {
            additional_version_weights: weights,
        };
        text_of(&CreateAliasRequest {
            function_name: Some("f".into()),
            name: Some("live".into()),
            function_version: Some("1".into()),
            routing_config: Some(routing),
            ..Default::default()
        })
    };
    assert!(weights("2", 0.5).starts_with("0 validation errors"));
    assert!(weights("2", 1.5).contains("Map value must satisfy constraint"));
    assert!(weights("live", 0.5).contains(
        "Value '{live=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy \
         constraint: Map keys must satisfy constraint: [Member must have length less than or \
         equal to 1024, Member must have length greater than or equal to 1, Member must satisfy \
         regular expression pattern: [0-9]+, Member must not be null]"
    ));
}
