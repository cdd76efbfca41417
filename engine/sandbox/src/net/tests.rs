//! A link that keeps its sandbox and changes its policy, in a network namespace of its own.
#![allow(clippy::unwrap_used)]

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::*;

/// Says to the test's own copy that it is in a namespace of its own.
const INSIDE: &str = "OFFSHOOT_TEST_IN_NAMESPACE";

/// Runs `test` again in a network namespace of its own, and says whether this is that run.
fn in_own_network(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let present = |tool: &str| succeeds("which", tool);
    let tools = ["unshare", "nsenter", "ip", "nft"];
    if !rustix::process::geteuid().is_root() || !tools.into_iter().all(present) {
        eprintln!("skipped: needs root and the programs {tools:?}");
        return false;
    }
    let copy = Command::new("unshare")
        .arg("--net")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(copy.unwrap().success(), "{test} failed in its namespace");
    false
}

fn output(program: &str, arguments: &str) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments.split(' '))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
}

fn succeeds(program: &str, arguments: &str) -> bool {
    output(program, arguments).0
}

/// A process in a network namespace, in place of a sandbox; or the other machine outside.
struct Space(Child);

impl Space {
    fn start() -> Self {
        let mut command = Command::new("unshare");
        let child = command.args(["--net", "sleep", "1000"]).spawn().unwrap();
        let comm = format!("/proc/{}/comm", child.id());
        while std::fs::read_to_string(&comm).unwrap().trim() != "sleep" {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Self(child)
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn run(&self, command: &str) -> bool {
        let space = format!("--net=/proc/{}/ns/net {command}", self.pid());
        succeeds("nsenter", &space)
    }

    async fn connect(&self, network: &Network) -> Link {
        let pidfd = pidfd_open(Pid::from_raw(self.pid()).unwrap(), PidfdFlags::empty()).unwrap();
        let address = network.address().unwrap();
        let link = network.connect(address, self.pid(), &pidfd).await.unwrap();
        let (inside, gateway) = (link.inside_address(), link.gateway());
        assert!(self.run(&format!("ip addr add {inside}/31 dev eth0")));
        assert!(self.run("ip link set eth0 up"));
        assert!(self.run(&format!("ip route add default via {gateway}")));
        link
    }

    fn reaches_outside(&self) -> bool {
        // The kernel there answers that nobody listens, and only then the connection is refused. A
        // datagram leaves a connection that is remembered.
        let script = "import socket,sys\nsocket.socket(2,2).sendto(b'x',('192.0.2.2',9))\n\
                      s=socket.socket()\ns.settimeout(1)\n\
                      sys.exit(s.connect_ex(('192.0.2.2',9))!=111)";
        let status = Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", self.pid()))
            .args(["/usr/bin/python3", "-I", "-c", script])
            .status();
        status.unwrap().success()
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn outside() -> Space {
    let outside = Space::start();
    let pid = outside.pid();
    for command in [
        "link set lo up",
        &format!("link add out type veth peer name eth0 netns {pid}"),
        "addr add 192.0.2.1/24 dev out",
        "link set out up",
    ] {
        assert!(succeeds("ip", command), "{command}");
    }
    for command in ["ip addr add 192.0.2.2/24 dev eth0", "ip link set eth0 up"] {
        assert!(outside.run(command), "{command}");
    }
    outside
}

fn network() -> Network {
    let config = NetworkConfig {
        pool: "10.204.0.0/24".into(),
        name_servers: vec![[192, 0, 2, 53].into()],
        ..NetworkConfig::default()
    };
    Network::new(&config, "live").unwrap()
}

fn rules() -> String {
    output("nft", "list ruleset").1
}

#[tokio::test]
async fn link_passes_only_what_is_permitted_and_forgets_it_when_withdrawn() {
    if !in_own_network(
        "net::tests::link_passes_only_what_is_permitted_and_forgets_it_when_withdrawn",
    ) {
        return;
    }
    let _outside = outside();
    let network = network();
    let sandbox = Space::start();
    let link = sandbox.connect(&network).await;
    let bare = rules();
    assert!(!sandbox.reaches_outside());

    let everywhere = EgressPolicy::default();
    network.permit(&link, &everywhere).await.unwrap();
    assert!(sandbox.reaches_outside());
    let permitted = rules();
    network.permit(&link, &everywhere).await.unwrap();
    assert_eq!(rules(), permitted);

    // Another policy takes the place of the first.
    let elsewhere = EgressPolicy::parse(&["198.51.100.0/24"], &[], None).unwrap();
    network.permit(&link, &elsewhere).await.unwrap();
    assert!(!sandbox.reaches_outside());
    network.permit(&link, &everywhere).await.unwrap();
    assert!(sandbox.reaches_outside());

    let of_sandbox = || {
        let connections = std::fs::read_to_string("/proc/net/nf_conntrack").unwrap();
        let neighbours = output("ip", "neigh show").1;
        let inside = link.inside_address().to_string();
        let neighbours = neighbours.lines().filter(|line| line.starts_with(&inside));
        (
            connections.matches(&format!("src={inside} ")).count(),
            neighbours.count(),
        )
    };
    let (connections, neighbours) = of_sandbox();
    assert!(connections > 0 && neighbours > 0);
    network.withdraw(&link).await.unwrap();
    assert_eq!(rules(), bare);
    assert_eq!(of_sandbox(), (0, 0));
    assert!(!sandbox.reaches_outside());
    network.withdraw(&link).await.unwrap();
    network.disconnect(link).await.unwrap();
    network.shutdown().await;
    assert_eq!(rules(), "");
}

#[tokio::test]
async fn links_of_one_policy_share_a_chain_and_each_limited_one_has_its_own() {
    if !in_own_network(
        "net::tests::links_of_one_policy_share_a_chain_and_each_limited_one_has_its_own",
    ) {
        return;
    }
    let network = network();
    let sandboxes = [Space::start(), Space::start(), Space::start()];
    let mut links = Vec::new();
    for sandbox in &sandboxes {
        links.push(sandbox.connect(&network).await);
    }
    let chains = || rules().matches("chain policy_").count();
    let shared = EgressPolicy::parse(&["192.0.2.0/24"], &["192.0.2.9"], None).unwrap();
    let rate = RateLimit {
        packets_per_second: Some(100),
        ..RateLimit::default()
    };
    let limited = EgressPolicy {
        rate: Some(rate),
        ..shared.clone()
    };
    for (policy, expected) in [(&shared, [1, 1, 1]), (&limited, [1, 2, 3])] {
        let mut found = Vec::new();
        for link in &links {
            network.permit(link, policy).await.unwrap();
            found.push(chains());
        }
        assert_eq!(found, expected);
        // All at once: the last one, whichever it is, removes what they share.
        let (a, b, c) = tokio::join!(
            network.withdraw(&links[0]),
            network.withdraw(&links[1]),
            network.withdraw(&links[2]),
        );
        a.and(b).and(c).unwrap();
        assert_eq!(chains(), 0);
    }
    for link in links {
        network.disconnect(link).await.unwrap();
    }
    network.shutdown().await;
}
