//! Function URLs: HTTP requests that are invocations.
//!
//! A URL is `http://ID.lambda-url.REGION.localhost:PORT/`: `*.localhost` is this machine for curl and browsers
//! (RFC 6761, 6.3), so no name has to be set up. A request becomes an event of payload format 2.0, the function's
//! answer an HTTP response (AWS Lambda Developer Guide, "Invoking Lambda function URLs").

mod cors;
mod event;
mod response;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode};
use hyper::Request;
use hyper::body::Incoming;
use offshoot_catalog::{UrlAuth, UrlInvokeMode};
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_lambda::limits::SYNC_REQUEST_MAX_BYTES;
use offshoot_node::{Answer as FunctionAnswer, Reply};

use crate::body::{Answer, json, set, whole};
use crate::invoke::{self, Wishes};
use crate::{Gateway, intake, rescue, streaming};

const HOST_MARK: &str = ".lambda-url.";

/// The id in the host name of a request to a function URL.
pub(crate) fn of(request: &Request<Incoming>) -> Option<String> {
    let host = match request.headers().get(http::header::HOST) {
        Some(host) => host.to_str().ok()?,
        None => request.uri().host()?,
    };
    let (id, _) = host.split_once(HOST_MARK)?;
    Some(id.to_owned())
}

pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    url_id: String,
    request: Request<Incoming>,
    peer: Option<SocketAddr>,
    request_id: &Arc<str>,
) -> Result<Answer, ApiError> {
    let arrived = Instant::now();
    let Some((function, qualifier, config)) = gateway.parts.catalog.function_of_url(&url_id) else {
        return Ok(refused(
            StatusCode::NOT_FOUND,
            "There is no function at this URL",
        ));
    };
    let origin = header(&request, "origin");
    if request.method() == Method::OPTIONS
        && let Some(cors) = cors::Cors::of(&config)
    {
        return Ok(cors.preflight(origin.as_deref()));
    }
    let (parts, body) = request.into_parts();
    let body = match intake::read(body, SYNC_REQUEST_MAX_BYTES).await {
        Ok(body) => body,
        Err(error) => return Ok(refused(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string())),
    };
    if config.auth == UrlAuth::AwsIam {
        if !gateway.parts.keys.required() {
            let message = "This URL wants signed requests, but no access keys are configured";
            return Ok(refused(StatusCode::FORBIDDEN, message));
        }
        if gateway.parts.keys.verify(&parts, &body).await.is_err() {
            return Ok(refused(StatusCode::FORBIDDEN, "Forbidden"));
        }
    }
    let payload = event::payload(
        &gateway.parts.home,
        &url_id,
        &parts,
        &body,
        peer,
        request_id,
    );
    let found = gateway
        .parts
        .dispatch
        .find(&function.name, qualifier.as_deref())
        .map_err(|error| rescue::catalog(&error))?;
    let event = invoke::event(request_id, &found, Wishes::default(), payload, arrived);
    let mut answer = match config.invoke_mode {
        UrlInvokeMode::Buffered => buffered(gateway, &found, event).await,
        UrlInvokeMode::ResponseStream => streamed(gateway, found, event).await,
    }?;
    if let Some(cors) = cors::Cors::of(&config) {
        cors.allow(&mut answer, origin.as_deref());
    }
    Ok(answer)
}

async fn buffered(
    gateway: &Gateway,
    found: &offshoot_dispatch::Found,
    event: offshoot_node::Event,
) -> Result<Answer, ApiError> {
    let invoked = gateway
        .parts
        .dispatch
        .invoke(found, event, Reply::Whole)
        .await;
    let outcome = invoked.map_err(|error| rescue::invoke(&error))?;
    Ok(match outcome.answer {
        FunctionAnswer::Response(body) => response::from_function(body),
        FunctionAnswer::Streamed => whole(StatusCode::OK, Bytes::new()),
        FunctionAnswer::Failure(_) => failed(),
    })
}

async fn streamed(
    gateway: &Arc<Gateway>,
    found: offshoot_dispatch::Found,
    event: offshoot_node::Event,
) -> Result<Answer, ApiError> {
    let mut running = streaming::start(gateway, found, event);
    match running.parts.recv().await {
        Some(first) => Ok(response::from_stream(first, running).await),
        None => {
            streaming::joined(running.outcome).await?;
            Ok(failed())
        }
    }
}

/// What Lambda answers when the function failed: the error object stays inside.
fn failed() -> Answer {
    let mut answer = refused(StatusCode::BAD_GATEWAY, "Internal Server Error");
    set(&mut answer, "x-amzn-errortype", ErrorKind::Service.name());
    answer
}

fn refused(status: StatusCode, message: &str) -> Answer {
    json(
        status,
        serde_json::json!({ "Message": message }).to_string(),
    )
}

fn header(request: &Request<Incoming>, name: &str) -> Option<String> {
    request
        .headers()
        .get(name)?
        .to_str()
        .ok()
        .map(str::to_owned)
}
