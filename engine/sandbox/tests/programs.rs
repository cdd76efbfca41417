//! Programs that use their runtime's whole breadth do inside what they do outside: the list of system calls is long
//! enough. Each prints what failed, and then its last word.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::{launcher, program, run};
use offshoot_sandbox::{Exit, Launcher};

/// Runs a program of `tests/programs`, or of another directory; gives what it printed.
async fn output_of(launcher: &Launcher, dir: &Path, argv: &[&str]) -> String {
    let mut spec = program("a", argv);
    spec.code.task = Some(dir.to_owned());
    spec.cwd = "/tmp".into();
    spec.env.push(("HOME".into(), "/tmp".into()));
    spec.memory_bytes = 1 << 30;
    spec.tmp_bytes = 64 << 20;
    let (exit, text) = run(launcher, spec).await;
    assert_eq!(exit, Exit::Exited(0), "{text}");
    text
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

#[tokio::test]
async fn python_does_what_it_does_outside() {
    let Some((_, launcher)) = launcher("python-all").await else {
        return;
    };
    let argv = ["/usr/bin/python3", "/var/task/library.py"];
    assert_eq!(output_of(&launcher, &programs(), &argv).await, "done\n");
    launcher.shutdown().await;
}

#[tokio::test]
async fn node_does_what_it_does_outside() {
    let Some((_, launcher)) = launcher("node-all").await else {
        return;
    };
    if !Path::new("/usr/bin/node").exists() {
        eprintln!("skipped: /usr/bin/node is missing");
        return;
    }
    let argv = ["/usr/bin/node", "/var/task/library.cjs"];
    assert_eq!(output_of(&launcher, &programs(), &argv).await, "done\n");
    launcher.shutdown().await;
}

#[tokio::test]
async fn shell_and_coreutils_do_what_they_do_outside() {
    let Some((_, launcher)) = launcher("shell-all").await else {
        return;
    };
    let argv = ["/bin/bash", "/var/task/coreutils.sh"];
    assert_eq!(output_of(&launcher, &programs(), &argv).await, "done\n");
    launcher.shutdown().await;
}
