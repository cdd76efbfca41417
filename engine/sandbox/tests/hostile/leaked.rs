//! S2, the second lock: a path of the host's that a fault of ours has given a program opens nothing (`landlock(7)`).

use std::path::PathBuf;

use offshoot_sandbox::{LauncherConfig, PathRules};
use rustix::fs::{Mode, OFlags};

use crate::ground::Ground;
use crate::{arena, common};

/// The same program in the same sandbox, with the descriptor on purpose; the rules for paths are all that differs.
#[tokio::test(flavor = "multi_thread")]
async fn leaked_paths_of_the_host_open_nothing() {
    if PathRules::of_kernel().is_none() {
        eprintln!("skipped: this kernel has no Landlock, or too little of it");
        return;
    }
    for (name, landlock) in [("leaked", true), ("leaked-free", false)] {
        let with = |config| LauncherConfig { landlock, ..config };
        let Some((_, launcher)) = common::launcher_with(name, with).await else {
            return;
        };
        let ground = Ground::new();
        for (leaked, attack) in [
            ("outside", "directory_descriptor"),
            ("outside/secret", "listed_descriptor"),
        ] {
            let text = fight(&launcher, &ground, ground.path(leaked), attack).await;
            let success = format!("success {attack} {}\n", ground.host_secret);
            let refused = format!("refused {attack}: ");
            if landlock {
                assert!(text.starts_with(&refused), "{attack}: {text}");
                assert!(!text.contains(&ground.host_secret), "{attack}: {text}");
            } else {
                assert_eq!(text, success, "{attack}: the control does not work");
            }
        }
        launcher.shutdown().await;
    }
}

/// What the attack says that has been given this path as descriptor 3, open for nothing (`O_PATH`).
async fn fight(
    launcher: &offshoot_sandbox::Launcher,
    ground: &Ground,
    leaked: PathBuf,
    attack: &str,
) -> String {
    let (mut output, mut fds) = common::output();
    let opened = rustix::fs::open(leaked, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    fds.channel = Some(opened.unwrap());
    let spec = arena::spec("leaked", ground, "inherited.py", &[attack]);
    let sandbox = launcher.create(spec, fds).await.unwrap();
    sandbox.exited().await;
    sandbox.destroy().await.unwrap();
    common::text(&mut output)
}
