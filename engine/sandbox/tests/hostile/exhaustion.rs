//! S13: whoever takes all that it can get of a resource ends at its own limit, and everybody else goes on.

use std::process::Command;
use std::sync::Arc;

use offshoot_sandbox::{Exit, Launcher, SandboxFds};

use crate::arena::{self, Attack};
use crate::common;
use crate::ground::Ground;
use crate::table_kernel;

/// Each attack holds what it got while a second sandbox and the host do their work; then it is removed.
#[tokio::test(flavor = "multi_thread")]
async fn every_resource_ends_at_the_sandbox() {
    let Some((_, launcher)) = common::launcher("exhaust").await else {
        return;
    };
    let (launcher, ground) = (Arc::new(launcher), Arc::new(Ground::new()));
    let places = Arc::new(tokio::sync::Semaphore::new(2));
    let mut running = tokio::task::JoinSet::new();
    for attack in table_kernel::exhaustion() {
        let (launcher, ground, places) = (
            Arc::clone(&launcher),
            Arc::clone(&ground),
            Arc::clone(&places),
        );
        running.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            let problems = held(&launcher, &ground, &attack).await;
            let control = {
                let (ground, attack) = (Arc::clone(&ground), attack.clone());
                tokio::task::spawn_blocking(move || {
                    attack.control.run(&ground, attack.program, &attack.name)
                })
            };
            let control = control.await.unwrap();
            let unproven = (!arena::is_proven(&attack, &ground, &control))
                .then(|| format!("{}: {control}", attack.key()));
            problems.into_iter().chain(unproven).collect::<Vec<_>>()
        });
    }
    let mut problems = Vec::new();
    while let Some(ended) = running.join_next().await {
        problems.extend(ended.unwrap());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    Arc::try_unwrap(launcher).unwrap().shutdown().await;
}

/// What went wrong while the attack held what it got.
async fn held(launcher: &Launcher, ground: &Ground, attack: &Attack) -> Vec<String> {
    let mut spec = arena::spec(&attack.name, ground, attack.program, &[&attack.name]);
    spec.env.push(("HOSTILE_HOLD".into(), "1".into()));
    // Below what all places together may hold: the sum is what counts.
    let sized = ["tmp", "inodes_tmp"].contains(&attack.name.as_str());
    spec.tmp_bytes = if sized { 16 << 20 } else { 512 << 20 };
    let (mut output, fds) = common::output();
    let sandbox = launcher.create(spec, fds).await.unwrap();
    let text = common::wait_for(&mut output, "holding\n").await;
    let attack_text = text.replace("holding\n", "");
    let mut problems: Vec<String> = arena::judge(attack, Exit::Exited(0), &attack_text, ground)
        .into_iter()
        .collect();
    let victim = arena::spec(&format!("{}-victim", attack.name), ground, "victim.py", &[]);
    let (_, beside) = common::run(launcher, victim).await;
    let on_host = Command::new("/usr/bin/python3")
        .arg("-SEB")
        .arg(ground.path("code/victim.py"))
        .output()
        .unwrap();
    for (place, text) in [
        ("a second sandbox", beside),
        ("the host", String::from_utf8(on_host.stdout).unwrap()),
    ] {
        if text != "fine\n" {
            problems.push(format!("{} and {place}: {text}", attack.key()));
        }
    }
    sandbox.destroy().await.unwrap();
    problems
}

/// What a program writes goes where the caller said. A pipe that nobody reads takes no more than its size.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_output_ends_at_the_pipe() {
    let Some((_, launcher)) = common::launcher("flood").await else {
        return;
    };
    let script = "import os\nos.set_blocking(1, False)\nsent = 0\ntry:\n  while sent < 16 << 20: sent += os.write(1, b'x' * 4096)\n\
        except BlockingIOError: pass\nos.kill(os.getpid(), 9 if sent < 16 << 20 else 15)";
    // The pipe, and the control: a file takes it all.
    let (_reader, writer) = rustix::pipe::pipe().unwrap();
    let file = tempfile::tempfile().unwrap();
    for (id, output, expected) in [("pipe", writer, 9), ("file", file.into(), 15)] {
        let fds = SandboxFds {
            channel: None,
            output,
        };
        let sandbox = launcher
            .create(common::python(id, script), fds)
            .await
            .unwrap();
        assert_eq!(sandbox.exited().await, Exit::Signaled(expected), "{id}");
        sandbox.destroy().await.unwrap();
    }
    launcher.shutdown().await;
}
