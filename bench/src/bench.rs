//! One run: the scenarios that are asked for, one after the other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use offshoot_testkit::{Daemon, DaemonOptions, HttpConnection, LambdaClient, request};
use tokio::runtime::Runtime;

use crate::Report;
use crate::args::{BenchArgs, Suite};
use crate::interrupt;
use crate::record::Recorder;
use crate::scenario;
use crate::workload::{self, Workload};

/// How long a deployed function may take until it is active.
pub(crate) const ACTIVE_LIMIT: Duration = Duration::from_secs(30);
/// How long one call may take; above every workload's timeout.
const CALL_LIMIT: Duration = Duration::from_secs(60);

type Scenario = fn(&Bench<'_>, &mut Recorder) -> anyhow::Result<()>;

const SCENARIOS: [(Suite, &str, Scenario); 14] = [
    (Suite::Hot, "hot", scenario::hot::run),
    (Suite::Throughput, "throughput", scenario::throughput::run),
    (Suite::Cold, "cold", scenario::cold::run),
    (Suite::Idle, "idle", scenario::idle::run),
    (Suite::Leak, "leak", scenario::leak::run),
    (Suite::Async, "async", scenario::kill::run),
    (Suite::Clone, "clone", scenario::clone::run),
    (Suite::Sandbox, "sandbox", scenario::sandbox::run),
    (Suite::E2e, "e2e", scenario::e2e::run),
    (Suite::Ladder, "ladder", scenario::ladder::run),
    (Suite::Density, "density", scenario::density::run),
    (Suite::Trace, "trace", scenario::trace::run),
    (Suite::Unique, "unique", scenario::unique::run),
    (Suite::Noise, "noise", scenario::noise::run),
];

/// What all scenarios share.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) args: &'a BenchArgs,
    bin: PathBuf,
}

/// Runs the scenarios; one that fails does not keep the others from running.
pub(crate) fn measure(args: &BenchArgs) -> anyhow::Result<Report> {
    let bin = match &args.bin {
        Some(bin) => bin.clone(),
        None => std::env::current_exe().context("cannot find the own program")?,
    };
    let bench = Bench { args, bin };
    let mut recorder = Recorder::open(args.json.as_deref())?;
    let mut failures = Vec::new();
    interrupt::note();
    for (suite, name, scenario) in SCENARIOS {
        let in_base = args.suite == Suite::Base && is_of_base(suite);
        if !in_base && args.suite != suite {
            continue;
        }
        if interrupt::is_interrupted() {
            break;
        }
        eprintln!("bench: {name} begins");
        if let Err(error) = alone(|| scenario(&bench, &mut recorder)) {
            eprintln!("bench: {name} failed: {error:#}");
            failures.push((name.to_owned(), format!("{error:#}")));
        }
    }
    Ok(Report {
        measurements: recorder.into_measurements(),
        failures,
    })
}

/// The others take as long as all of these, or need more than a command without arguments gives; one keeps the machine busy
/// on purpose.
fn is_of_base(suite: Suite) -> bool {
    matches!(
        suite,
        Suite::Hot | Suite::Throughput | Suite::Cold | Suite::Idle | Suite::Leak | Suite::Async
    )
}

/// Runs a scenario on a thread of its own: it has a runtime of its own, which must not be inside of another one,
/// and its panic is its own, too.
fn alone(scenario: impl FnOnce() -> anyhow::Result<()> + Send) -> anyhow::Result<()> {
    let ended = thread::scope(|scope| scope.spawn(scenario).join());
    ended.unwrap_or_else(|_| bail!("it panicked"))
}

impl Bench<'_> {
    /// The program to measure.
    pub(crate) fn program(&self) -> &Path {
        &self.bin
    }

    /// The workloads that are asked for.
    pub(crate) fn workloads(&self) -> anyhow::Result<Vec<Workload>> {
        workload::load(
            &self.args.workloads_dir,
            &self.args.workloads,
            self.args.quick,
        )
    }

    /// The smallest workload, for scenarios that need no other.
    pub(crate) fn echo(&self) -> anyhow::Result<Workload> {
        let mut found = workload::load(&self.args.workloads_dir, &["echo".to_owned()], false)?;
        found.pop().context("there is no workload echo")
    }

    /// Whether the program has a setting, such as `seeds.runtime_seeds`. One that cannot say has none.
    pub(crate) fn knows(&self, setting: &str) -> bool {
        let mut command = Command::new(&self.bin);
        command.args(["config", "show", "--json"]);
        let said = command.stdin(Stdio::null()).output();
        let rows = said
            .ok()
            .and_then(|said| serde_json::from_slice::<Vec<serde_json::Value>>(&said.stdout).ok());
        rows.is_some_and(|rows| rows.iter().any(|row| row["key"] == setting))
    }

    /// A fresh daemon.
    pub(crate) fn daemon(&self, env: &[(&str, &str)]) -> anyhow::Result<Running> {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        self.daemon_on(env, None)
    }

    /// A daemon on a state directory that is kept; on one of its own without any.
    pub(crate) fn daemon_on(
        &self,
        env: Vec<(String, String)>,
        state_dir: Option<PathBuf>,
    ) -> anyhow::Result<Running> {
        let options = DaemonOptions {
            bin: Some(self.bin.clone()),
            env,
            state_dir,
            ..DaemonOptions::default()
        };
        let daemon = Daemon::start(options)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Running { daemon, runtime })
    }
}

/// A daemon that runs, and the means to talk to it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) daemon: Daemon,
    runtime: Runtime,
}

impl Running {
    /// A client without connections yet.
    pub(crate) fn client(&self) -> LambdaClient {
        LambdaClient::new(self.daemon.base_url())
    }

    pub(crate) fn pid(&self) -> anyhow::Result<i32> {
        self.daemon.pid().context("the daemon has ended")
    }

    /// Runs a future to its end.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Waits, while connections that nobody needs any more are closed.
    pub(crate) fn pause(&self, time: Duration) {
        self.block_on(async { tokio::time::sleep(time).await });
    }

    /// Deploys a workload, invokes it once, and requires a right answer.
    pub(crate) fn deploy(&self, workload: &Workload) -> anyhow::Result<()> {
        interrupt::check()?;
        let zip = workload.zip()?;
        let client = self.client();
        let name = workload.name();
        let first = self.block_on(async {
            client.create_function(&workload.function, &zip).await?;
            client.wait(name, ACTIVE_LIMIT).await?;
            client.invoke(name, workload.event.clone()).await
        })?;
        ensure!(
            first.function_error().is_none(),
            "{name} failed: {}",
            String::from_utf8_lossy(&first.payload)
        );
        workload.check("offshoot", &first.payload)
    }

    /// Ends the instances of a function: a changed configuration makes them out of date.
    pub(crate) fn retire_instances(&self, workload: &Workload, round: u64) -> anyhow::Result<()> {
        let changes = serde_json::json!({ "Description": format!("round {round}") });
        let client = self.client();
        self.block_on(async {
            client
                .update_configuration(workload.name(), &changes)
                .await?;
            client.wait(workload.name(), ACTIVE_LIMIT).await
        })?;
        Ok(())
    }

    /// A page of the daemon's own, as JSON.
    pub(crate) fn page(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let mut connection = self.connect()?;
        let asked = request("GET", path, &[("connection", "close")], b"");
        let answer = connection.exchange(&asked)?;
        ensure!(answer.status == 200, "{path}: status {}", answer.status);
        serde_json::from_slice(answer.body).with_context(|| format!("{path} is no JSON"))
    }

    /// A connection for measurements.
    pub(crate) fn connect(&self) -> anyhow::Result<HttpConnection> {
        connect(self.daemon.address())
    }

    /// Ends the daemon in order.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.daemon.stop()?)
    }
}

fn connect(address: SocketAddr) -> anyhow::Result<HttpConnection> {
    Ok(HttpConnection::connect(address, CALL_LIMIT)?)
}

/// The bytes of a synchronous invocation.
pub(crate) fn invocation(workload: &Workload, headers: &[(&str, &str)]) -> Vec<u8> {
    invocation_of(workload.name(), headers, &workload.event)
}

/// The same of any function.
pub(crate) fn invocation_of(function: &str, headers: &[(&str, &str)], event: &[u8]) -> Vec<u8> {
    let path = format!("/2015-03-31/functions/{function}/invocations");
    request("POST", &path, headers, event)
}
