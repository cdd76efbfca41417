//! Tags of functions, which are named by their ARN.

use std::sync::Arc;

use offshoot_lambda::arn::Home;
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    ListTagsRequest, ListTagsResponse, TagResourceRequest, UntagResourceRequest,
};

use super::call::{Call, invalid};
use crate::body::Answer;
use crate::{identify, rescue};

/// TagResource.
pub(super) async fn tag(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: TagResourceRequest = call.input()?;
    let function = tagged(input.resource.as_deref(), call.home())?;
    let tags = input.tags.unwrap_or_default();
    call.catalog()
        .tag(&function, tags)
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.done_empty()
}

/// UntagResource.
pub(super) async fn untag(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: UntagResourceRequest = call.input()?;
    let function = tagged(input.resource.as_deref(), call.home())?;
    let keys = input.tag_keys.unwrap_or_default();
    call.catalog()
        .untag(&function, &keys)
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.done_empty()
}

/// ListTags.
pub(super) async fn list(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: ListTagsRequest = call.input()?;
    let function = tagged(input.resource.as_deref(), call.home())?;
    let function = call
        .catalog()
        .function(&function)
        .map_err(|e| rescue::catalog(&e))?;
    call.done(&ListTagsResponse {
        tags: Some(function.tags.clone()),
    })
}

/// The function whose tags `resource` means.
fn tagged(resource: Option<&str>, home: &Home) -> Result<String, ApiError> {
    let resource = resource.unwrap_or_default();
    if resource
        .split(':')
        .nth(5)
        .is_some_and(|kind| kind != "function")
    {
        return Err(invalid(format!(
            "Only functions have tags in offshoot, {resource} is none."
        )));
    }
    let named = identify::identified(resource, None, home)?;
    match named.qualifier {
        None => Ok(named.function),
        Some(_) => Err(invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_functions_without_qualifier_have_tags() {
        let home = Home {
            partition: "aws".into(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        };
        let arn = home.function_arn("f");
        assert_eq!(tagged(Some(&arn), &home).unwrap(), "f");
        assert!(tagged(Some(&format!("{arn}:live")), &home).is_err());
        let layer = tagged(Some(&home.layer_arn("l")), &home).unwrap_err();
        assert!(layer.message.contains("Only functions"), "{layer}");
    }
}
