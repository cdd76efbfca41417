//! What belongs to the account as a whole, and code signing, which offshoot does not have.

use std::sync::Arc;

use offshoot_catalog::{CatalogError, Page, PageRequest};
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    AccountLimit, AccountUsage, GetAccountSettingsResponse, GetFunctionCodeSigningConfigRequest,
    GetFunctionCodeSigningConfigResponse,
};
use offshoot_lambda::limits::{
    ACCOUNT_CODE_MAX_BYTES, ACCOUNT_CONCURRENCY, UNZIPPED_MAX_BYTES, ZIP_MAX_BYTES,
};

use super::call::{Call, signed};
use crate::body::Answer;
use crate::rescue;

/// GetAccountSettings.
pub(super) async fn settings(call: Arc<Call>) -> Result<Answer, ApiError> {
    let catalog = call.catalog();
    let versions = all(|page| catalog.list_functions(true, page));
    let versions = versions.map_err(|e| rescue::catalog(&e))?;
    let layers = all(|page| catalog.list_layers(|_| true, page));
    let layers = layers.map_err(|e| rescue::catalog(&e))?;
    let layer_versions = layers.iter().flat_map(|(layer, _)| layer.versions.values());
    let layer_bytes: u64 = layer_versions.map(|version| version.code.size_bytes).sum();
    let code_bytes: u64 = versions.iter().map(|version| version.code.size_bytes).sum();
    let functions = versions
        .iter()
        .filter(|version| version.label == offshoot_catalog::VersionLabel::Latest);
    call.done(&GetAccountSettingsResponse {
        account_limit: Some(AccountLimit {
            total_code_size: Some(signed(ACCOUNT_CODE_MAX_BYTES)),
            code_size_unzipped: Some(signed(UNZIPPED_MAX_BYTES)),
            code_size_zipped: Some(signed(ZIP_MAX_BYTES as u64)),
            concurrent_executions: Some(ACCOUNT_CONCURRENCY),
            unreserved_concurrent_executions: Some(catalog.unreserved_concurrency()),
        }),
        account_usage: Some(AccountUsage {
            total_code_size: Some(signed(code_bytes.saturating_add(layer_bytes))),
            function_count: Some(signed(functions.count() as u64)),
        }),
    })
}

/// GetFunctionCodeSigningConfig: Terraform asks after every read of a function, and an empty ARN means none.
pub(super) async fn code_signing(call: Arc<Call>) -> Result<Answer, ApiError> {
    let _: GetFunctionCodeSigningConfigRequest = call.input()?;
    let function = call.function()?;
    let function = call
        .catalog()
        .function(&function)
        .map_err(|e| rescue::catalog(&e))?;
    call.done(&GetFunctionCodeSigningConfigResponse {
        code_signing_config_arn: Some(String::new()),
        function_name: Some(function.name.to_string()),
    })
}

/// All pages of a list.
fn all<T>(
    list: impl Fn(&PageRequest) -> Result<Page<T>, CatalogError>,
) -> Result<Vec<T>, CatalogError> {
    let mut request = PageRequest::default();
    let mut items = Vec::new();
    loop {
        let page = list(&request)?;
        items.extend(page.items);
        match page.next_marker {
            None => return Ok(items),
            marker => request.marker = marker,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_pages_are_read_once() {
        let items = all(|request| {
            let start: u32 = request.marker.as_deref().unwrap_or("0").parse().unwrap();
            let next_marker = (start < 4).then(|| (start + 2).to_string());
            Ok(Page {
                items: vec![start, start + 1],
                next_marker,
            })
        });
        assert_eq!(items.unwrap(), [0, 1, 2, 3, 4, 5]);
    }
}
