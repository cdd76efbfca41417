//! Sandboxes' way to the outside: a veth pair each, one nftables table for all.
//!
//! A sandbox without egress has only its loopback interface and nothing here is touched. The first
//! one with egress switches the machine's IPv4 forwarding on (off again at shutdown if we switched
//! it) and loads the rules: see [`rules`].

mod pool;
mod rules;
mod veth;

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use tokio::sync::Mutex;

use crate::error::NetworkError;
use crate::owner::tag;
use crate::slots::Slot;

use pool::Pool;
pub(crate) use rules::remove_table;
pub(crate) use veth::Netlink;

/// How sandboxes with egress are connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The addresses to give out, two for each sandbox, in the form `10.200.0.0/16`. The host must
    /// not use them otherwise.
    pub pool: String,
    /// The name servers written into sandboxes; if empty, the host's that are not on loopback.
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
    name_servers: Vec<IpAddr>,
    nft: PathBuf,
    active: Mutex<Option<Active>>,
}

/// What exists once a sandbox with egress has been made.
#[derive(Debug)]
struct Active {
    netlink: Netlink,
    switched_forwarding_on: bool,
}

/// One sandbox's link.
#[derive(Debug)]
pub(crate) struct Link {
    name: String,
    slot: Slot,
    host: Ipv4Addr,
    inside: Ipv4Addr,
}

impl Link {
    pub(crate) fn inside_address(&self) -> Ipv4Addr {
        self.inside
    }

    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.host
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
        Ok(Self {
            pool: Pool::parse(&config.pool)?,
            tag: tag(owner),
            name_servers,
            nft: config.nft.clone(),
            active: Mutex::new(None),
        })
    }

    /// The content of a sandbox's `/etc/resolv.conf`.
    pub(crate) fn resolv_conf(&self) -> String {
        let lines = self
            .name_servers
            .iter()
            .map(|server| format!("nameserver {server}\n"));
        lines.collect()
    }

    /// Gives the sandbox whose init is `pid` a link; `pidfd` proves that the number is still its.
    pub(crate) async fn connect(&self, pid: i32, pidfd: &OwnedFd) -> Result<Link, NetworkError> {
        let netlink = self.activate().await?;
        let namespace = veth::namespace_of(pid, pidfd)?;
        let slot = self.pool.take()?;
        let (host, inside) = self.pool.pair(slot.number());
        let name = link_name(&self.tag, slot.number());
        netlink.add(&name, namespace.as_fd(), host).await?;
        Ok(Link {
            name,
            slot,
            host,
            inside,
        })
    }

    /// Removes a link; its addresses are free afterwards, and stay taken if that fails.
    pub(crate) async fn disconnect(&self, link: Link) -> Result<(), NetworkError> {
        let Link { name, slot, .. } = link;
        let active = self.active.lock().await;
        let Some(active) = active.as_ref() else {
            return Ok(());
        };
        let netlink = active.netlink.clone();
        match netlink.delete(&name).await {
            Ok(()) => Ok(()),
            Err(error) => {
                slot.quarantine();
                Err(error)
            }
        }
    }

    async fn activate(&self) -> Result<Netlink, NetworkError> {
        let mut active = self.active.lock().await;
        if let Some(active) = active.as_ref() {
            return Ok(active.netlink.clone());
        }
        let (tag, pool) = (self.tag.clone(), self.pool.to_string());
        let nft = self.nft.clone();
        let loaded = tokio::task::spawn_blocking(move || rules::load(&nft, &tag, &pool)).await;
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
        let removed = tokio::task::spawn_blocking(move || remove_table(&nft, &tag)).await;
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

/// Name servers of the host that a sandbox can reach: one on loopback it cannot.
fn host_name_servers() -> Vec<IpAddr> {
    // The second one has the real servers where the first names systemd-resolved's own.
    let files = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
    let read = |file: &str| std::fs::read_to_string(Path::new(file)).unwrap_or_default();
    let servers = files.iter().map(|file| name_servers(&read(file)));
    servers
        .into_iter()
        .find(|servers| !servers.is_empty())
        .unwrap_or_default()
}

fn name_servers(resolv_conf: &str) -> Vec<IpAddr> {
    let server = |line: &str| line.strip_prefix("nameserver")?.trim().parse().ok();
    let usable = |server: &IpAddr| !server.is_loopback() && server.is_ipv4();
    resolv_conf
        .lines()
        .filter_map(server)
        .filter(usable)
        .collect()
}

/// What the names of all of an owner's interfaces begin with.
pub(crate) fn link_prefix(tag: &str) -> String {
    format!("off{tag}-")
}

fn link_name(tag: &str, number: u32) -> String {
    format!("{}{number}", link_prefix(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_link_name_fits_an_interface() {
        assert!(link_name(&tag("some-owner"), 65_535).len() < 16);
    }

    #[test]
    fn name_server_on_loopback_is_not_given_to_sandboxes() {
        let text = "# comment\nnameserver 127.0.0.53\nnameserver 192.0.2.1\noptions edns0\n";
        assert_eq!(name_servers(text), [IpAddr::from([192, 0, 2, 1])]);
    }
}
