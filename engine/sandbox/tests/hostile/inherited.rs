//! S2 and CVE-2024-21626: what the daemon has open, in its environment and on its command line stays with the daemon.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Command;

use offshoot_sandbox::{CreateError, Exit, Stage};

use crate::arena::{self, Attack};
use crate::common;
use crate::ground::Ground;
use crate::table;

/// Names the ground of the outer process to the daemon that it starts.
const PLANTED: &str = "HOSTILE_PLANTED";
const HERE: &str = "inherited::nothing_of_the_daemon_is_inherited";

/// Runs twice: the outer test starts this test's program again with the secret in the environment and on the command
/// line, and with descriptors that nobody marked to be closed; that inner one is the daemon.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_daemon_is_inherited() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: making sandboxes needs root");
        return;
    }
    if let Ok(secret) = std::env::var(PLANTED) {
        return be_the_daemon(&secret).await;
    }
    let ground = Ground::new();
    let secret = &ground.host_secret;
    let leaks = leak(&ground);
    let exe = std::env::current_exe().unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", "trap '' HUP USR1; exec \"$@\"", "sh"])
        .arg(exe)
        .args(["--exact", HERE, secret, "--nocapture"])
        .env(PLANTED, secret)
        .output()
        .unwrap();
    drop(leaks);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

/// A file and directories, open for whoever is started next.
fn leak(ground: &Ground) -> Vec<OwnedFd> {
    let paths = [
        ground.path("outside/secret"),
        ground.path("outside"),
        "/".into(),
    ];
    let files = paths.map(|path| OwnedFd::from(File::open(path).unwrap()));
    // `dup` does not carry the close-on-exec flag over.
    files
        .iter()
        .map(|file| rustix::io::dup(file).unwrap())
        .collect()
}

async fn be_the_daemon(secret: &str) {
    let (owner, launcher) = common::launcher("inherit").await.unwrap();
    let mut ground = Ground::new();
    // What the attacks look for is what was planted in this process.
    ground.host_secret = secret.to_owned();
    std::fs::write(ground.path("outside/secret"), secret).unwrap();
    for (number, attack) in table::inherited().iter().enumerate() {
        let control = attack.control.run(&ground, attack.program, &attack.name);
        assert!(
            arena::is_proven(attack, &ground, &control),
            "{}: {control}",
            attack.key()
        );
        let mut spec = arena::spec(
            &format!("a{number}"),
            &ground,
            attack.program,
            &[&attack.name],
        );
        spec.cwd = "/var/task".into();
        let (exit, text) = common::run(&launcher, spec).await;
        assert_eq!(arena::judge(attack, exit, &text, &ground), None);
    }
    working_directories(&launcher, &ground).await;
    launcher.shutdown().await;
    assert!(common::inventory(&owner).groups.is_empty());
}

/// A working directory that leads through a descriptor which the engine has open while it makes the sandbox.
async fn working_directories(launcher: &offshoot_sandbox::Launcher, ground: &Ground) {
    let attacks: Vec<Attack> = table::inherited()
        .into_iter()
        .filter(|attack| attack.name.ends_with("_directory"))
        .collect();
    let mut refused = 0;
    for number in 0..32 {
        for up in ["", "/..", "/../../../.."] {
            for (of, attack) in attacks
                .iter()
                .filter(|attack| !attack.name.starts_with("directory"))
                .enumerate()
            {
                let id = format!("w{number}-{}-{of}", up.len());
                let mut spec = arena::spec(&id, ground, attack.program, &[&attack.name]);
                spec.cwd = format!("/proc/self/fd/{number}{up}");
                let (mut output, fds) = common::output();
                match launcher.create(spec.clone(), fds).await {
                    Err(CreateError::Stage {
                        stage: Stage::Cwd, ..
                    }) => refused += 1,
                    Err(other) => panic!("{other:?}"),
                    Ok(sandbox) => {
                        let exit: Exit = sandbox.exited().await;
                        sandbox.destroy().await.unwrap();
                        let text = common::text(&mut output);
                        assert_eq!(
                            arena::judge(attack, exit, &text, ground),
                            None,
                            "{}",
                            spec.cwd
                        );
                    }
                }
            }
        }
    }
    // Descriptors that are not open, at least, are refused: the loop has not tried nothing.
    assert!(refused > 0);
}
