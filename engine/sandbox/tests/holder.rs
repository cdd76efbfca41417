//! The init of a ghost sandbox, seen from the host.
#![allow(clippy::unwrap_used)]

mod common;

/// The limit of processes that a process has, and the one up to which it may raise that.
fn process_limits(pid: &str) -> [String; 2] {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max processes"));
    let mut words = line.unwrap().split_ascii_whitespace().map(str::to_owned);
    [words.next().unwrap(), words.next().unwrap()]
}

/// Sandbox 743 of a machine could not be made: all inits are one user, whose limit of processes was a function's, and
/// the kernel looks at it when a program is executed.
#[tokio::test]
async fn number_of_sandboxes_is_not_limited_by_a_functions_limit_of_processes() {
    let Some((_, launcher)) = common::launcher("holder").await else {
        return;
    };
    let ghost = launcher.ghost(false).await.unwrap();
    let (init, [_, most]) = (
        process_limits(&ghost.pid().to_string()),
        process_limits("self"),
    );
    assert_eq!(
        init,
        [most.clone(), most],
        "as many as the launcher may have"
    );
    drop(ghost);
    launcher.shutdown().await;
}
