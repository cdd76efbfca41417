//! Sandboxes' way to the outside: a veth pair each, one nftables table and one policy each.
//!
//! A sandbox without egress has only its loopback interface and nothing here is touched. The first
//! one with egress switches the machine's IPv4 forwarding on (off again at shutdown if we switched
//! it) and loads the rules: see [`rules`].
//!
//! ```text
//! address() ── connect() ──> Link: nothing passes ── permit() ──> what the policy says passes
//!                              ^  └── disconnect()                   │
//!                              └──────────── withdraw() ─────────────┘
//! ```
//!
//! A permitted link has a name server of its own: see [`resolver`].

mod conntrack;
mod destination;
mod nft;
mod permits;
mod policy;
mod pool;
mod reserved;
mod resolver;
mod rules;
mod veth;
mod words;

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::error::NetworkError;
use crate::owner::tag;
use crate::slots::Slot;

use nft::Nft;
use permits::Permits;
use pool::Pool;
pub(crate) use veth::Netlink;

pub use destination::{Destination, DestinationError};
pub use policy::{EgressPolicy, MAX_DESTINATIONS, NetworkPolicy, PolicyError, RateLimit};

/// How sandboxes with egress are connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The addresses to give out, two for each sandbox, in the form `10.200.0.0/16`. The host must
    /// not use them otherwise.
    pub pool: String,
    /// The name servers that sandboxes' questions are passed on to; if empty, the host's.
    pub name_servers: Vec<IpAddr>,
    /// The `nft` program: a path, or a name looked up in the system's directories.
    pub nft: PathBuf,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            pool: "10.200.0.0/16".into(),
            name_servers: Vec::new(),
            nft: "nft".into(),
        }
    }
}

/// The links of one launcher.
#[derive(Debug)]
pub(crate) struct Network {
    pool: Pool,
    tag: String,
    nft: Nft,
    permits: Arc<Permits>,
    active: Mutex<Option<Active>>,
}

/// What exists once a sandbox with egress has been made.
#[derive(Debug)]
struct Active {
    netlink: Netlink,
    switched_forwarding_on: bool,
}

/// The addresses of a link that may not exist yet.
#[derive(Debug)]
pub(crate) struct LinkAddress {
    slot: Slot,
    host: Ipv4Addr,
    inside: Ipv4Addr,
}

impl LinkAddress {
    /// The content of the sandbox's `/etc/resolv.conf`.
    pub(crate) fn resolv_conf(&self) -> String {
        format!("nameserver {}\n", self.host)
    }
}

/// One sandbox's link.
#[derive(Debug)]
pub(crate) struct Link {
    name: String,
    address: LinkAddress,
    /// Held while its policy changes.
    changing: Arc<Mutex<()>>,
}

impl Link {
    pub(crate) fn inside_address(&self) -> Ipv4Addr {
        self.address.inside
    }

    /// The host's end, where the sandbox's name server is, too.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.address.host
    }

    /// A point-to-point link needs two addresses only (RFC 3021).
    pub(crate) fn prefix_bits(&self) -> u8 {
        31
    }
}

impl Network {
    pub(crate) fn new(config: &NetworkConfig, owner: &str) -> Result<Self, NetworkError> {
        let name_servers = if config.name_servers.is_empty() {
            host_name_servers()
        } else {
            config.name_servers.clone()
        };
        let (pool, tag, nft) = (
            Pool::parse(&config.pool)?,
            tag(owner),
            Nft::new(&config.nft),
        );
        let table = rules::table_name(&tag);
        let permits = Permits::new(nft.clone(), table, pool.network(), name_servers.into());
        Ok(Self {
            pool,
            tag,
            nft,
            permits: Arc::new(permits),
            active: Mutex::new(None),
        })
    }

    /// Addresses for a link; free again when they are dropped.
    pub(crate) fn address(&self) -> Result<LinkAddress, NetworkError> {
        let slot = self.pool.take()?;
        let (host, inside) = self.pool.pair(slot.number());
        Ok(LinkAddress { slot, host, inside })
    }

    /// Gives the sandbox whose init is `pid` a link; `pidfd` proves that the number is still its.
    /// Nothing passes it until it is permitted.
    pub(crate) async fn connect(
        &self,
        address: LinkAddress,
        pid: i32,
        pidfd: &OwnedFd,
    ) -> Result<Link, NetworkError> {
        let netlink = self.activate().await?;
        let namespace = veth::namespace_of(pid, pidfd)?;
        let name = link_name(&self.tag, address.slot.number());
        netlink.add(&name, namespace.as_fd(), address.host).await?;
        Ok(Link {
            name,
            address,
            changing: Arc::default(),
        })
    }

    /// Lets through what a policy allows, instead of what another allowed; the sandbox has a name
    /// server from now on. Some milliseconds; nothing if the link has that policy.
    pub(crate) async fn permit(
        &self,
        link: &Link,
        policy: &EgressPolicy,
    ) -> Result<(), NetworkError> {
        self.permits.permit(link, policy).await
    }

    /// Lets nothing through any more, and forgets what the sandbox has left on the host's side:
    /// its connections and its entry among the neighbours. Nothing if the link has no policy.
    pub(crate) async fn withdraw(&self, link: &Link) -> Result<(), NetworkError> {
        self.permits.withdraw(link).await?;
        let netlink = self.netlink().await;
        match netlink {
            Some(netlink) => {
                netlink
                    .forget_neighbour(&link.name, link.inside_address())
                    .await
            }
            None => Ok(()),
        }
    }

    /// Removes a link; its addresses are free afterwards, and stay taken if that fails.
    pub(crate) async fn disconnect(&self, link: Link) -> Result<(), NetworkError> {
        let withdrawn = self.withdraw(&link).await;
        let Link { name, address, .. } = link;
        let deleted = match self.netlink().await {
            Some(netlink) => netlink.delete(&name).await,
            None => Ok(()),
        };
        let result = withdrawn.and(deleted);
        if result.is_err() {
            address.slot.quarantine();
        }
        result
    }

    /// `None` before the first link and after the shutdown.
    async fn netlink(&self) -> Option<Netlink> {
        let active = self.active.lock().await;
        active.as_ref().map(|active| active.netlink.clone())
    }

    async fn activate(&self) -> Result<Netlink, NetworkError> {
        let mut active = self.active.lock().await;
        if let Some(active) = active.as_ref() {
            return Ok(active.netlink.clone());
        }
        let rules = rules::base(&self.tag, self.pool.network());
        let nft = self.nft.clone();
        let loaded = tokio::task::spawn_blocking(move || nft.run(&rules)).await;
        loaded.map_err(|error| NetworkError::Rules {
            message: error.to_string(),
        })??;
        let netlink = Netlink::open()?;
        let switched_forwarding_on = switch_forwarding_on()?;
        *active = Some(Active {
            netlink: netlink.clone(),
            switched_forwarding_on,
        });
        Ok(netlink)
    }

    /// Removes the rules and restores forwarding.
    pub(crate) async fn shutdown(&self) {
        let Some(active) = self.active.lock().await.take() else {
            return;
        };
        if active.switched_forwarding_on
            && let Err(error) = std::fs::write(FORWARDING, "0")
        {
            tracing::error!(%error, "cannot switch IPv4 forwarding off again");
        }
        let (nft, tag) = (self.nft.clone(), self.tag.clone());
        let removed = tokio::task::spawn_blocking(move || rules::remove_table(&nft, &tag)).await;
        if let Ok(Err(error)) = removed {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot remove the rules"
            );
        }
    }
}

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

/// Whether it was off before.
fn switch_forwarding_on() -> Result<bool, NetworkError> {
    let setting = |source| NetworkError::Setting {
        path: FORWARDING,
        source,
    };
    let was_on = std::fs::read_to_string(FORWARDING).map_err(setting)?.trim() == "1";
    if !was_on {
        tracing::info!("switching IPv4 forwarding on for sandboxes with egress");
        std::fs::write(FORWARDING, "1").map_err(setting)?;
    }
    Ok(!was_on)
}

/// Removes a table that a dead launcher left; whether there was one.
pub(crate) fn remove_table(nft: &Path, tag: &str) -> Result<bool, NetworkError> {
    rules::remove_table(&Nft::new(nft), tag)
}

/// The host's own name servers, which its programs ask: here the daemon does, not the sandbox.
fn host_name_servers() -> Vec<IpAddr> {
    name_servers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
}

fn name_servers(resolv_conf: &str) -> Vec<IpAddr> {
    let server = |line: &str| line.strip_prefix("nameserver")?.trim().parse().ok();
    resolv_conf.lines().filter_map(server).collect()
}

/// What the names of all of an owner's interfaces begin with.
pub(crate) fn link_prefix(tag: &str) -> String {
    format!("off{tag}-")
}

fn link_name(tag: &str, number: u32) -> String {
    format!("{}{number}", link_prefix(tag))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod names {
    use super::*;

    #[test]
    fn longest_link_name_fits_an_interface() {
        assert!(link_name(&tag("some-owner"), 65_535).len() < 16);
    }

    #[test]
    fn name_servers_of_the_host_are_read_in_their_order() {
        let text = "# comment\nnameserver 127.0.0.53\nnameserver 192.0.2.1\noptions edns0\nnameserver fe80::1%eth0\n";
        let expected: [IpAddr; 2] = [[127, 0, 0, 53].into(), [192, 0, 2, 1].into()];
        assert_eq!(name_servers(text), expected);
    }
}
