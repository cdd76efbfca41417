//! Resource policies: stored and shown, not enforced. Who may call is decided by access keys.

use std::sync::Arc;

use offshoot_catalog::LATEST;
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    AddPermissionRequest, AddPermissionResponse, GetPolicyRequest, GetPolicyResponse,
    RemovePermissionRequest,
};
use serde_json::{Map, Value, json};

use super::call::{Call, invalid};
use crate::body::Answer;
use crate::rescue;

/// AddPermission.
pub(super) async fn add(call: Arc<Call>) -> Result<Answer, ApiError> {
    let named = call.named()?;
    let input: AddPermissionRequest = call.input()?;
    let qualifier = named.qualifier.as_deref();
    if qualifier == Some(LATEST) {
        return Err(invalid(
            "We currently do not support adding policies for $LATEST.",
        ));
    }
    let function_arn = call.home().function_arn(&named.function);
    let resource = match qualifier {
        Some(qualifier) => format!("{function_arn}:{qualifier}"),
        None => function_arn,
    };
    let statement = statement(&input, &resource);
    let id = input.statement_id.as_deref().unwrap_or_default();
    call.catalog()
        .add_permission(
            &named.function,
            qualifier,
            id,
            statement.clone(),
            input.revision_id.as_deref(),
        )
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.done(&AddPermissionResponse {
        statement: Some(statement.to_string()),
    })
}

/// RemovePermission.
pub(super) async fn remove(call: Arc<Call>) -> Result<Answer, ApiError> {
    let named = call.named()?;
    let input: RemovePermissionRequest = call.input()?;
    let id = input.statement_id.as_deref().unwrap_or_default();
    let (qualifier, revision_id) = (named.qualifier.as_deref(), input.revision_id.as_deref());
    let removed = call
        .catalog()
        .remove_permission(&named.function, qualifier, id, revision_id);
    removed.await.map_err(|e| rescue::catalog(&e))?;
    call.done_empty()
}

/// GetPolicy.
pub(super) async fn get(call: Arc<Call>) -> Result<Answer, ApiError> {
    let named = call.named()?;
    let _: GetPolicyRequest = call.input()?;
    let found = call
        .catalog()
        .policy(&named.function, named.qualifier.as_deref());
    let (policy, revision_id) = found.map_err(|e| rescue::catalog(&e))?;
    let statements: Vec<Value> = policy.statements.into_values().collect();
    let document = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    call.done(&GetPolicyResponse {
        policy: Some(document.to_string()),
        revision_id: Some(revision_id.to_string()),
    })
}

/// The statement of a policy document that a permission is.
fn statement(input: &AddPermissionRequest, resource: &str) -> Value {
    let mut statement = json!({
        "Sid": input.statement_id,
        "Effect": "Allow",
        "Principal": principal(input.principal.as_deref().unwrap_or_default()),
        "Action": input.action,
        "Resource": resource,
    });
    let condition = condition(input);
    if !condition.is_empty() {
        statement["Condition"] = Value::Object(condition);
    }
    statement
}

/// Everybody, an account, a role or user, or a service of AWS.
fn principal(name: &str) -> Value {
    let is_account = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
    if name == "*" {
        json!("*")
    } else if is_account {
        json!({ "AWS": format!("arn:aws:iam::{name}:root") })
    } else if name.starts_with("arn:") {
        json!({ "AWS": name })
    } else {
        json!({ "Service": name })
    }
}

fn condition(input: &AddPermissionRequest) -> Map<String, Value> {
    let mut condition = Map::new();
    let equals = [
        ("AWS:SourceAccount", &input.source_account),
        ("aws:PrincipalOrgID", &input.principal_org_id),
        ("lambda:EventSourceToken", &input.event_source_token),
        ("lambda:FunctionUrlAuthType", &input.function_url_auth_type),
    ];
    let equals = equals.into_iter().filter_map(|(key, value)| {
        value
            .as_ref()
            .map(|value| (key.to_owned(), Value::from(value.as_str())))
    });
    let equals: Map<String, Value> = equals.collect();
    if !equals.is_empty() {
        condition.insert("StringEquals".into(), Value::Object(equals));
    }
    if let Some(arn) = &input.source_arn {
        condition.insert("ArnLike".into(), json!({ "AWS:SourceArn": arn }));
    }
    if let Some(by_url) = input.invoked_via_function_url {
        let value = json!({ "lambda:InvokedViaFunctionUrl": by_url.to_string() });
        condition.insert("Bool".into(), value);
    }
    condition
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission() -> AddPermissionRequest {
        AddPermissionRequest {
            statement_id: Some("s3".into()),
            action: Some("lambda:InvokeFunction".into()),
            principal: Some("s3.amazonaws.com".into()),
            ..AddPermissionRequest::default()
        }
    }

    #[test]
    fn permission_becomes_a_statement() {
        let expected = json!({
            "Sid": "s3",
            "Effect": "Allow",
            "Principal": { "Service": "s3.amazonaws.com" },
            "Action": "lambda:InvokeFunction",
            "Resource": "arn:f",
        });
        assert_eq!(statement(&permission(), "arn:f"), expected);
    }

    #[test]
    fn conditions_are_grouped_by_operator() {
        let input = AddPermissionRequest {
            source_arn: Some("arn:aws:s3:::bucket".into()),
            source_account: Some("000000000000".into()),
            function_url_auth_type: Some("NONE".into()),
            ..permission()
        };
        let expected = json!({
            "ArnLike": { "AWS:SourceArn": "arn:aws:s3:::bucket" },
            "StringEquals": {
                "AWS:SourceAccount": "000000000000",
                "lambda:FunctionUrlAuthType": "NONE",
            },
        });
        assert_eq!(statement(&input, "arn:f")["Condition"], expected);
    }

    #[test]
    fn principals_are_told_apart() {
        assert_eq!(principal("*"), json!("*"));
        let root = json!({ "AWS": "arn:aws:iam::123456789012:root" });
        assert_eq!(principal("123456789012"), root);
        let role = "arn:aws:iam::123456789012:role/r";
        assert_eq!(principal(role), json!({ "AWS": role }));
    }
}
