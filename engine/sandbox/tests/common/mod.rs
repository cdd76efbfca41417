//! What the tests with real sandboxes share: a launcher of their own, and programs run to their end.
#![allow(clippy::unwrap_used, dead_code)]

use std::fs::File;
use std::io::{Read, Seek};
use std::time::Duration;

use offshoot_sandbox::{
    Account, CodeDirs, Exit, Launcher, LauncherConfig, NetworkPolicy, Sandbox, SandboxFds,
    SandboxSpec,
};

/// A launcher with an owner that no other test has; `None`, and says so, without root.
pub async fn launcher(test: &str) -> Option<(String, Launcher)> {
    launcher_with(test, |config| config).await
}

/// The same, set up otherwise.
pub async fn launcher_with(
    test: &str,
    change: impl FnOnce(LauncherConfig) -> LauncherConfig,
) -> Option<(String, Launcher)> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: making sandboxes needs root");
        return None;
    }
    let owner = format!("t{}-{test}", std::process::id());
    let launcher = Launcher::start(change(config(&owner))).await.unwrap();
    Some((owner, launcher))
}

/// A launcher that keeps this many ghosts, when they are there.
pub async fn pool(test: &str, ghosts: usize) -> Option<(String, Launcher)> {
    let with_ghosts = |config: LauncherConfig| LauncherConfig {
        ghosts,
        ghost_hostname: "test-box".into(),
        ghost_tmp_bytes: 16 << 20,
        ..config
    };
    // What could not be repurposed says why.
    let _ = tracing_subscriber::fmt().with_test_writer().try_init();
    let (owner, launcher) = launcher_with(test, with_ghosts).await?;
    wait_until(|| launcher.pool_stats().ghosts == ghosts).await;
    Some((owner, launcher))
}

pub fn config(owner: &str) -> LauncherConfig {
    LauncherConfig {
        nursery_exe: env!("CARGO_BIN_EXE_sandbox-nursery").into(),
        ..LauncherConfig::new(owner)
    }
}

/// A sandbox that runs a shell script.
pub fn shell(id: &str, script: &str) -> SandboxSpec {
    program(id, &["/bin/sh", "-c", script])
}

/// A sandbox that runs a Python script.
pub fn python(id: &str, script: &str) -> SandboxSpec {
    program(id, &["/usr/bin/python3", "-I", "-S", "-c", script])
}

pub fn program(id: &str, argv: &[&str]) -> SandboxSpec {
    SandboxSpec {
        id: id.into(),
        account: Account::from("test"),
        argv: argv.iter().map(ToString::to_string).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/".into(),
        hostname: "test-box".into(),
        memory_bytes: 256 << 20,
        tmp_bytes: 16 << 20,
        code: CodeDirs::default(),
        network: NetworkPolicy::None,
        runtime_api: false,
    }
}

/// A sandbox under way, and the file that its output goes to.
pub struct Running {
    pub sandbox: Sandbox,
    output: File,
}

pub async fn start(launcher: &Launcher, spec: SandboxSpec) -> Running {
    let (output, fds) = output();
    let sandbox = launcher.create(spec, fds).await.unwrap();
    Running { sandbox, output }
}

/// A file for a program's output, and the descriptors to start it with.
pub fn output() -> (File, SandboxFds) {
    let output = tempfile::tempfile().unwrap();
    let fds = SandboxFds {
        channel: None,
        output: output.try_clone().unwrap().into(),
    };
    (output, fds)
}

/// All that was written to an output file.
pub fn text(output: &mut File) -> String {
    let mut text = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut text).unwrap();
    text
}

/// Waits until an output file holds this text.
pub async fn wait_for(output: &mut File, expected: &str) -> String {
    for _ in 0..6000 {
        let text = text(output);
        if text.contains(expected) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{expected:?} was not written: {}", text(output));
}

impl Running {
    pub fn output(&mut self) -> String {
        text(&mut self.output)
    }

    /// Waits until the program has written something that ends in a line feed.
    pub async fn first_output(&mut self) -> String {
        for _ in 0..1000 {
            let text = self.output();
            if text.ends_with('\n') {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the program has written nothing");
    }
}

/// Runs a program to its end and removes the sandbox; returns its output.
pub async fn run(launcher: &Launcher, spec: SandboxSpec) -> (Exit, String) {
    let mut running = start(launcher, spec).await;
    let exit = tokio::time::timeout(Duration::from_secs(60), running.sandbox.exited())
        .await
        .unwrap();
    let text = running.output();
    running.sandbox.destroy().await.unwrap();
    (exit, text)
}

/// Runs a program to its end and recycles its sandbox.
pub async fn recycled(launcher: &Launcher, spec: SandboxSpec) -> (Exit, String) {
    let mut running = start(launcher, spec).await;
    let exit = running.sandbox.exited().await;
    let text = running.output();
    running.sandbox.recycle().await;
    (exit, text)
}

/// Runs a script that must succeed; returns its output.
pub async fn lines(launcher: &Launcher, spec: SandboxSpec) -> Vec<String> {
    let (exit, text) = run(launcher, spec).await;
    assert_eq!(exit, Exit::Exited(0), "{text}");
    text.lines().map(str::to_owned).collect()
}

/// What of an owner is on the host: groups and processes in them; and this process's
/// descriptors and the mounts it sees.
#[derive(Debug, PartialEq, Eq)]
pub struct Inventory {
    pub groups: Vec<String>,
    pub processes: Vec<String>,
    pub descriptors: usize,
    pub mounts: usize,
}

pub fn inventory(owner: &str) -> Inventory {
    let mut groups = Vec::new();
    let mut processes = Vec::new();
    for base in ["", "unified", "memory", "cpu", "pids", "cpu,cpuacct"] {
        let owned = std::path::Path::new("/sys/fs/cgroup")
            .join(base)
            .join("offshoot")
            .join(owner);
        for entry in std::fs::read_dir(owned).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                groups.push(entry.path().display().to_string());
                let procs = std::fs::read_to_string(entry.path().join("cgroup.procs"));
                processes.extend(procs.unwrap_or_default().lines().map(str::to_owned));
            }
        }
    }
    Inventory {
        groups,
        processes,
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        mounts: std::fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .lines()
            .count(),
    }
}

/// The links of sandboxes on the host; one test at a time makes any.
pub fn links() -> Vec<String> {
    let names = std::fs::read_dir("/sys/class/net").unwrap().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with("off") && !name.starts_with("offtest"))
        .collect()
}

pub async fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the condition did not become true within 5 s");
}
