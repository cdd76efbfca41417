//! InvokeAsync: the asynchronous invocation of 2014, which old clients still use. It is Invoke with type `Event`, on
//! `$LATEST`, with nothing but a payload.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use offshoot_events::NewEvent;
use offshoot_lambda::error::ApiError;
use uuid::Uuid;

use super::call::Call;
use crate::body::{Answer, whole};
use crate::{invoke, rescue};

/// InvokeAsync; 202 is answered only when the event is on disk.
pub(super) async fn accept(call: Arc<Call>) -> Result<Answer, ApiError> {
    let named = call.named()?;
    let payload = invoke::checked(call.body.clone())?;
    let parts = &call.gateway.parts;
    let found = parts
        .dispatch
        .find(&named.function, named.qualifier.as_deref())
        .map_err(|error| rescue::catalog(&error))?;
    let event = NewEvent {
        request_id: Uuid::new_v4().to_string(),
        function: named.function,
        qualifier: named.qualifier,
        version: found.version().to_owned(),
        invoked_arn: found.invoked_arn.to_string(),
        payload,
        client_context: None,
        trace_id: None,
        max_attempts: found.policy.max_attempts,
        max_age_ms: found.policy.max_age_ms,
    };
    parts
        .events
        .accept(event)
        .await
        .map_err(|error| rescue::accept(&error))?;
    Ok(whole(StatusCode::ACCEPTED, Bytes::new()))
}
