//! The name server of one link: pinned, because a sandbox reaches no other.
//!
//! 1. It listens at the link's host-side address, port 53, UDP and TCP, and hears its sandbox only.
//! 2. A name that the policy does not allow is refused, without asking anyone ([`answer`]).
//! 3. Otherwise one of the configured name servers is asked, from a fresh port ([`upstream`]).
//! 4. Of its answer only what belongs to the question is kept, and no address that is reserved, a
//!    sandbox's or this host's own.
//! 5. Where the policy allows by name, the addresses are let through for their time to live
//!    ([`Gate`]), and then the sandbox is told.
//!
//! Bounds: [`MAX_IN_FLIGHT`] questions and [`MAX_CONNECTIONS`] connections at a time, questions of
//! [`MAX_QUESTION_BYTES`].

mod answer;
mod gate;
mod serve;
mod upstream;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

use super::policy::EgressPolicy;
use crate::error::NetworkError;

pub(super) use gate::Gate;

/// Questions of one sandbox that are worked on at the same time; more are dropped.
const MAX_IN_FLIGHT: usize = 32;
/// Connections of one sandbox; more are closed.
const MAX_CONNECTIONS: usize = 4;
/// The longest question; one with a name of 255 bytes and options has half of it.
const MAX_QUESTION_BYTES: usize = 1232;

/// What a link's name server knows.
#[derive(Debug)]
struct Desk {
    policy: EgressPolicy,
    servers: Arc<[IpAddr]>,
    gate: Arc<Gate>,
    sandbox: Ipv4Addr,
    pool: super::destination::Ipv4Network,
}

/// A link's name server, until it is stopped or dropped.
#[derive(Debug)]
pub(super) struct Resolver {
    task: Option<JoinHandle<()>>,
    pub(super) gate: Arc<Gate>,
}

/// What a name server is started with.
pub(super) struct Setting {
    pub(super) host: Ipv4Addr,
    pub(super) sandbox: Ipv4Addr,
    pub(super) pool: super::destination::Ipv4Network,
    pub(super) servers: Arc<[IpAddr]>,
}

impl Resolver {
    pub(super) async fn start(
        setting: Setting,
        policy: EgressPolicy,
        gate: Gate,
    ) -> Result<Self, NetworkError> {
        let address = (setting.host, 53);
        let failed = |source| NetworkError::Resolver {
            address: setting.host,
            source,
        };
        let udp = UdpSocket::bind(address).await.map_err(failed)?;
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let gate = Arc::new(gate);
        let desk = Arc::new(Desk {
            policy,
            servers: setting.servers,
            gate: Arc::clone(&gate),
            sandbox: setting.sandbox,
            pool: setting.pool,
        });
        let task = Some(tokio::spawn(serve::run(desk, udp, tcp)));
        Ok(Self { task, gate })
    }

    /// Ends it; its sockets are closed afterwards.
    pub(super) async fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
