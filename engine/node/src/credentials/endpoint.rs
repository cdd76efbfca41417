//! The endpoint itself: one path, one method, one token.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::PATH;
use super::source::Source;

/// Most connections that a sandbox may have open: a client needs one, for a moment.
const MAX_CONNECTIONS: usize = 8;
/// How long a client may take to say what it wants.
const HEADERS: Duration = Duration::from_secs(5);

/// The daemon's end. Dropping it ends the task that answers, its listener and its connections.
#[derive(Debug)]
pub(crate) struct Endpoint {
    server: AbortHandle,
}

/// What the answers depend on.
struct Shared {
    source: Arc<Source>,
    /// A digest of the token: comparing digests takes the same time whatever was sent. None if nobody needs one.
    token: Option<blake3::Hash>,
}

impl Endpoint {
    pub(super) fn serve(
        listener: StdTcpListener,
        source: Arc<Source>,
        token: Option<&str>,
    ) -> io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        let token = token.map(|token| blake3::hash(token.as_bytes()));
        let shared = Arc::new(Shared { source, token });
        let server = tokio::spawn(accept(listener, shared)).abort_handle();
        Ok(Self { server })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                if connections.len() < MAX_CONNECTIONS {
                    connections.spawn(serve_connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, std::convert::Infallible>(shared.answer(&request)) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        // A client asks once an hour: its connection need not wait for that.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for credentials ended badly");
    }
}

impl Shared {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if request.uri().path() != PATH {
            return refused(
                StatusCode::NOT_FOUND,
                "NotFound",
                "there are credentials only",
            );
        }
        if request.method() != Method::GET {
            return refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "use GET",
            );
        }
        if let Some(token) = self.token {
            let given = request.headers().get(header::AUTHORIZATION);
            match given.map(|given| blake3::hash(given.as_bytes())) {
                None => {
                    let problem = "the token of AWS_CONTAINER_AUTHORIZATION_TOKEN is missing";
                    return refused(StatusCode::UNAUTHORIZED, "MissingToken", problem);
                }
                Some(given) if given != token => {
                    return refused(
                        StatusCode::FORBIDDEN,
                        "InvalidToken",
                        "the token is not this one's",
                    );
                }
                Some(_) => {}
            }
        }
        match self.source.read(Utc::now()) {
            Ok(answer) => json(StatusCode::OK, &answer),
            Err(error) => {
                tracing::warn!(%error, source = ?std::error::Error::source(&error), "no credentials for a role");
                let problem = error.to_string();
                refused(StatusCode::INTERNAL_SERVER_ERROR, "NoCredentials", &problem)
            }
        }
    }
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    json(
        status,
        &serde_json::json!({ "code": code, "message": message }),
    )
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::StaticKeys;
    use super::*;

    fn status(shared: &Shared, method: Method, path: &str, token: Option<&str>) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let answer = shared.answer(&request.body(()).unwrap());
        answer.status().as_u16()
    }

    #[test]
    fn only_the_instances_own_token_opens() {
        let keys = StaticKeys {
            access_key_id: "A".to_owned(),
            secret_access_key: "S".to_owned(),
            session_token: None,
        };
        let shared = Shared {
            source: Arc::new(Source::Keys(keys)),
            token: Some(blake3::hash(b"mine")),
        };
        assert_eq!(status(&shared, Method::GET, PATH, Some("mine")), 200);
        assert_eq!(status(&shared, Method::GET, PATH, Some("another's")), 403);
        assert_eq!(status(&shared, Method::GET, PATH, None), 401);
        assert_eq!(status(&shared, Method::POST, PATH, Some("mine")), 405);
        assert_eq!(status(&shared, Method::GET, "/", Some("mine")), 404);
        let seeds = Shared {
            source: Arc::new(Source::Nothing),
            token: None,
        };
        assert_eq!(status(&seeds, Method::GET, PATH, None), 200);
    }

    #[test]
    fn source_without_credentials_is_an_error_that_says_so() {
        let shared = Shared {
            source: Arc::new(Source::File("/nonexistent".into())),
            token: None,
        };
        assert_eq!(status(&shared, Method::GET, PATH, None), 500);
    }
}
