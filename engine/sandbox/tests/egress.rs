//! Sandboxes with a link to the outside.
#![allow(clippy::unwrap_used)]

mod common;

use common::{inventory, lines, links, python, start};
use offshoot_sandbox::{CreateError, Launcher, NetworkConfig, NetworkError, NetworkPolicy};

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: making sandboxes needs root");
    }
    root
}

fn forwarding() -> String {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap()
}

#[tokio::test]
async fn missing_nft_is_named_and_nothing_is_left() {
    if !is_root() {
        return;
    }
    let owner = format!("t{}-nonft", std::process::id());
    let mut config = common::config(&owner);
    config.network.nft = "/nonexistent/nft".into();
    let launcher = Launcher::start(config).await.unwrap();
    let mut spec = python("a", "pass");
    spec.network = NetworkPolicy::everywhere();
    let (_, fds) = common::output();
    let error = launcher.create(spec, fds).await.unwrap_err();
    let CreateError::Network {
        source: NetworkError::NftMissing,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    launcher.shutdown().await;
    assert!(inventory(&owner).groups.is_empty());
}

/// With `true` in place of `nft` there are no rules, so that the host itself can be reached: enough
/// to see that the link works, on a machine without nftables.
#[tokio::test]
async fn link_carries_traffic_and_disappears() {
    if !is_root() {
        return;
    }
    let owner = format!("t{}-link", std::process::id());
    let mut config = common::config(&owner);
    config.network = NetworkConfig {
        pool: "10.203.0.0/24".into(),
        name_servers: vec![std::net::IpAddr::from([192, 0, 2, 53])],
        nft: "/bin/true".into(),
    };
    let launcher = Launcher::start(config).await.unwrap();
    let forwarding_before = forwarding();
    let server = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let script = format!(
        "import socket\nprint(*sorted(name for _, name in socket.if_nameindex()))\n\
         c = socket.create_connection(('10.203.0.0', {port}), 5)\nprint(c.getsockname()[0])\n\
         print(open('/etc/resolv.conf').read().strip(), flush=True)\nc.recv(1)"
    );
    let mut spec = python("a", &script);
    spec.network = NetworkPolicy::everywhere();
    let mut running = start(&launcher, spec.clone()).await;
    let (connection, peer) = server.accept().await.unwrap();
    assert_eq!(peer.ip().to_string(), "10.203.0.1");
    assert!(links().len() == 1);
    drop(connection);
    running.sandbox.exited().await;
    assert_eq!(
        running.output(),
        "eth0 lo\n10.203.0.1\nnameserver 10.203.0.0\n"
    );
    running.sandbox.destroy().await.unwrap();
    // Without egress there is still no link and no name server.
    let script = "import os, socket; print(*[name for _, name in socket.if_nameindex()]); \
                  print(os.path.exists('/etc/resolv.conf'))";
    assert_eq!(lines(&launcher, python("b", script)).await, ["lo", "False"]);
    launcher.shutdown().await;
    assert_eq!(forwarding(), forwarding_before);
    assert!(links().is_empty());
}
