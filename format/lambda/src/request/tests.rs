//! Facts about reading requests.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;

use super::*;
use crate::generated::{
    CreateFunctionRequest, FunctionConfiguration, InvocationRequest, ListFunctionsRequest,
    PublishVersionRequest, UntagResourceRequest,
};
use crate::operation::route;

fn read<I: ApiInput>(path: &str, query: &str, body: &str) -> Result<I, ApiError> {
    let route = route(I::OPERATION.method, path, query).unwrap();
    assert_eq!(route.operation, I::OPERATION);
    let header = |name: &str| (name == "x-amz-log-type").then(|| "Tail".to_owned());
    let parts = HttpParts {
        route: &route,
        raw_query: query,
        header,
    };
    decode(&parts, &Bytes::copy_from_slice(body.as_bytes()))
}

#[test]
fn path_member_outranks_the_body() {
    let body = r#"{"FunctionName":"other","Description":"d","Unknown":[1]}"#;
    let input: PublishVersionRequest = read("/2015-03-31/functions/f/versions", "", body).unwrap();
    assert_eq!(input.function_name.as_deref(), Some("f"));
    assert_eq!(input.description.as_deref(), Some("d"));
}

#[test]
fn empty_body_is_an_empty_object() {
    let input: PublishVersionRequest = read("/2015-03-31/functions/f/versions", "", " ").unwrap();
    assert_eq!(input.description, None);
}

#[test]
fn invoke_takes_body_headers_and_query_as_they_are() {
    let path = "/2015-03-31/functions/f/invocations";
    let input: InvocationRequest = read(path, "Qualifier=%24LATEST", "not json").unwrap();
    assert_eq!(input.payload.unwrap().0, "not json");
    assert_eq!(input.log_type.as_deref(), Some("Tail"));
    assert_eq!(input.qualifier.as_deref(), Some("$LATEST"));
}

#[test]
fn create_function_reads_zip_and_members() {
    let body = r#"{"FunctionName":"f","Role":"arn:aws:iam::123456789012:role/r",
        "Code":{"ZipFile":"UEsDBA=="},"Timeout":3,"Environment":{"Variables":{"AB":"c"}}}"#;
    let input: CreateFunctionRequest = read("/2015-03-31/functions", "", body).unwrap();
    assert_eq!(input.code.unwrap().zip_file.unwrap().0, b"PK\x03\x04"[..]);
    assert_eq!(input.timeout, Some(3));
}

#[test]
fn broken_json_and_wrong_types_are_different_errors() {
    let create = |body: &str| {
        read::<CreateFunctionRequest>("/2015-03-31/functions", "", body)
            .unwrap_err()
            .kind
    };
    assert_eq!(create("{"), ErrorKind::InvalidRequestContent);
    assert_eq!(create(r#"["f"]"#), ErrorKind::Serialization);
    assert_eq!(create("null"), ErrorKind::Serialization);
    assert_eq!(create("{} {}"), ErrorKind::InvalidRequestContent);
    assert_eq!(create(&"[".repeat(100_000)), ErrorKind::Serialization);
    assert_eq!(
        create(&format!("{{\"X\":{}", "[".repeat(100_000))),
        ErrorKind::InvalidRequestContent
    );
    assert_eq!(create(r#"{"Timeout":"3"}"#), ErrorKind::Serialization);
    assert_eq!(
        create(r#"{"Timeout":1e999}"#),
        ErrorKind::InvalidRequestContent
    );
    assert_eq!(
        create(r#"{"Timeout":1,"Timeout":2}"#),
        ErrorKind::Serialization
    );
    assert_eq!(
        create(r#"{"Code":{"ZipFile":"*"}}"#),
        ErrorKind::Serialization
    );
    assert_eq!(create("{}"), ErrorKind::Validation);
}

#[test]
fn page_size_must_be_a_number() {
    let list = |query: &str| read::<ListFunctionsRequest>("/2015-03-31/functions/", query, "");
    assert_eq!(list("MaxItems=5").unwrap().max_items, Some(5));
    assert_eq!(
        list("MaxItems=x").unwrap_err().kind,
        ErrorKind::Serialization
    );
    assert_eq!(list("MaxItems=0").unwrap_err().kind, ErrorKind::Validation);
}

#[test]
fn repeated_parameter_becomes_a_list() {
    let path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af";
    let input: UntagResourceRequest = read(path, "tagKeys=a&tagKeys=b", "").unwrap();
    assert_eq!(input.tag_keys.unwrap(), ["a", "b"]);
    assert_eq!(
        input.resource.as_deref(),
        Some("arn:aws:lambda:us-east-1:123456789012:function:f")
    );
}

#[test]
fn output_leaves_out_what_is_not_set() {
    let output = FunctionConfiguration {
        function_name: Some("f".into()),
        kms_key_arn: Some("k".into()),
        ..Default::default()
    };
    let json = serde_json::to_string(&output).unwrap();
    assert_eq!(json, r#"{"FunctionName":"f","KMSKeyArn":"k"}"#);
}
