//! The operator's pages: health, metrics, logs, events, and the web page. Signed like everything else when keys are configured.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use hyper::Request;
use hyper::body::Incoming;
use metrics::gauge;
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_lambda::operation::query_values;
use offshoot_state::{DeadId, DeadLetter, QueueDepth};
use offshoot_ui::view;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};

use crate::body::{Answer, json as json_answer, set, streamed, whole};
use crate::{Gateway, control, intake, rescue, ui};

const API: &str = "/offshoot/v1/";
/// Log that is shown when no length is asked for, and at most, in bytes.
const LOG_BYTES: u64 = 64 << 10;
const MAX_LOG_BYTES: u64 = 16 << 20;
/// Dead letters of one page.
const PAGE_LETTERS: u32 = 100;
const MAX_BODY_BYTES: usize = 1 << 20;

/// A page below `/offshoot/v1/`, the metrics, or a part of the web page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Metrics,
    Ui(ui::Part),
    Health,
    Events,
    Dead,
    Redrive,
    Purge,
    Sandboxes,
    Seeds,
    Explain,
    Sandbox(String),
    Drain,
    Logs(String),
    /// A package, by the digest of its zip: who knows 256 bits may read it, as with a pre-signed S3 link.
    Code(String),
    Unknown,
}

/// The page that `path` names, if it is one of the operator's.
pub(crate) fn page(path: &str) -> Option<Page> {
    if path == "/metrics" {
        return Some(Page::Metrics);
    }
    if let Some(part) = ui::part(path) {
        return Some(Page::Ui(part));
    }
    Some(match path.strip_prefix(API)? {
        "health" => Page::Health,
        "events" => Page::Events,
        "events/dead" => Page::Dead,
        "events/redrive" => Page::Redrive,
        "events/purge" => Page::Purge,
        "sandboxes" => Page::Sandboxes,
        "seeds" => Page::Seeds,
        "explain" => Page::Explain,
        "sandboxes/drain" => Page::Drain,
        other => named(other, "functions/", "/logs")
            .map(Page::Logs)
            .or_else(|| named(other, "sandboxes/", "").map(Page::Sandbox))
            .or_else(|| named(other, "code/", ".zip").map(Page::Code))
            .unwrap_or(Page::Unknown),
    })
}

/// What stands between `before` and `after`.
fn named(path: &str, before: &str, after: &str) -> Option<String> {
    Some(path.strip_prefix(before)?.strip_suffix(after)?.to_owned())
}

pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    page: Page,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let mut answer = show(gateway, page, request).await?;
    // A log is a tenant's text: no browser shall take it for a script of the web page's origin.
    set(&mut answer, "x-content-type-options", "nosniff");
    Ok(answer)
}

async fn show(
    gateway: &Arc<Gateway>,
    page: Page,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let (parts, body) = request.into_parts();
    match &page {
        Page::Health => return Ok(health()),
        Page::Code(digest_hex) => return control::download(gateway, digest_hex).await,
        _ => {}
    }
    let body = intake::read(body, MAX_BODY_BYTES)
        .await
        .map_err(|error| error.into_api(ErrorKind::RequestTooLarge, "operator"))?;
    gateway.parts.keys.verify(&parts, &body).await?;
    let query = parts.uri.query().unwrap_or_default();
    match (&parts.method, page) {
        (&Method::GET, Page::Metrics) => metrics(gateway).await,
        (&Method::GET, Page::Ui(part)) => ui::answer(gateway, &part, query),
        (&Method::GET, Page::Events) => match number(query, "after")? {
            Some(after) => {
                let events = gateway.parts.node.decisions(after);
                Ok(json_answer(StatusCode::OK, events.to_string()))
            }
            None => depth(gateway).await,
        },
        (&Method::GET, Page::Explain) => explain(gateway, query),
        (&Method::GET, Page::Dead) => dead(gateway, query).await,
        (&Method::POST, Page::Redrive) => redrive(gateway, &body).await,
        (&Method::POST, Page::Purge) => purge(gateway, &body).await,
        (&Method::GET, Page::Sandboxes) => Ok(json_answer(
            StatusCode::OK,
            gateway.parts.node.list().to_string(),
        )),
        (&Method::GET, Page::Sandbox(id)) => sandbox(gateway, &id),
        (&Method::GET, Page::Seeds) => Ok(json_answer(
            StatusCode::OK,
            gateway.parts.node.seeds().to_string(),
        )),
        (&Method::POST, Page::Drain) => {
            let drained = gateway.parts.node.drain();
            let body = json!({ "drained": drained });
            Ok(json_answer(StatusCode::OK, body.to_string()))
        }
        (&Method::GET, Page::Logs(function)) => logs(gateway, &function, query).await,
        _ => Err(ApiError::new(
            ErrorKind::UnknownOperation,
            "There is no such operator page",
        )),
    }
}

/// What an operator may ask about instances, sandboxes and seeds. The gateway passes on what it is told, and understands none of it.
pub trait NodePages: Send + Sync {
    /// All sandboxes and the pool's counters, as a JSON object.
    fn list(&self) -> Value;
    /// One sandbox, by its id.
    fn inspect(&self, id: &str) -> Option<Value>;
    /// Has all ghosts that wait made anew; how many there were.
    fn drain(&self) -> usize;
    /// The seeds of function versions, as a JSON object.
    fn seeds(&self) -> Value;
    /// What the porter has decided of late, after the decision of that number, as a JSON object.
    fn decisions(&self, after: u64) -> Value;
    /// Why the porter treats a function's version as it does, as a JSON object; none if no event of it came in this daemon's
    /// life. A version follows the name after a colon.
    fn explain(&self, function: &str) -> Option<Value>;
    /// Brings the metrics up to date.
    fn meter(&self);
    /// For the web page: the `most` functions that were started last, the latest first, and how many were in all.
    fn functions(&self, _most: usize) -> (Vec<view::Function>, usize) {
        (Vec::new(), 0)
    }
    /// Whether a function was ever started.
    fn is_started(&self, _function: &str) -> bool {
        false
    }
    /// The kept starts of a function, the latest first.
    fn starts(&self, _function: &str) -> Vec<view::Start> {
        Vec::new()
    }
    /// Instances and sandboxes that wait.
    fn pools(&self) -> view::Pools {
        view::Pools::default()
    }
    /// The seeds and their clones, with their memory. May block for milliseconds.
    fn seed_tree(&self) -> Vec<view::Seed> {
        Vec::new()
    }
    /// The `most` latest decisions of the porter, the latest first.
    fn latest_decisions(&self, _most: usize) -> Vec<view::Decision> {
        Vec::new()
    }
}

fn sandbox(gateway: &Gateway, id: &str) -> Result<Answer, ApiError> {
    match gateway.parts.node.inspect(id) {
        Some(found) => Ok(json_answer(StatusCode::OK, found.to_string())),
        None => Err(ApiError::new(
            ErrorKind::ResourceNotFound,
            format!("There is no sandbox {id}"),
        )),
    }
}

fn explain(gateway: &Gateway, query: &str) -> Result<Answer, ApiError> {
    let Some(function) = first(query, "function") else {
        return Err(ApiError::new(
            ErrorKind::Validation,
            "explain needs a function",
        ));
    };
    match gateway.parts.node.explain(&function) {
        Some(found) => Ok(json_answer(StatusCode::OK, found.to_string())),
        None => Err(ApiError::new(
            ErrorKind::ResourceNotFound,
            format!(
                "Nothing has been decided about {function}: it was not invoked since the daemon began"
            ),
        )),
    }
}

fn health() -> Answer {
    let body = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
    });
    json_answer(StatusCode::OK, body.to_string())
}

/// The metrics; the queue is counted now, since nobody else wants to know.
async fn metrics(gateway: &Gateway) -> Result<Answer, ApiError> {
    let depth = queue_depth(gateway).await?;
    let states = [
        ("waiting", depth.waiting),
        ("claimed", depth.claimed),
        ("dead", depth.dead),
    ];
    for (state, events) in states {
        gauge!("offshoot_queue_depth", "state" => state).set(events as f64);
    }
    gateway.parts.node.meter();
    let mut answer = whole(StatusCode::OK, gateway.parts.metrics.render());
    set(&mut answer, "content-type", "text/plain; version=0.0.4");
    Ok(answer)
}

async fn queue_depth(gateway: &Gateway) -> Result<QueueDepth, ApiError> {
    let depth = gateway.parts.queue.depth().await;
    depth.map_err(|error| rescue::internal("the queue cannot be read", &error))
}

async fn depth(gateway: &Gateway) -> Result<Answer, ApiError> {
    let depth = queue_depth(gateway).await?;
    let body = json!({ "waiting": depth.waiting, "claimed": depth.claimed, "dead": depth.dead });
    Ok(json_answer(StatusCode::OK, body.to_string()))
}

async fn dead(gateway: &Gateway, query: &str) -> Result<Answer, ApiError> {
    let function = first(query, "function");
    let limit = number(query, "limit")?.map_or(PAGE_LETTERS, |limit| limit.min(1000) as u32);
    let page = number(query, "page")?.map(|id| DeadId(id as i64));
    let page = gateway
        .parts
        .queue
        .dead_letters(function.as_deref(), limit, page)
        .await
        .map_err(|e| rescue::internal("the queue cannot be read", &e))?;
    let letters: Vec<Value> = page.letters.iter().map(letter).collect();
    let body = json!({ "letters": letters, "next": page.next.map(|id| id.0) });
    Ok(json_answer(StatusCode::OK, body.to_string()))
}

fn letter(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id.0,
        "requestId": letter.request_id,
        "function": letter.function,
        "version": letter.version,
        "invokedArn": letter.invoked_arn,
        "payloadBytes": letter.payload_bytes,
        "acceptedAtMs": letter.accepted_at_ms,
        "buriedAtMs": letter.buried_at_ms,
        "attempt": letter.attempt,
        "why": letter.why,
        "lastError": letter.last_error,
    })
}

/// Which dead letters a request is about.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Selection {
    ids: Vec<i64>,
    function: Option<String>,
    all: bool,
}

impl Selection {
    fn read(body: &Bytes) -> Result<Self, ApiError> {
        offshoot_lambda::request::parse_json(body)
    }
}

async fn redrive(gateway: &Gateway, body: &Bytes) -> Result<Answer, ApiError> {
    let selection = Selection::read(body)?;
    let failed = |e| rescue::internal("dead letters cannot be re-driven", &e);
    let queue = &gateway.parts.queue;
    let mut redriven = 0;
    if selection.ids.is_empty() && (selection.all || selection.function.is_some()) {
        loop {
            let page = queue
                .dead_letters(selection.function.as_deref(), PAGE_LETTERS, None)
                .await
                .map_err(failed)?;
            let ids: Vec<DeadId> = page.letters.iter().map(|letter| letter.id).collect();
            if ids.is_empty() {
                break;
            }
            redriven += queue.redrive(&ids, now_ms()).await.map_err(failed)?;
        }
    } else {
        let ids: Vec<DeadId> = selection.ids.into_iter().map(DeadId).collect();
        redriven = queue.redrive(&ids, now_ms()).await.map_err(failed)?;
    }
    Ok(json_answer(
        StatusCode::OK,
        json!({ "redriven": redriven }).to_string(),
    ))
}

async fn purge(gateway: &Gateway, body: &Bytes) -> Result<Answer, ApiError> {
    let selection = Selection::read(body)?;
    let purged = gateway
        .parts
        .queue
        .purge_dead(selection.function.as_deref(), now_ms() + 1)
        .await
        .map_err(|e| rescue::internal("dead letters cannot be purged", &e))?;
    Ok(json_answer(
        StatusCode::OK,
        json!({ "purged": purged }).to_string(),
    ))
}

async fn logs(gateway: &Arc<Gateway>, function: &str, query: &str) -> Result<Answer, ApiError> {
    // Only a name that the catalog knows becomes part of a path.
    gateway
        .parts
        .dispatch
        .find(function, None)
        .map_err(|error| rescue::catalog(&error))?;
    let limit_bytes = number(query, "bytes")?
        .unwrap_or(LOG_BYTES)
        .min(MAX_LOG_BYTES);
    let book = &gateway.parts.logs;
    let follower =
        (first(query, "follow").as_deref() == Some("true")).then(|| book.follow(function));
    let tail = book
        .tail(function, limit_bytes)
        .map_err(|e| rescue::internal("the log cannot be read", &e))?;
    let mut answer = match follower {
        None => whole(StatusCode::OK, tail),
        Some(follower) => {
            let (sender, parts) = mpsc::channel(16);
            tokio::spawn(follow(tail.into(), follower, sender));
            streamed(parts)
        }
    };
    set(&mut answer, "content-type", "text/plain; charset=utf-8");
    Ok(answer)
}

/// Sends the log so far and then what is added, until the client goes.
async fn follow(
    tail: Bytes,
    mut follower: broadcast::Receiver<Bytes>,
    sender: mpsc::Sender<Bytes>,
) {
    if !tail.is_empty() && sender.send(tail).await.is_err() {
        return;
    }
    loop {
        let lines = tokio::select! {
            () = sender.closed() => return,
            lines = follower.recv() => lines,
        };
        let lines = match lines {
            Ok(lines) => lines,
            Err(broadcast::error::RecvError::Lagged(missed)) => Bytes::from(format!(
                "-\t-\t[offshoot] {missed} appends were missed by this follower\n"
            )),
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if sender.send(lines).await.is_err() {
            return;
        }
    }
}

pub(crate) fn first(query: &str, name: &str) -> Option<String> {
    query_values(query, name).into_iter().next()
}

pub(crate) fn number(query: &str, name: &'static str) -> Result<Option<u64>, ApiError> {
    let parse = |text: String| {
        text.parse().map_err(|_| {
            ApiError::new(
                ErrorKind::Validation,
                format!("{name} must be a whole number, not {text:?}"),
            )
        })
    };
    first(query, name).map(parse).transpose()
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
