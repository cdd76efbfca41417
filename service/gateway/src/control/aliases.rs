//! Aliases.

use std::collections::BTreeMap;
use std::sync::Arc;

use offshoot_catalog::{Alias, AliasPatch, NewAlias};
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    AliasConfiguration, AliasRoutingConfiguration, CreateAliasRequest, DeleteAliasRequest,
    GetAliasRequest, ListAliasesRequest, ListAliasesResponse, UpdateAliasRequest,
};

use super::call::{Call, page};
use crate::body::Answer;
use crate::rescue;

/// CreateAlias.
pub(super) async fn create(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let input: CreateAliasRequest = call.input()?;
    let new = NewAlias {
        name: input.name.unwrap_or_default(),
        version: input.function_version.unwrap_or_default(),
        description: input.description.unwrap_or_default(),
        weights: input.routing_config.map(weights).unwrap_or_default(),
    };
    let alias = call
        .catalog()
        .create_alias(&function, new)
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.done(&shown(&alias))
}

/// GetAlias.
pub(super) async fn get(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let input: GetAliasRequest = call.input()?;
    let name = input.name.unwrap_or_default();
    let alias = call
        .catalog()
        .alias(&function, &name)
        .map_err(|e| rescue::catalog(&e))?;
    call.done(&shown(&alias))
}

/// UpdateAlias.
pub(super) async fn update(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let input: UpdateAliasRequest = call.input()?;
    let name = input.name.unwrap_or_default();
    let patch = AliasPatch {
        version: input.function_version,
        description: input.description,
        weights: input.routing_config.map(weights),
        revision_id: input.revision_id,
    };
    let updated = call.catalog().update_alias(&function, &name, patch).await;
    let alias = updated.map_err(|e| rescue::catalog(&e))?;
    call.done(&shown(&alias))
}

/// DeleteAlias.
pub(super) async fn delete(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let input: DeleteAliasRequest = call.input()?;
    let name = input.name.unwrap_or_default();
    call.catalog()
        .delete_alias(&function, &name)
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.done_empty()
}

/// ListAliases.
pub(super) async fn list(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let input: ListAliasesRequest = call.input()?;
    let page = page(input.marker, input.max_items);
    let found = call
        .catalog()
        .list_aliases(&function, input.function_version.as_deref(), &page)
        .map_err(|e| rescue::catalog(&e))?;
    call.done(&ListAliasesResponse {
        next_marker: found.next_marker,
        aliases: Some(found.items.iter().map(|alias| shown(alias)).collect()),
    })
}

fn weights(routing: AliasRoutingConfiguration) -> BTreeMap<String, f64> {
    routing.additional_version_weights.unwrap_or_default()
}

fn shown(alias: &Alias) -> AliasConfiguration {
    let routing = alias
        .weighted
        .map(|(version, weight)| AliasRoutingConfiguration {
            additional_version_weights: Some([(version.to_string(), weight)].into()),
        });
    AliasConfiguration {
        alias_arn: Some(alias.arn.to_string()),
        name: Some(alias.name.clone()),
        function_version: Some(alias.version.to_string()),
        description: Some(alias.description.clone()),
        routing_config: routing,
        revision_id: Some(alias.revision_id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offshoot_catalog::VersionLabel;

    #[test]
    fn alias_is_shown_with_its_weighted_version() {
        let mut alias = Alias {
            name: "live".into(),
            arn: "arn:aws:lambda:us-east-1:000000000000:function:f:live".into(),
            description: String::new(),
            version: VersionLabel::Number(1),
            weighted: Some((2, 0.25)),
            revision_id: uuid::Uuid::nil(),
        };
        let routing = shown(&alias).routing_config.map(weights);
        assert_eq!(routing, Some([("2".to_owned(), 0.25)].into()));
        alias.weighted = None;
        assert_eq!(shown(&alias).routing_config, None);
        assert_eq!(shown(&alias).function_version.as_deref(), Some("1"));
    }
}
