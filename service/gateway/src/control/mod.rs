//! The control plane: every operation of the Lambda API except the two that stream or answer an invocation.
//!
//! 1. [`answer`] reads the body, verifies the signature and finds the operation's desk.
//! 2. The desk decodes its input ([`call`]), asks or changes the catalog, and shows the outcome in Lambda's words.
//! 3. A desk runs as a task of its own: a client that goes away in the middle of a deployment does not leave one
//!    half done.
//! 4. A change of code or configuration ends the idle instances of the function, and packages that nothing refers to
//!    any more are removed later ([`garbage`]).
//!
//! Nothing here runs a function, and nothing here knows where a package lies on disk.

mod account;
mod aliases;
mod call;
mod claims;
mod code;
mod concurrency;
mod configuration;
mod events;
mod functions;
mod garbage;
mod invoke_async;
mod layers;
mod policy;
mod settings;
mod support;
mod tags;
mod urls;
mod versions;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::Request;
use hyper::body::{Body, Incoming};
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_lambda::generated::operations;
use offshoot_lambda::limits::{ASYNC_EVENT_MAX_BYTES, CONTROL_REQUEST_MAX_BYTES};
use offshoot_lambda::operation::{Operation, Route};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::body::Answer;
use crate::{Gateway, intake, rescue};
use call::Call;
pub(crate) use code::download;

/// Requests above this are deployments, in bytes.
const SMALL_BYTES: u64 = 1 << 20;
/// Deployments at a time: each holds the request and the zip in it, about 120 MB at most.
const MAX_DEPLOYMENTS: usize = 4;
static DEPLOYMENTS: Semaphore = Semaphore::const_new(MAX_DEPLOYMENTS);

type Answering = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send>>;
type Desk = fn(Arc<Call>) -> Answering;

macro_rules! desks {
    ($($operation:ident => $desk:path,)*) => {
        &[$((&operations::$operation, |call| Box::pin($desk(call)))),*]
    };
}

/// Who answers which operation.
static DESKS: &[(&Operation, Desk)] = desks! {
    CREATE_FUNCTION => functions::create,
    GET_FUNCTION => functions::get,
    GET_FUNCTION_CONFIGURATION => functions::get_configuration,
    LIST_FUNCTIONS => functions::list,
    DELETE_FUNCTION => functions::delete,
    UPDATE_FUNCTION_CODE => code::update,
    UPDATE_FUNCTION_CONFIGURATION => functions::update_configuration,
    PUBLISH_VERSION => versions::publish,
    LIST_VERSIONS_BY_FUNCTION => versions::list,
    CREATE_ALIAS => aliases::create,
    GET_ALIAS => aliases::get,
    UPDATE_ALIAS => aliases::update,
    DELETE_ALIAS => aliases::delete,
    LIST_ALIASES => aliases::list,
    PUT_FUNCTION_CONCURRENCY => concurrency::put,
    GET_FUNCTION_CONCURRENCY => concurrency::get,
    DELETE_FUNCTION_CONCURRENCY => concurrency::delete,
    TAG_RESOURCE => tags::tag,
    UNTAG_RESOURCE => tags::untag,
    LIST_TAGS => tags::list,
    CREATE_FUNCTION_URL_CONFIG => urls::create,
    GET_FUNCTION_URL_CONFIG => urls::get,
    UPDATE_FUNCTION_URL_CONFIG => urls::update,
    DELETE_FUNCTION_URL_CONFIG => urls::delete,
    LIST_FUNCTION_URL_CONFIGS => urls::list,
    INVOKE_ASYNC => invoke_async::accept,
    PUT_FUNCTION_EVENT_INVOKE_CONFIG => events::put,
    UPDATE_FUNCTION_EVENT_INVOKE_CONFIG => events::update,
    GET_FUNCTION_EVENT_INVOKE_CONFIG => events::get,
    DELETE_FUNCTION_EVENT_INVOKE_CONFIG => events::delete,
    LIST_FUNCTION_EVENT_INVOKE_CONFIGS => events::list,
    PUBLISH_LAYER_VERSION => layers::publish,
    GET_LAYER_VERSION => layers::get,
    GET_LAYER_VERSION_BY_ARN => layers::get_by_arn,
    LIST_LAYERS => layers::list,
    LIST_LAYER_VERSIONS => layers::list_versions,
    DELETE_LAYER_VERSION => layers::delete,
    ADD_PERMISSION => policy::add,
    REMOVE_PERMISSION => policy::remove,
    GET_POLICY => policy::get,
    GET_ACCOUNT_SETTINGS => account::settings,
    GET_FUNCTION_CODE_SIGNING_CONFIG => account::code_signing,
};

/// Answers a request of the control plane.
pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    route: &Route,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let operation = route.operation;
    let desk = desk(operation).ok_or_else(|| unknown(operation))?;
    let (parts, body) = request.into_parts();
    let permit = admit(&body).await?;
    let body = intake::read(body, limit_bytes(operation))
        .await
        .map_err(|error| error.into_api(ErrorKind::RequestEntityTooLarge, operation.name))?;
    gateway.parts.keys.verify(&parts, &body).await?;
    let call = Arc::new(Call::new(Arc::clone(gateway), route, parts, body));
    let work = tokio::spawn(async move {
        let _permit = permit;
        desk(call).await
    });
    work.await
        .unwrap_or_else(|error| Err(rescue::internal("the operation broke off", &error)))
}

fn desk(operation: &Operation) -> Option<Desk> {
    DESKS
        .iter()
        .find(|(of, _)| *of == operation)
        .map(|(_, desk)| *desk)
}

fn unknown(operation: &Operation) -> ApiError {
    let message = format!(
        "Operation {} is not part of the control plane",
        operation.name
    );
    ApiError::new(ErrorKind::UnknownOperation, message)
}

fn limit_bytes(operation: &Operation) -> usize {
    if *operation == operations::INVOKE_ASYNC {
        ASYNC_EVENT_MAX_BYTES
    } else {
        CONTROL_REQUEST_MAX_BYTES
    }
}

/// Lets few large requests in at a time, so that deployments cannot exhaust memory.
async fn admit(body: &Incoming) -> Result<Option<SemaphorePermit<'static>>, ApiError> {
    if body
        .size_hint()
        .upper()
        .is_some_and(|bytes| bytes <= SMALL_BYTES)
    {
        return Ok(None);
    }
    let permit = DEPLOYMENTS.acquire().await;
    permit
        .map(Some)
        .map_err(|error| rescue::internal("no deployment is admitted", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_but_the_two_invocations_has_one_desk() {
        for operation in operations::OPERATIONS {
            let desks = DESKS.iter().filter(|(of, _)| of == operation).count();
            let is_invocation = **operation == operations::INVOKE
                || **operation == operations::INVOKE_WITH_RESPONSE_STREAM;
            assert_eq!(desks, usize::from(!is_invocation), "{}", operation.name);
        }
    }
}
