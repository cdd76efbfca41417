//! Published versions.

use std::sync::Arc;

use offshoot_catalog::Publish;
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    ListVersionsByFunctionRequest, ListVersionsByFunctionResponse, PublishVersionRequest,
};

use super::call::{Call, page};
use super::support;
use crate::body::Answer;
use crate::rescue;

/// PublishVersion.
pub(super) async fn publish(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let input: PublishVersionRequest = call.input()?;
    support::absent("PublishTo", input.publish_to.is_some())?;
    // Empty texts are what some clients send for members that the user left out.
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let wanted = Publish {
        description: given(input.description),
        code_sha256: given(input.code_sha256),
        revision_id: given(input.revision_id),
    };
    let version = call
        .catalog()
        .publish_version(&function, wanted)
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.prepare(&version)?;
    call.done(&call.of_version(&version))
}

/// ListVersionsByFunction.
pub(super) async fn list(call: Arc<Call>) -> Result<Answer, ApiError> {
    let named = call.named()?;
    let input: ListVersionsByFunctionRequest = call.input()?;
    let page = page(input.marker, input.max_items);
    let found = call
        .catalog()
        .list_versions(&named.function, &page)
        .map_err(|e| rescue::catalog(&e))?;
    let versions = found.items.iter();
    let versions = versions.map(|version| call.shown(version, &version.qualified_arn));
    call.done(&ListVersionsByFunctionResponse {
        next_marker: found.next_marker,
        versions: Some(versions.collect()),
    })
}
