//! What the rules for paths cost a start: two launchers, one of them without, make sandboxes in turns.
//!
//! As root:
//!
//! ```sh
//! cargo build --release -p offshoot-sandbox --example landlock
//! target/release/examples/landlock
//! ```

use std::process::ExitCode;

use offshoot_sandbox::{
    Account, CodeDirs, Launcher, LauncherConfig, NetworkPolicy, SandboxFds, SandboxSpec, Stage,
    sweep,
};

type Anything = Box<dyn std::error::Error + Send + Sync>;

const NURSERY: &str = "nursery";
const STARTS: usize = 600;

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
    let mut sides = [Side::start(true).await?, Side::start(false).await?];
    for _ in 0..STARTS {
        for side in &mut sides {
            side.sample().await?;
        }
        // None always meets what the other one leaves to be cleared away.
        sides.reverse();
    }
    for side in sides {
        side.end().await;
    }
    Ok(())
}

struct Side {
    name: &'static str,
    launcher: Launcher,
    totals_us: Vec<u32>,
    rules_us: Vec<u32>,
}

impl Side {
    async fn start(landlock: bool) -> Result<Self, Anything> {
        let name = if landlock { "with" } else { "without" };
        let owner = format!("landlock-{name}");
        sweep(&owner);
        let config = LauncherConfig {
            nursery_arg: NURSERY.into(),
            ghosts: 2,
            landlock,
            ..LauncherConfig::new(owner)
        };
        Ok(Self {
            name,
            launcher: Launcher::start(config).await?,
            totals_us: Vec::new(),
            rules_us: Vec::new(),
        })
    }

    async fn sample(&mut self) -> Result<(), Anything> {
        while self.launcher.pool_stats().ghosts == 0 {
            tokio::task::yield_now().await;
        }
        let fds = SandboxFds {
            channel: None,
            output: std::fs::File::create("/dev/null")?.into(),
        };
        let sandbox = self.launcher.create(spec(), fds).await?;
        self.totals_us.push(sandbox.total_us());
        let stages = sandbox.stages_us().iter();
        let rules = stages.filter(|(stage, _)| *stage == Stage::Landlock);
        self.rules_us.extend(rules.map(|(_, took_us)| *took_us));
        sandbox.exited().await;
        sandbox.destroy().await?;
        Ok(())
    }

    async fn end(self) {
        self.launcher.shutdown().await;
        print_row(self.name, "take and start", self.totals_us);
        print_row(self.name, "of which rules", self.rules_us);
    }
}

fn spec() -> SandboxSpec {
    SandboxSpec {
        id: "landlock".into(),
        account: Account::from("landlock"),
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

fn print_row(side: &str, what: &str, mut values: Vec<u32>) {
    values.sort_unstable();
    let at = |percent: usize| values.get(values.len() * percent / 100);
    if let (Some(p50), Some(p99)) = (at(50), at(99)) {
        println!(
            "{side}: {what}: p50 {p50} us, p99 {p99} us, n = {}",
            values.len()
        );
    }
}
