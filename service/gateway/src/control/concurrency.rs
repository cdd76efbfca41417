//! Reserved concurrency. Targets are found anew with every call, so that no instance has to go.

use std::sync::Arc;

use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    Concurrency, DeleteFunctionConcurrencyRequest, GetFunctionConcurrencyRequest,
    GetFunctionConcurrencyResponse, PutFunctionConcurrencyRequest,
};

use super::call::{Call, unsigned};
use crate::body::Answer;
use crate::rescue;

/// PutFunctionConcurrency.
pub(super) async fn put(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let input: PutFunctionConcurrencyRequest = call.input()?;
    let reserved = unsigned(input.reserved_concurrent_executions.unwrap_or_default());
    call.catalog()
        .put_reserved_concurrency(&function, reserved)
        .await
        .map_err(|e| rescue::catalog(&e))?;
    call.done(&Concurrency {
        reserved_concurrent_executions: Some(reserved.into()),
    })
}

/// GetFunctionConcurrency.
pub(super) async fn get(call: Arc<Call>) -> Result<Answer, ApiError> {
    let _: GetFunctionConcurrencyRequest = call.input()?;
    let function = call
        .catalog()
        .function(&call.function()?)
        .map_err(|e| rescue::catalog(&e))?;
    call.done(&GetFunctionConcurrencyResponse {
        reserved_concurrent_executions: function.reserved_concurrency.map(i64::from),
    })
}

/// DeleteFunctionConcurrency.
pub(super) async fn delete(call: Arc<Call>) -> Result<Answer, ApiError> {
    let _: DeleteFunctionConcurrencyRequest = call.input()?;
    let function = call.function()?;
    let deleted = call.catalog().delete_reserved_concurrency(&function).await;
    deleted.map_err(|e| rescue::catalog(&e))?;
    call.done_empty()
}
