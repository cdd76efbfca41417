//! How long it takes to let a link reach what a policy allows, which is on the way of each start with egress, and to make a
//! sandbox with a link like new, which is not.
//!
//! It loads rules, so run it as root in a network namespace of its own:
//!
//! ```sh
//! cargo build --release -p offshoot-sandbox --example permit
//! unshare --net target/release/examples/permit
//! ```

use std::process::ExitCode;
use std::time::Instant;

use offshoot_sandbox::{
    Account, CodeDirs, EgressPolicy, Hand, Launcher, LauncherConfig, NetworkPolicy, SandboxSpec,
    sweep,
};

type Anything = Box<dyn std::error::Error + Send + Sync>;

const OWNER: &str = "permit";
const NURSERY: &str = "nursery";
const SANDBOXES: usize = 24;
const ROUNDS: usize = 4;

fn main() -> Result<ExitCode, Anything> {
    if std::env::args().nth(1).as_deref() == Some(NURSERY) {
        return Ok(offshoot_sandbox::nursery_main());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure())?;
    Ok(ExitCode::SUCCESS)
}

async fn measure() -> Result<(), Anything> {
    sweep(OWNER);
    let config = LauncherConfig {
        nursery_arg: NURSERY.into(),
        ..LauncherConfig::new(OWNER)
    };
    let launcher = Launcher::start(config).await?;
    let policy = EgressPolicy::parse(&["192.0.2.0/24", "example.com"], &[], None)?;
    let policy = NetworkPolicy::Egress(policy);
    let mut ghosts = Vec::new();
    for _ in 0..SANDBOXES {
        ghosts.push(launcher.ghost(true).await?);
    }
    let (mut permits, mut repurposes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut occupied = Vec::new();
        for ghost in ghosts.drain(..) {
            let taken = on_a_hand(|hand| launcher.take(hand, ghost, &spec()))??;
            let begun = Instant::now();
            launcher.permit(&taken, &policy).await?;
            permits.push(begun.elapsed().as_micros());
            occupied.push(taken.occupied());
        }
        for one in occupied {
            let begun = Instant::now();
            let ghost = launcher.repurpose(one.end()).await;
            ghosts.push(ghost.map_err(|reason| format!("given up: {reason:?}"))?);
            repurposes.push(begun.elapsed().as_micros());
        }
    }
    drop(ghosts);
    launcher.shutdown().await;
    print_row("permit", permits);
    print_row("repurpose", repurposes);
    Ok(())
}

/// On a thread for this once: one that has a hand must not start others.
fn on_a_hand<T: Send>(work: impl FnOnce(&Hand) -> T + Send) -> Result<T, Anything> {
    let done = std::thread::scope(|scope| {
        let thread = scope.spawn(|| Hand::of_this_thread().map(|hand| work(&hand)));
        thread.join()
    });
    Ok(done.map_err(|_| "the thread panicked")??)
}

fn spec() -> SandboxSpec {
    SandboxSpec {
        id: "permit".into(),
        account: Account::from("permit"),
        argv: vec!["/bin/true".into()],
        env: Vec::new(),
        cwd: "/".into(),
        hostname: "sandbox".into(),
        memory_bytes: 128 << 20,
        tmp_bytes: 512 << 20,
        code: CodeDirs::default(),
        network: NetworkPolicy::None,
        runtime_api: false,
    }
}

fn print_row(name: &str, mut values: Vec<u128>) {
    values.sort_unstable();
    let at = |percent: usize| values.get((values.len() * percent / 100).min(values.len() - 1));
    let [p50, p99] = [50, 99].map(|percent| at(percent).copied().unwrap_or(0));
    println!("{name}: p50 {p50} us, p99 {p99} us, n = {}", values.len());
}
