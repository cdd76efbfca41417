//! Settings of asynchronous invocation.

use std::sync::Arc;

use offshoot_catalog::{InvokeConfig, InvokeConfigChange, LATEST};
use offshoot_lambda::arn::Home;
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    DeleteFunctionEventInvokeConfigRequest, DestinationConfig, FunctionEventInvokeConfig,
    GetFunctionEventInvokeConfigRequest, ListFunctionEventInvokeConfigsRequest,
    ListFunctionEventInvokeConfigsResponse, OnFailure, OnSuccess,
    PutFunctionEventInvokeConfigRequest, UpdateFunctionEventInvokeConfigRequest,
};

use super::call::{Call, invalid, page, unsigned};
use crate::body::Answer;
use crate::rescue;

/// PutFunctionEventInvokeConfig.
pub(super) async fn put(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: PutFunctionEventInvokeConfigRequest = call.input()?;
    let change = InvokeConfigChange {
        max_retries: input.maximum_retry_attempts.map(unsigned),
        max_age_s: input.maximum_event_age_in_seconds.map(unsigned),
        destinations: input.destination_config.map(destinations).transpose()?,
    };
    change_to(&call, change, false).await
}

/// UpdateFunctionEventInvokeConfig.
pub(super) async fn update(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: UpdateFunctionEventInvokeConfigRequest = call.input()?;
    let change = InvokeConfigChange {
        max_retries: input.maximum_retry_attempts.map(unsigned),
        max_age_s: input.maximum_event_age_in_seconds.map(unsigned),
        destinations: input.destination_config.map(destinations).transpose()?,
    };
    change_to(&call, change, true).await
}

/// GetFunctionEventInvokeConfig.
pub(super) async fn get(call: Arc<Call>) -> Result<Answer, ApiError> {
    let _: GetFunctionEventInvokeConfigRequest = call.input()?;
    let named = call.named()?;
    let qualifier = named.qualifier.as_deref();
    let found = call.catalog().invoke_config(&named.function, qualifier);
    let config = found.map_err(|e| rescue::catalog(&e))?;
    call.done(&shown(
        call.home(),
        &named.function,
        qualifier.unwrap_or(LATEST),
        &config,
    ))
}

/// DeleteFunctionEventInvokeConfig.
pub(super) async fn delete(call: Arc<Call>) -> Result<Answer, ApiError> {
    let _: DeleteFunctionEventInvokeConfigRequest = call.input()?;
    let named = call.named()?;
    call.catalog()
        .delete_invoke_config(&named.function, named.qualifier.as_deref())
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.done_empty()
}

/// ListFunctionEventInvokeConfigs.
pub(super) async fn list(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let input: ListFunctionEventInvokeConfigsRequest = call.input()?;
    let page = page(input.marker, input.max_items);
    let found = call
        .catalog()
        .list_invoke_configs(&function, &page)
        .map_err(|e| rescue::catalog(&e))?;
    let configs = found.items.iter();
    let configs = configs.map(|(scope, config)| shown(call.home(), &function, scope, config));
    call.done(&ListFunctionEventInvokeConfigsResponse {
        function_event_invoke_configs: Some(configs.collect()),
        next_marker: found.next_marker,
    })
}

async fn change_to(
    call: &Call,
    change: InvokeConfigChange,
    keep: bool,
) -> Result<Answer, ApiError> {
    let named = call.named()?;
    let qualifier = named.qualifier.as_deref();
    let config = call
        .catalog()
        .put_invoke_config(&named.function, qualifier, change, keep)
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.done(&shown(
        call.home(),
        &named.function,
        qualifier.unwrap_or(LATEST),
        &config,
    ))
}

/// Destinations for failure and success. Records go to functions; there is nobody here to bring them elsewhere.
fn destinations(config: DestinationConfig) -> Result<(Option<String>, Option<String>), ApiError> {
    let on_failure = config.on_failure.and_then(|to| to.destination);
    let on_success = config.on_success.and_then(|to| to.destination);
    for arn in on_failure.iter().chain(&on_success) {
        if matches!(arn.split(':').nth(2), Some("sqs" | "sns" | "events" | "s3")) {
            return Err(invalid(format!(
                "Destination {arn} is not supported by offshoot, only functions are. Events that fail without a \
                 destination stay in the dead letters of offshoot."
            )));
        }
    }
    Ok((on_failure, on_success))
}

fn shown(
    home: &Home,
    function: &str,
    scope: &str,
    config: &InvokeConfig,
) -> FunctionEventInvokeConfig {
    FunctionEventInvokeConfig {
        // Seconds since the Unix epoch, as the model's timestamps in JSON are.
        last_modified: Some(config.last_modified_ms as f64 / 1000.0),
        function_arn: Some(format!("{}:{scope}", home.function_arn(function))),
        maximum_retry_attempts: config.max_retries.map(i64::from),
        maximum_event_age_in_seconds: config.max_age_s.map(i64::from),
        destination_config: Some(DestinationConfig {
            on_success: Some(OnSuccess {
                destination: config.on_success.clone(),
            }),
            on_failure: Some(OnFailure {
                destination: config.on_failure.clone(),
            }),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn failing_to(arn: &str) -> DestinationConfig {
        let on_failure = Some(OnFailure {
            destination: Some(arn.to_owned()),
        });
        DestinationConfig {
            on_success: None,
            on_failure,
        }
    }

    #[test]
    fn destination_that_nobody_would_serve_is_refused() {
        let function = "arn:aws:lambda:us-east-1:000000000000:function:g";
        let taken = destinations(failing_to(function)).unwrap();
        assert_eq!(taken, (Some(function.to_owned()), None));
        let queue = "arn:aws:sqs:us-east-1:000000000000:q";
        assert!(
            destinations(failing_to(queue))
                .unwrap_err()
                .message
                .contains(queue)
        );
    }

    #[test]
    fn configuration_is_shown_with_its_qualifier_and_in_seconds() {
        let home = Home {
            partition: "aws".into(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        };
        let config = InvokeConfig {
            max_retries: Some(1),
            max_age_s: None,
            on_failure: None,
            on_success: None,
            last_modified_ms: 1_500,
        };
        let shown = shown(&home, "f", LATEST, &config);
        assert_eq!(shown.last_modified, Some(1.5));
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
        assert_eq!(shown.function_arn.as_deref(), Some(arn));
        assert_eq!(
            (
                shown.maximum_retry_attempts,
                shown.maximum_event_age_in_seconds
            ),
            (Some(1), None)
        );
    }
}
