//! How long a sandbox takes: made, `/bin/true` executed and ended, destroyed.
//!
//! The yardstick is a `/bin/true` outside any sandbox, in the same run. Needs root. `bench_create [CYCLES [CONCURRENCY]]`, normally 300 and 1; prints percentiles and
//! the median of each stage.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use offshoot_sandbox::{Exit, Launcher, LauncherConfig, SandboxFds, SandboxSpec, Stage};

type Anything = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments
        .get(1)
        .is_some_and(|argument| argument == "nursery")
    {
        return offshoot_sandbox::nursery_main();
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let number = |index: usize, otherwise: usize| {
        arguments
            .get(index)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let (cycles, concurrency) = (number(1, 300), number(2, 1));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = runtime
        .map_err(Anything::from)
        .and_then(|runtime| runtime.block_on(run(cycles, concurrency)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("{error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprint!(": {error}");
                source = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

/// One cycle's times in microseconds.
struct Cycle {
    created: u32,
    exited: u32,
    destroyed: u32,
    stages: Vec<(Stage, u32)>,
}

async fn run(cycles: usize, concurrency: usize) -> Result<(), Anything> {
    offshoot_sandbox::sweep("bench");
    let started = Instant::now();
    let launcher = Arc::new(Launcher::start(LauncherConfig::new("bench")).await?);
    println!("launcher started in {} us", micros(started));
    print_row(
        "yardstick",
        (0..100)
            .map(|_| plain_process())
            .collect::<Result<_, _>>()?,
    );
    for warm in 0..20 {
        cycle(&launcher, format!("warm-{warm}")).await?;
    }
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let workers: Vec<_> = (0..concurrency)
        .map(|_| tokio::spawn(work(Arc::clone(&launcher), Arc::clone(&next), cycles)))
        .collect();
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await??);
    }
    let elapsed = started.elapsed();
    println!(
        "{cycles} cycles, concurrency {concurrency}: {:.0} a second",
        done.len() as f64 / elapsed.as_secs_f64()
    );
    print_row("create", done.iter().map(|cycle| cycle.created).collect());
    print_row("exit", done.iter().map(|cycle| cycle.exited).collect());
    print_row(
        "destroy",
        done.iter().map(|cycle| cycle.destroyed).collect(),
    );
    let mut stages: HashMap<&str, Vec<u32>> = HashMap::new();
    let mut order = Vec::new();
    for (stage, us) in done.iter().flat_map(|cycle| &cycle.stages) {
        if !stages.contains_key(stage.name()) {
            order.push(stage.name());
        }
        stages.entry(stage.name()).or_default().push(*us);
    }
    for name in order {
        print_row(
            &format!("  {name}"),
            stages.remove(name).unwrap_or_default(),
        );
    }
    if let Ok(launcher) = Arc::try_unwrap(launcher) {
        launcher.shutdown().await;
    }
    Ok(())
}

async fn work(
    launcher: Arc<Launcher>,
    next: Arc<AtomicUsize>,
    cycles: usize,
) -> Result<Vec<Cycle>, Anything> {
    let mut done = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= cycles {
            return Ok(done);
        }
        done.push(cycle(&launcher, format!("cycle-{number}")).await?);
    }
}

async fn cycle(launcher: &Launcher, id: String) -> Result<Cycle, Anything> {
    let spec = SandboxSpec {
        id,
        argv: vec!["/bin/true".into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/".into(),
        hostname: "bench".into(),
        memory_bytes: 128 << 20,
        tmp_bytes: 512 << 20,
        task_dir: Some("/usr/share".into()),
        runtime_dir: None,
        layer_dirs: Vec::new(),
        network: offshoot_sandbox::NetworkPolicy::None,
        runtime_api: true,
    };
    let output = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    let fds = SandboxFds {
        channel: None,
        output: output.into(),
    };
    let started = Instant::now();
    let sandbox = launcher.create(spec, fds).await?;
    let created = micros(started);
    let exit = sandbox.exited().await;
    let exited = micros(started);
    if exit != Exit::Exited(0) {
        return Err(format!("{exit:?}").into());
    }
    let stages = sandbox.stages_us().to_vec();
    let destroying = Instant::now();
    sandbox.destroy().await?;
    Ok(Cycle {
        created,
        exited,
        destroyed: micros(destroying),
        stages,
    })
}

/// What `/bin/true` takes outside any sandbox.
fn plain_process() -> Result<u32, Anything> {
    let started = Instant::now();
    std::process::Command::new("/bin/true").status()?;
    Ok(micros(started))
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

fn print_row(name: &str, mut values: Vec<u32>) {
    values.sort_unstable();
    let at = |percent: usize| values.get((values.len() * percent / 100).min(values.len() - 1));
    let [p50, p90, p99] = [50, 90, 99].map(|percent| at(percent).copied().unwrap_or(0));
    println!("{name:16} p50 {p50:7} us  p90 {p90:7} us  p99 {p99:7} us");
}
