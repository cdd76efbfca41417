//! Network policies, seen from inside sandboxes, with another machine outside. Each refusal has its
//! control: the same connection is made under a policy without that rule, or without rules at all.
#![allow(clippy::unwrap_used)]

mod common;
mod outside;

use offshoot_sandbox::{CreateError, NetworkError, NetworkPolicy, RateLimit, sweep};
use outside::{
    CONNECT, Outside, in_own_network, launcher, limited, owner, policy, python, reach, run,
};

#[tokio::test]
async fn allow_list_lets_only_its_networks_and_ports_through() {
    if !in_own_network("allow_list_lets_only_its_networks_and_ports_through") {
        return;
    }
    let _outside = Outside::start();
    let launcher = launcher(&owner("allow"), "nft").await;
    let targets = ["192.0.2.2:8000", "192.0.2.2:8001", "192.0.2.3:8000"];
    for (allow, expected) in [
        (vec!["192.0.2.2:8000/tcp"], ["open", "closed", "closed"]),
        (vec!["192.0.2.2:8000/udp"], ["closed", "closed", "closed"]),
        (vec!["192.0.2.2"], ["open", "open", "closed"]),
        (vec!["192.0.2.2/31:8000-8001"], ["open", "open", "open"]),
        (vec!["198.51.100.0/24"], ["closed", "closed", "closed"]),
        (vec![], ["open", "open", "open"]),
    ] {
        let found = reach(&launcher, policy(&allow, &[]), &targets).await;
        assert_eq!(found, expected, "{allow:?}");
    }
    launcher.shutdown().await;
}

#[tokio::test]
async fn deny_list_outranks_the_allow_list() {
    if !in_own_network("deny_list_outranks_the_allow_list") {
        return;
    }
    let _outside = Outside::start();
    let launcher = launcher(&owner("deny"), "nft").await;
    let targets = ["192.0.2.2:8000", "192.0.2.3:8000", "192.0.2.3:8001"];
    for (allow, deny, expected) in [
        (vec![], vec!["192.0.2.3:8000"], ["open", "closed", "open"]),
        (
            vec!["192.0.2.0/24"],
            vec!["192.0.2.3"],
            ["open", "closed", "closed"],
        ),
        (vec!["192.0.2.0/24"], vec![], ["open", "open", "open"]),
    ] {
        let found = reach(&launcher, policy(&allow, &deny), &targets).await;
        assert_eq!(found, expected, "{allow:?} {deny:?}");
    }
    launcher.shutdown().await;
}

#[tokio::test]
async fn allowed_name_is_resolved_and_its_addresses_are_let_through() {
    if !in_own_network("allowed_name_is_resolved_and_its_addresses_are_let_through") {
        return;
    }
    let outside = Outside::start();
    let launcher = launcher(&owner("names"), "nft").await;
    let named = || policy(&["allowed.test:8000", "alias.test:8001", "*.sub.test"], &[]);
    // Its address is closed until the name was asked for, and stays so on other ports.
    let targets = [
        "192.0.2.2:8000",
        "allowed.test:8000",
        "192.0.2.2:8000",
        "192.0.2.2:8001",
        "alias.test:8001",
        "192.0.2.2:8001",
        "192.0.2.3:8000",
        "other.test:8000",
        "planted.test:8000",
        "192.0.2.3:8000",
        "a.sub.test:8000",
    ];
    let expected = [
        "closed", "open", "open", "closed", "open", "open", "closed", "unknown", "unknown",
        "closed", "open",
    ];
    assert_eq!(reach(&launcher, named(), &targets).await, expected);
    assert!(outside.was_asked("allowed.test") && !outside.was_asked("other.test"));
    // What one sandbox has resolved does not open anything to the next one of the same policy.
    let next = reach(&launcher, named(), &["192.0.2.2:8000"]).await;
    assert_eq!(next, ["closed"]);
    let found = reach(&launcher, NetworkPolicy::everywhere(), &["other.test:8000"]).await;
    assert_eq!(found, ["open"]);
    assert!(outside.was_asked("other.test"));
    let found = reach(
        &launcher,
        policy(&[], &["other.test"]),
        &["other.test:8000"],
    )
    .await;
    assert_eq!(found, ["unknown"]);
    launcher.shutdown().await;
}

#[tokio::test]
async fn answer_that_points_at_the_host_or_its_neighbours_is_dropped() {
    if !in_own_network("answer_that_points_at_the_host_or_its_neighbours_is_dropped") {
        return;
    }
    let outside = Outside::start();
    let launcher = launcher(&owner("rebind"), "nft").await;
    let bad = [
        "loopback.test",
        "metadata.test",
        "host.test",
        "neighbour.test",
    ];
    let script = r#"
import socket
for name in ("allowed.test", "loopback.test", "metadata.test", "host.test", "neighbour.test"):
    try: print(socket.gethostbyname(name))
    except OSError: print("unknown")
"#;
    let found = common::lines(&launcher, python("a", script, NetworkPolicy::everywhere())).await;
    assert_eq!(
        found,
        ["192.0.2.2", "unknown", "unknown", "unknown", "unknown"]
    );
    // They were resolved, and only then refused.
    assert!(bad.iter().all(|name| outside.was_asked(name)));
    launcher.shutdown().await;
}

#[tokio::test]
async fn name_server_is_the_only_one_and_answers_by_connection_too() {
    if !in_own_network("name_server_is_the_only_one_and_answers_by_connection_too") {
        return;
    }
    let _outside = Outside::start();
    let launcher = launcher(&owner("pinned"), "nft").await;
    let script = r#"
import socket, struct
server = open("/etc/resolv.conf").read().split()[1]
def question(name):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
def by_connection(name):
    with socket.create_connection((server, 53), timeout=5) as connection:
        message = question(name)
        connection.sendall(struct.pack("!H", len(message)) + message)
        length = struct.unpack("!H", connection.recv(2))[0]
        return connection.recv(length)
def by_datagram(server, message):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(1)
    client.sendto(message, (server, 53))
    try: return client.recv(4096)
    except OSError: return b""
print(by_connection("allowed.test").endswith(socket.inet_aton("192.0.2.2")))
print(by_connection("other.test")[3] & 15)
# Garbage and what is too long are not answered, and do no harm.
print(by_datagram(server, b"\xff" * 30), by_datagram(server, question("allowed.test") + b"\0" * 2000))
print(by_datagram(server, question("allowed.test"))[3] & 15)
print(len(by_datagram("192.0.2.53", question("allowed.test"))) > 0)
"#;
    let names = policy(&["allowed.test"], &[]);
    let found = common::lines(&launcher, python("a", script, names)).await;
    assert_eq!(found, ["True", "5", "b'' b''", "0", "False"]);
    // The control of the last line: the other name server does answer who may reach it.
    let found = common::lines(&launcher, python("b", script, NetworkPolicy::everywhere())).await;
    assert_eq!(found.last().unwrap(), "True");
    launcher.shutdown().await;
}

#[tokio::test]
async fn rate_limit_drops_what_exceeds_it_in_both_directions() {
    if !in_own_network("rate_limit_drops_what_exceeds_it_in_both_directions") {
        return;
    }
    let _outside = Outside::start();
    let launcher = launcher(&owner("rate"), "nft").await;
    let script = r#"
import socket, time
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
client.settimeout(2)
client.connect(("192.0.2.2", 8002))
for _ in range(500): client.send(b"x" * 100)
def ask(word):
    client.send(word)
    return client.recv(100)
time.sleep(1)
print(int(ask(b"ask")))
client.send(b"flood")
count = 0
try:
    while client.recv(100): count += 1
except OSError: pass
print(count)
"#;
    let counts = async |id, network| {
        let lines = common::lines(&launcher, python(id, script, network)).await;
        lines
            .iter()
            .map(|line| line.parse().unwrap())
            .collect::<Vec<u32>>()
    };
    let everywhere = counts("a", NetworkPolicy::everywhere()).await;
    assert_eq!(everywhere, [500, 500]);
    let packets = counts(
        "b",
        limited(RateLimit {
            packets_per_second: Some(20),
            ..RateLimit::default()
        }),
    );
    for count in packets.await {
        assert!((1..500).contains(&count), "{count}");
    }
    // 256 KiB may always be sent at once, so that this one is about connections only.
    let connect =
        format!("{CONNECT}\nprint(sum(connect('192.0.2.2:8000') == 'open' for _ in range(12)))");
    let opened = async |id, network| common::lines(&launcher, python(id, &connect, network)).await;
    assert_eq!(opened("c", NetworkPolicy::everywhere()).await, ["12"]);
    let rate = RateLimit {
        connections_per_second: Some(1),
        ..RateLimit::default()
    };
    let few: u32 = opened("d", limited(rate)).await[0].parse().unwrap();
    assert!((1..12).contains(&few), "{few}");
    launcher.shutdown().await;
}

#[tokio::test]
async fn bits_of_a_rate_limit_are_those_of_the_packets() {
    if !in_own_network("bits_of_a_rate_limit_are_those_of_the_packets") {
        return;
    }
    let _outside = Outside::start();
    let launcher = launcher(&owner("bits"), "nft").await;
    // 1.4 MB in small packets, against a burst of 256 KiB and 8 KB a second.
    let script = r#"
import socket, time
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(2)
client.connect(("192.0.2.2", 8002))
for _ in range(1000): client.send(b"x" * 1372)
time.sleep(1)
client.send(b"ask")
print(client.recv(100).decode())
"#;
    let sent = async |id, network| common::lines(&launcher, python(id, script, network)).await;
    assert_eq!(sent("a", NetworkPolicy::everywhere()).await, ["1000"]);
    let rate = RateLimit {
        bits_per_second: Some(64_000),
        ..RateLimit::default()
    };
    let few: u32 = sent("b", limited(rate)).await[0].parse().unwrap();
    assert!((100..1000).contains(&few), "{few}");
    launcher.shutdown().await;
}

/// Tries the host, a neighbour and the metadata address; a neighbour that greets runs meanwhile.
async fn intrude(owner: &str, nft: &str) -> Vec<String> {
    let launcher = launcher(owner, nft).await;
    let host = std::net::TcpListener::bind("0.0.0.0:8000").unwrap();
    let greeter = std::thread::spawn(move || {
        use std::io::Write;
        host.set_nonblocking(true).unwrap();
        move || {
            while let Ok((mut connection, _)) = host.accept() {
                let _ = connection.write_all(b"hello");
            }
        }
    });
    let greet = greeter.join().unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let greeting = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            greet();
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    let server = "import socket\ns = socket.create_server(('0.0.0.0', 8000))\nprint('up', flush=True)\n\
                  while True:\n    c, _ = s.accept()\n    c.sendall(b'hello')\n    c.close()";
    let spec = python("neighbour", server, NetworkPolicy::everywhere());
    let mut neighbour = common::start(&launcher, spec).await;
    neighbour.first_output().await;
    let targets = [
        "192.0.2.2:8000",
        "10.203.0.1:8000",
        "10.203.0.0:8000",
        "192.0.2.1:8000",
        "169.254.169.254:8000",
        "127.0.0.1:8000",
    ];
    let script = format!(
        "{CONNECT}\ngateway = open('/etc/resolv.conf').read().split()[1]\n\
         for target in [*{targets:?}, gateway + ':8000']: print(connect(target))"
    );
    let spec = python("intruder", &script, NetworkPolicy::everywhere());
    let found = common::lines(&launcher, spec).await;
    neighbour.sandbox.destroy().await.unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    greeting.join().unwrap();
    launcher.shutdown().await;
    found
}

#[tokio::test]
async fn neither_host_nor_neighbour_nor_metadata_is_reached() {
    if !in_own_network("neither_host_nor_neighbour_nor_metadata_is_reached") {
        return;
    }
    let _outside = Outside::start();
    let found = intrude(&owner("intrude"), "nft").await;
    let closed = ["closed"; 6];
    assert_eq!(found[0], "open");
    assert_eq!(found[1..], closed);
    // Without the rules all of them are open, but for the sandbox's own loopback.
    let found = intrude(&owner("norules"), "/bin/true").await;
    assert_eq!(found[..5], ["open"; 5]);
    assert_eq!(found[5..], ["closed", "open"]);
}

#[tokio::test]
async fn destroyed_sandbox_leaves_no_rule_no_address_and_no_connection() {
    if !in_own_network("destroyed_sandbox_leaves_no_rule_no_address_and_no_connection") {
        return;
    }
    let _outside = Outside::start();
    let launcher = launcher(&owner("leave"), "nft").await;
    let connections = || {
        let table = std::fs::read_to_string("/proc/net/nf_conntrack").unwrap();
        table.matches("src=10.203.0.").count()
    };
    let ruleset = || run("nft", &["list", "ruleset"]).unwrap();
    let listening = || {
        // 10.203.0.0 and .2, port 53, as the kernel writes them.
        let udp = std::fs::read_to_string("/proc/net/udp").unwrap();
        udp.matches("00CB0A:0035").count()
    };
    let script = format!(
        "{CONNECT}\nimport time\nkept = socket.create_connection(('allowed.test', 8000))\n\
         print(connect('allowed.test:8000'), flush=True)\ntime.sleep(1000)"
    );
    let rate = RateLimit {
        packets_per_second: Some(1000),
        ..RateLimit::default()
    };
    let allow = ["allowed.test", "192.0.2.3"];
    let with = |rate| offshoot_sandbox::EgressPolicy::parse(&allow, &[], rate).unwrap();
    let before = {
        let everywhere = NetworkPolicy::everywhere();
        common::lines(&launcher, python("first", "print(1)", everywhere)).await;
        ruleset()
    };
    assert!(
        before.contains("chain outward") && !before.contains("policy_"),
        "{before}"
    );
    for policy in [with(None), with(Some(rate))] {
        let network = NetworkPolicy::Egress(policy);
        let mut sandboxes = Vec::new();
        for id in ["a", "b"] {
            let mut running = common::start(&launcher, python(id, &script, network.clone())).await;
            assert_eq!(running.first_output().await, "open\n");
            sandboxes.push(running.sandbox);
        }
        assert!(connections() >= 4);
        assert_eq!(listening(), 2);
        let during = ruleset();
        assert_eq!(
            during.matches(" . 192.0.2.2 timeout").count(),
            2,
            "{during}"
        );
        // The first one's end does not touch the second one, which may have the same chain.
        let second = sandboxes.pop().unwrap();
        sandboxes.pop().unwrap().destroy().await.unwrap();
        let between = ruleset();
        assert_eq!(
            between.matches(" . 192.0.2.2 timeout").count(),
            1,
            "{between}"
        );
        assert_eq!(listening(), 1);
        second.destroy().await.unwrap();
        assert_eq!(ruleset(), before);
        assert_eq!((connections(), listening()), (0, 0));
    }
    launcher.shutdown().await;
    assert!(!ruleset().contains("offshoot"));
}

#[tokio::test]
async fn policy_that_allows_the_host_or_a_neighbour_is_refused() {
    if !in_own_network("policy_that_allows_the_host_or_a_neighbour_is_refused") {
        return;
    }
    let _outside = Outside::start();
    let launcher = launcher(&owner("refuse"), "nft").await;
    for (id, allow) in ["192.0.2.1", "10.203.0.0/28", "10.203.0.7:80"]
        .into_iter()
        .enumerate()
    {
        let spec = python(&format!("a{id}"), "pass", policy(&[allow], &[]));
        let (_, fds) = common::output();
        let error = launcher.create(spec, fds).await.unwrap_err();
        let CreateError::Network {
            source: NetworkError::Forbidden { destination, .. },
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(destination, allow);
    }
    // A larger network may be allowed: what is forbidden in it stays so.
    let found = reach(
        &launcher,
        policy(&["192.0.2.0/24"], &[]),
        &["192.0.2.2:8000", "192.0.2.1:53"],
    )
    .await;
    assert_eq!(found, ["open", "closed"]);
    launcher.shutdown().await;
}

#[tokio::test]
async fn sweep_removes_the_table_of_a_dead_launcher() {
    if !in_own_network("sweep_removes_the_table_of_a_dead_launcher") {
        return;
    }
    let _outside = Outside::start();
    let owner = owner("sweep");
    let launcher = launcher(&owner, "nft").await;
    common::lines(
        &launcher,
        python("a", "print(1)", NetworkPolicy::everywhere()),
    )
    .await;
    // Without a shutdown, as if it were killed.
    drop(launcher);
    assert!(
        run("nft", &["list", "tables"])
            .unwrap()
            .contains("offshoot_")
    );
    assert!(sweep(&owner).table);
    assert!(
        !run("nft", &["list", "tables"])
            .unwrap()
            .contains("offshoot_")
    );
    assert!(!sweep(&owner).table);
}
