//! A network of its own for a test: this host's namespace, and another machine behind it.
//!
//! ```text
//! sandbox 10.203.0.x ── links ── this namespace 192.0.2.1 ── out ── 192.0.2.2, .3, .53 another one
//! ```
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use offshoot_sandbox::{
    EgressPolicy, Launcher, NetworkConfig, NetworkPolicy, RateLimit, SandboxSpec,
};

use crate::common;

/// Says to the test's own copy that it is in a namespace of its own.
const INSIDE: &str = "OFFSHOOT_TEST_IN_NAMESPACE";

/// Runs `test` again in a network namespace of its own, and says whether this is that run.
pub fn in_own_network(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let tools = ["unshare", "nsenter", "ip", "nft"];
    let missing = tools
        .into_iter()
        .find(|tool| run("which", &[tool]).is_err());
    if !rustix::process::geteuid().is_root() || missing.is_some() {
        eprintln!("skipped: needs root and the programs {tools:?}");
        return false;
    }
    let me = std::env::current_exe().unwrap();
    let status = Command::new("unshare")
        .arg("--net")
        .arg(me)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed in its namespace");
    false
}

/// The other machine.
pub struct Outside {
    holder: Child,
    server: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Outside {
    pub fn start() -> Self {
        let holder = Command::new("unshare")
            .args(["--net", "sleep", "1000"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = holder.id().to_string();
        let comm = format!("/proc/{pid}/comm");
        while std::fs::read_to_string(&comm).unwrap().trim() != "sleep" {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let space = format!("/proc/{pid}/ns/net");
        for command in [
            "ip link set lo up",
            &format!("ip link add out type veth peer name eth0 netns {pid}"),
            "ip addr add 192.0.2.1/24 dev out",
            "ip link set out up",
            "ip route add 169.254.169.254 via 192.0.2.2 dev out",
            &format!("nsenter --net={space} ip addr add 192.0.2.2/24 dev eth0"),
            &format!("nsenter --net={space} ip addr add 192.0.2.3/24 dev eth0"),
            &format!("nsenter --net={space} ip addr add 192.0.2.53/24 dev eth0"),
            &format!("nsenter --net={space} ip addr add 169.254.169.254/32 dev eth0"),
            &format!("nsenter --net={space} ip link set lo up"),
            &format!("nsenter --net={space} ip link set eth0 up"),
            &format!("nsenter --net={space} ip route add default via 192.0.2.1"),
        ] {
            let words: Vec<&str> = command.split(' ').collect();
            run(words[0], &words[1..]).unwrap();
        }
        let mut server = Command::new("nsenter")
            .arg(format!("--net={space}"))
            .args(["/usr/bin/python3", "-I", "-c", include_str!("server.py")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().push(line);
            }
        });
        Self {
            holder,
            server,
            said,
        }
    }

    /// Whether its name server was asked for `name`.
    pub fn was_asked(&self, name: &str) -> bool {
        let said = self.said.lock().unwrap();
        said.contains(&format!("asked {name}"))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.holder] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A launcher whose sandboxes ask the other machine's name server; its rules are loaded by `nft`.
pub async fn launcher(owner: &str, nft: &str) -> Launcher {
    let mut config = common::config(owner);
    config.network = NetworkConfig {
        pool: "10.203.0.0/24".into(),
        name_servers: vec![[192, 0, 2, 53].into()],
        nft: nft.into(),
    };
    Launcher::start(config).await.unwrap()
}

pub fn owner(test: &str) -> String {
    format!("t{}-{test}", std::process::id())
}

pub fn policy(allow: &[&str], deny: &[&str]) -> NetworkPolicy {
    NetworkPolicy::Egress(EgressPolicy::parse(allow, deny, None).unwrap())
}

pub fn limited(rate: RateLimit) -> NetworkPolicy {
    NetworkPolicy::Egress(EgressPolicy::parse::<&str>(&[], &[], Some(rate)).unwrap())
}

pub fn python(id: &str, script: &str, network: NetworkPolicy) -> SandboxSpec {
    SandboxSpec {
        network,
        ..common::python(id, script)
    }
}

/// What a sandbox finds at each `HOST:PORT`, one word each: `open`, `closed` or `unknown` (the name).
pub async fn reach(launcher: &Launcher, network: NetworkPolicy, targets: &[&str]) -> Vec<String> {
    let script = format!("{CONNECT}\nfor target in {targets:?}: print(connect(target))");
    common::lines(launcher, python("reach", &script, network)).await
}

/// Defines `connect`.
pub const CONNECT: &str = r#"
import socket
def connect(target):
    host, port = target.split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1) as connection:
            return "open" if connection.recv(5) == b"hello" else "odd"
    except socket.gaierror:
        return "unknown"
    except OSError:
        return "closed"
"#;

/// The output of a program, or its complaint.
pub fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut output, mut complaint) = (String::new(), String::new());
    let read = child.stdout.take().unwrap().read_to_string(&mut output);
    read.unwrap();
    let read = child.stderr.take().unwrap().read_to_string(&mut complaint);
    read.unwrap();
    if child.wait().unwrap().success() {
        Ok(output)
    } else {
        Err(format!("{program} {arguments:?}: {complaint}"))
    }
}
