//! Makes one instance of a Python or Node function and hands it events; prints how long each stage took.
//!
//! `cargo run --release --example activations -- python3.11 app.handler /path/to/package [EVENTS]`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use offshoot_node::{
    Answer, Event, Fri, InstanceSpec, LogBook, LogFormat, LogLimits, Node, NodeConfig, Reply,
    Runtime, install_runtimes,
};
use offshoot_sandbox::{Launcher, LauncherConfig};

const NURSERY: &str = "nursery";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == NURSERY) {
        return Ok(offshoot_sandbox::nursery_main());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [runtime, handler, task_dir, rest @ ..] = arguments else {
        anyhow::bail!("usage: activations RUNTIME HANDLER PACKAGE [EVENTS]");
    };
    let events: usize = rest.first().map_or(Ok(1000), |count| count.parse())?;
    let dir = tempfile::tempdir()?;
    install_runtimes(&dir.path().join("runtimes"))?;
    offshoot_sandbox::sweep("example");
    let launcher = LauncherConfig {
        nursery_arg: NURSERY.to_owned(),
        runtime_dir: Some(dir.path().join("runtimes")),
        ..LauncherConfig::new("example")
    };
    let node = Node::new(NodeConfig {
        launcher: Launcher::start(launcher).await?,
        logs: Arc::new(LogBook::open(
            &dir.path().join("logs"),
            LogLimits::default(),
        )?),
        seeds: None,
        memory_bytes: None,
        roles: offshoot_node::Roles::default(),
        stay_awake: true,
    });
    let spec = Arc::new(spec(runtime, handler, task_dir)?);
    let mut instance = node.create(spec).await?;
    let mut took = Vec::with_capacity(events);
    for number in 0..events {
        let begun = Instant::now();
        let activated = node.activate(instance, event(number), Reply::Whole).await;
        took.push(begun.elapsed());
        let outcome = activated.outcome;
        if number == 0 {
            println!("first: {}", outcome.stages);
        }
        if let Answer::Failure(failure) = &outcome.answer {
            println!("{}", String::from_utf8_lossy(&failure.body));
        }
        instance = activated.instance.context("the instance ended")?;
    }
    took.sort();
    println!(
        "{events} events: p50 {:?}, p99 {:?}",
        took[events / 2],
        took[events * 99 / 100]
    );
    node.retire(instance).await;
    node.shut_down().await;
    Ok(())
}

fn spec(runtime: &str, handler: &str, task_dir: &str) -> anyhow::Result<InstanceSpec> {
    Ok(InstanceSpec {
        function: "example".into(),
        version: "$LATEST".into(),
        runtime: Runtime::from_name(runtime).context("the runtime is unknown")?,
        handler: handler.to_owned(),
        env: Default::default(),
        memory_mb: 512,
        ephemeral_mb: 512,
        timeout: Duration::from_secs(10),
        concurrency: 1,
        task_dir: PathBuf::from(task_dir).canonicalize()?,
        layer_dirs: Vec::new(),
        network: offshoot_node::NetworkPolicy::None,
        region: "us-east-1".into(),
        account_id: "000000000000".into(),
        role: "arn:aws:iam::000000000000:role/example".into(),
        log_format: LogFormat::Text,
        snap_start: false,
    })
}

fn event(number: usize) -> Event {
    Event {
        request_id: format!("request-{number}").into(),
        payload: format!("{{\"number\":{number}}}").into(),
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:example".into(),
        trace_id: None,
        client_context: None,
        cognito_identity: None,
        tenant_id: None,
        wants_tail: false,
        queued: Duration::ZERO,
    }
}
