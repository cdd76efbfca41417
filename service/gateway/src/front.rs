//! Where every request arrives and is sent to its desk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::Request;
use hyper::body::Incoming;
use metrics_exporter_prometheus::PrometheusHandle;
use offshoot_catalog::Catalog;
use offshoot_dispatch::{AsyncRunner, Dispatch};
use offshoot_events::Events;
use offshoot_lambda::arn::Home;
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_lambda::generated::operations::{INVOKE, INVOKE_WITH_RESPONSE_STREAM};
use offshoot_lambda::operation::{RouteError, route};
use offshoot_node::LogBook;
use offshoot_package::PackageStore;
use offshoot_state::{Blobs, Queue};

use crate::body::{Answer, set};
use crate::guard::Guard;
use crate::{Keys, NodePages, control, function_url, invoke, operator, rescue, streaming};

/// What a gateway needs.
pub struct GatewayParts {
    /// The functions.
    pub catalog: Arc<Catalog>,
    /// Who runs them.
    pub dispatch: Arc<Dispatch>,
    /// Asynchronous invocations.
    pub events: Arc<Events<AsyncRunner>>,
    /// Their queue, for operators.
    pub queue: Arc<dyn Queue>,
    /// Unpacked packages.
    pub packages: Arc<PackageStore>,
    /// Packages as uploaded.
    pub blobs: Blobs,
    /// What functions print.
    pub logs: Arc<LogBook>,
    /// Who may sign requests.
    pub keys: Keys,
    /// Names under which it is asked besides this machine's own; they count without keys only.
    pub allowed_hosts: Vec<String>,
    /// Region and account.
    pub home: Home,
    /// Where clients reach this gateway, for links in answers: `http://127.0.0.1:3001`.
    pub base_url: String,
    /// The node: its sandboxes and seeds, for operators.
    pub node: Box<dyn NodePages>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

/// The gateway; one for all connections.
pub struct Gateway {
    pub(crate) parts: GatewayParts,
    /// Without keys.
    guard: Option<Guard>,
    requests: AtomicU64,
}

/// After so many requests the metrics' samples are folded into their histograms. They are also when somebody reads
/// `/metrics`; without a reader they would pile up, and a timer would wake an idle daemon.
const UPKEEP_REQUESTS: u64 = 4096;

impl Gateway {
    /// A gateway.
    pub fn new(parts: GatewayParts) -> Arc<Self> {
        let allowed_hosts = parts.allowed_hosts.clone();
        Arc::new(Self {
            guard: (!parts.keys.required()).then(|| Guard::new(allowed_hosts)),
            parts,
            requests: AtomicU64::new(0),
        })
    }

    /// Answers one request, whatever it is.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: Option<SocketAddr>,
    ) -> Answer {
        if self.requests.fetch_add(1, Ordering::Relaxed) % UPKEEP_REQUESTS == UPKEEP_REQUESTS - 1 {
            self.parts.metrics.run_upkeep();
        }
        let request_id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
        let answered = match function_url::of(&request) {
            Some(url) => function_url::answer(self, url, request, peer, &request_id).await,
            None => self.desk(request, &request_id).await,
        };
        let mut answer = answered.unwrap_or_else(|error| rescue::answer(&error));
        set(&mut answer, "x-amzn-requestid", &request_id);
        answer
    }

    async fn desk(
        self: &Arc<Self>,
        request: Request<Incoming>,
        request_id: &Arc<str>,
    ) -> Result<Answer, ApiError> {
        if let Some(guard) = &self.guard {
            guard.check(&request)?;
        }
        if let Some(page) = operator::page(request.uri().path()) {
            return operator::answer(self, page, request).await;
        }
        let uri = request.uri();
        let route = route(
            request.method().as_str(),
            uri.path(),
            uri.query().unwrap_or_default(),
        )
        .map_err(unknown)?;
        if route.operation == &INVOKE {
            invoke::answer(self, &route, request, request_id).await
        } else if route.operation == &INVOKE_WITH_RESPONSE_STREAM {
            streaming::answer(self, &route, request, request_id).await
        } else {
            control::answer(self, &route, request).await
        }
    }
}

fn unknown(error: RouteError) -> ApiError {
    match error {
        RouteError::UnknownPath | RouteError::UnknownMethod => ApiError::new(
            ErrorKind::UnknownOperation,
            format!("Unknown operation: {error}"),
        ),
        RouteError::NotUtf8 => ApiError::new(ErrorKind::Validation, error.to_string()),
    }
}
