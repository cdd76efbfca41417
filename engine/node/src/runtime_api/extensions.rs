//! The Lambda Extensions API: processes beside the runtime that are told of events and of the end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::{Notify, watch};

use super::answers::{self, Answer};
use super::routes::{header, not_found, skip};
use super::state::Invocation;
use crate::InstanceSpec;

/// As many as Lambda allows.
const MAX_EXTENSIONS: usize = 10;
/// Far more than a registration needs.
const MAX_BODY_BYTES: usize = 64 << 10;
const IDENTIFIER: &str = "lambda-extension-identifier";

/// The extensions registered in one sandbox.
#[derive(Debug)]
pub(super) struct Extensions {
    function: Arc<str>,
    version: Arc<str>,
    handler: String,
    account_id: Arc<str>,
    registered: Mutex<HashMap<String, Arc<Extension>>>,
    /// How many have done their part of init.
    initialised: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Extension {
    /// Whether it has asked for its first event, or said that it never will: then its part of init is done.
    initialised: AtomicBool,
    wants_invoke: bool,
    wants_shutdown: bool,
    /// The newest event not yet fetched; a slow extension misses older ones rather than growing a queue.
    pending: Mutex<Option<serde_json::Value>>,
    arrived: Notify,
}

#[derive(serde::Deserialize)]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
}

impl Extensions {
    pub(super) fn new(spec: &InstanceSpec) -> Self {
        Self {
            function: Arc::clone(&spec.function),
            version: Arc::clone(&spec.version),
            handler: spec.handler.clone(),
            account_id: Arc::clone(&spec.account_id),
            registered: Mutex::default(),
            initialised: watch::Sender::new(0),
        }
    }

    /// Waits until so many extensions have done their part of init.
    pub(super) async fn initialised(&self, wanted: usize) {
        // The sender lives as long as this, so that there is no error.
        let _ = self
            .initialised
            .subscribe()
            .wait_for(|count| *count >= wanted)
            .await;
    }

    fn count_initialised(&self, extension: &Extension) {
        if !extension.initialised.swap(true, Ordering::Relaxed) {
            self.initialised.send_modify(|count| *count += 1);
        }
    }

    /// Tells those who asked for it of an event.
    pub(super) fn announce(&self, invocation: &Invocation) {
        let registered = self.lock();
        if registered.is_empty() {
            return;
        }
        let event = json!({
            "eventType": "INVOKE",
            "deadlineMs": invocation.deadline_ms,
            "requestId": &*invocation.event.request_id,
            "invokedFunctionArn": &*invocation.event.invoked_arn,
            "tracing": { "type": "X-Amzn-Trace-Id", "value": invocation.event.trace_id },
        });
        for extension in registered
            .values()
            .filter(|extension| extension.wants_invoke)
        {
            extension.push(event.clone());
        }
    }

    /// Tells those who asked for it that the sandbox ends at `deadline_ms`; true if anyone did.
    pub(super) fn shut_down(&self, deadline_ms: u64) -> bool {
        let registered = self.lock();
        let mut told = false;
        for extension in registered
            .values()
            .filter(|extension| extension.wants_shutdown)
        {
            extension.push(json!({
                "eventType": "SHUTDOWN",
                "shutdownReason": "spindown",
                "deadlineMs": deadline_ms,
            }));
            told = true;
        }
        told
    }

    /// Answers one call below `/2020-01-01/extension/`.
    pub(super) async fn answer(&self, call: &str, request: Request<Incoming>) -> Answer {
        match (request.method(), call) {
            (&Method::POST, "register") => self.register(request).await,
            (&Method::GET, "event/next") => match self.known(&request) {
                Some(extension) => {
                    self.count_initialised(&extension);
                    next(&extension).await
                }
                None => unknown(),
            },
            (&Method::POST, "init/error" | "exit/error") => match self.known(&request) {
                Some(extension) => {
                    self.count_initialised(&extension);
                    skip(request.into_body(), 0).await;
                    answers::accepted()
                }
                None => unknown(),
            },
            _ => not_found(),
        }
    }

    async fn register(&self, request: Request<Incoming>) -> Answer {
        let Some(name) =
            header(request.headers(), "lambda-extension-name").filter(|n| !n.is_empty())
        else {
            return refused(
                "Extension.InvalidExtensionName",
                "Lambda-Extension-Name is missing",
            );
        };
        let tells_account = header(request.headers(), "lambda-extension-accept-feature")
            .is_some_and(|features| features.contains("accountId"));
        let Ok(body) = Limited::new(request.into_body(), MAX_BODY_BYTES)
            .collect()
            .await
        else {
            return refused(
                "Extension.InvalidExtensionState",
                "The registration cannot be read",
            );
        };
        let Ok(registration) = serde_json::from_slice::<Registration>(&body.to_bytes()) else {
            return refused(
                "Extension.InvalidEventType",
                "The registration is not an object with events",
            );
        };
        if registration
            .events
            .iter()
            .any(|event| event != "INVOKE" && event != "SHUTDOWN")
        {
            return refused(
                "Extension.InvalidEventType",
                "Events are INVOKE and SHUTDOWN",
            );
        }
        match self.add(&registration) {
            Some(identifier) => self.registered(&identifier, tells_account),
            None => {
                tracing::warn!(function = %self.function, extension = %name, "too many extensions");
                refused(
                    "Extension.TooManyExtensions",
                    "At most 10 extensions may register",
                )
            }
        }
    }

    fn add(&self, registration: &Registration) -> Option<String> {
        let mut registered = self.lock();
        if registered.len() >= MAX_EXTENSIONS {
            return None;
        }
        let identifier = uuid::Uuid::new_v4().to_string();
        let wants = |event: &str| registration.events.iter().any(|wanted| wanted == event);
        let extension = Extension {
            wants_invoke: wants("INVOKE"),
            wants_shutdown: wants("SHUTDOWN"),
            ..Extension::default()
        };
        registered.insert(identifier.clone(), Arc::new(extension));
        Some(identifier)
    }

    fn registered(&self, identifier: &str, tells_account: bool) -> Answer {
        let mut body = json!({
            "functionName": &*self.function,
            "functionVersion": &*self.version,
            "handler": self.handler,
        });
        if tells_account {
            body["accountId"] = json!(&*self.account_id);
        }
        let mut answer = answers::json(StatusCode::OK, body.to_string().into());
        answers::set(&mut answer, IDENTIFIER, identifier);
        answer
    }

    fn known(&self, request: &Request<Incoming>) -> Option<Arc<Extension>> {
        let identifier = header(request.headers(), IDENTIFIER)?;
        self.lock().get(&identifier).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Extension>>> {
        self.registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Extension {
    fn push(&self, event: serde_json::Value) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some(event);
        self.arrived.notify_one();
    }

    fn take(&self) -> Option<serde_json::Value> {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

async fn next(extension: &Extension) -> Answer {
    loop {
        let arrived = extension.arrived.notified();
        if let Some(event) = extension.take() {
            let mut answer = answers::json(StatusCode::OK, Bytes::from(event.to_string()));
            let identifier = uuid::Uuid::new_v4().to_string();
            answers::set(
                &mut answer,
                "lambda-extension-event-identifier",
                &identifier,
            );
            return answer;
        }
        arrived.await;
    }
}

fn unknown() -> Answer {
    refused(
        "Extension.UnknownExtensionIdentifier",
        "Unknown extension identifier",
    )
}

fn refused(error_type: &str, message: &str) -> Answer {
    answers::error(StatusCode::FORBIDDEN, error_type, message)
}
