//! The Lambda Runtime API (and the Extensions and Telemetry APIs), one server per sandbox.
//!
//! 1. The sandbox's init opened the listening socket inside the sandbox's network namespace; only its own
//!    processes can connect.
//! 2. [`ApiEnd`] owns the server task; connections live in it and end with it.
//! 3. [`state::Shared`] is the state machine that the routes move (AWS Lambda Developer Guide, "Using the Lambda
//!    runtime API", and the AWS Runtime Interface Emulator's transitions): init, then again and again
//!    waiting, serving, answered.
//!
//! All bytes come from a tenant: bodies are cut at their limits, and each violation is answered with Lambda's
//! error and status.

mod answers;
mod extensions;
mod held;
mod routes;
mod state;

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use crate::message::{Message, TransportError};
use crate::{Event, InstanceSpec};
use held::HeldCall;
use offshoot_sandbox::ApiSockets;
use state::{Invocation, Shared};

pub(crate) use state::Role;

/// Most connections that a sandbox may have open: a runtime needs one or two, each extension two.
const MAX_CONNECTIONS: usize = 64;
/// Messages that may wait for the driver before a streaming runtime is slowed down.
const MESSAGE_BACKLOG: usize = 16;

/// The node's end of a Runtime API.
#[derive(Debug)]
pub(crate) struct ApiEnd {
    shared: Arc<Shared>,
    messages: mpsc::Receiver<Message>,
    server: AbortHandle,
    /// Of a clone: has the call answered in which it waits since it was its seed. Taken by its first event.
    go_on: Option<oneshot::Sender<()>>,
}

impl ApiEnd {
    /// Serves the Runtime API on `listener`.
    pub(crate) fn serve(
        listener: StdTcpListener,
        spec: &InstanceSpec,
        role: Role,
    ) -> io::Result<Self> {
        Self::start(listener, spec, role, None)
    }

    /// Serves it to a clone, which waits for the answer to `restore/next` on the other end that is returned.
    pub(crate) fn serve_clone(
        sockets: ApiSockets,
        spec: &InstanceSpec,
    ) -> io::Result<(Self, OwnedFd)> {
        let (held, go_on) = HeldCall::new(sockets.server)?;
        let mut end = Self::start(sockets.listener, spec, Role::Clone, Some(held))?;
        end.go_on = Some(go_on);
        Ok((end, sockets.client))
    }

    fn start(
        listener: StdTcpListener,
        spec: &InstanceSpec,
        role: Role,
        held: Option<HeldCall>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let (sender, messages) = mpsc::channel(MESSAGE_BACKLOG);
        let shared = Arc::new(Shared::new(spec, sender, role));
        let server = tokio::spawn(accept(listener, Arc::clone(&shared), held)).abort_handle();
        Ok(Self {
            shared,
            messages,
            server,
            go_on: None,
        })
    }

    /// Has a clone go on that waits since it was frozen; the first time, and nothing later.
    pub(crate) fn go_on(&mut self) {
        if let Some(go_on) = self.go_on.take() {
            // Nobody hears it only if the server has ended.
            let _ = go_on.send(());
        }
    }

    /// The other end of the connection over which the runtime has asked to be frozen, if it has.
    pub(crate) fn held(&self) -> Option<SocketAddr> {
        self.shared.held()
    }

    /// Gives the runtime an event, and tells extensions of it.
    pub(crate) fn send_invoke(&self, event: &Event, deadline_ms: u64) {
        let invocation = Invocation {
            event: event.clone(),
            deadline_ms,
        };
        self.shared.extensions.announce(&invocation);
        self.shared.offer(invocation);
    }

    /// Takes back an event that the runtime has not fetched; true if there was one.
    pub(crate) fn withdraw(&self) -> bool {
        self.shared.withdraw()
    }

    /// Waits until so many extensions have done their part of init.
    pub(crate) async fn extensions_initialised(&self, wanted: usize) {
        self.shared.extensions.initialised(wanted).await;
    }

    /// Tells only extensions of an event.
    pub(crate) fn announce(&self, event: &Event, deadline_ms: u64) {
        self.shared.extensions.announce(&Invocation {
            event: event.clone(),
            deadline_ms,
        });
    }

    pub(crate) async fn receive(&mut self) -> Result<Message, TransportError> {
        self.messages.recv().await.ok_or(TransportError::Closed)
    }

    /// Tells registered extensions to shut down; true if there is one to wait for.
    pub(crate) fn shut_down_extensions(&self, deadline_ms: u64) -> bool {
        self.shared.extensions.shut_down(deadline_ms)
    }
}

impl Drop for ApiEnd {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, held: Option<HeldCall>) {
    let mut connections = JoinSet::new();
    if let Some(held) = held {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            if let Some(stream) = held.answered().await {
                serve_connection(stream, shared).await;
            }
        });
    }
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let _ = stream.set_nodelay(true);
                if connections.len() < MAX_CONNECTIONS {
                    connections.spawn(serve_connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: tokio::net::TcpStream, shared: Arc<Shared>) {
    let Ok(peer) = stream.peer_addr() else {
        return;
    };
    let service = service_fn(move |request| routes::answer(Arc::clone(&shared), peer, request));
    // A runtime may hold `next` open for ever and pipeline nothing; no idle limit, as on Lambda.
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a Runtime API connection ended badly");
    }
}
