//! The parts of the daemon, and how they hold together.

use std::path::Path;
use std::sync::Arc;

use super::pages::Pages;
use anyhow::Context;
use offshoot_catalog::{Catalog, CatalogConfig};
use offshoot_dispatch::{AsyncRunner, Dispatch, DispatchParts, NetworkPolicies};
use offshoot_events::{Events, EventsConfig};
use offshoot_gateway::{AccessKey, Gateway, GatewayParts, Keys};
use offshoot_node::{
    Forge, ForgeConfig, LogBook, LogLimits, Node, NodeConfig, Roles, SecretRules, SeedConfig,
    install_runtimes,
};
use offshoot_package::{PackageStore, Worker};
use offshoot_porter::{Porter, PorterConfig, SeedPolicy};
use offshoot_sandbox::{Launcher, LauncherConfig, NetworkConfig, NetworkPolicy, SweepReport};
use offshoot_state::{Queue, StateDir};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metering;
use super::recall::Recall;
use crate::config::Config;
use crate::doctor::can_map;
use crate::hidden::{NURSERY, TEMPLATES, UNPACK};

/// A daemon that is about to serve.
pub(super) struct Daemon {
    state: StateDir,
    node: Arc<Node>,
    porter: Arc<Porter<Node>>,
    /// None if the next daemon need not know which templates were at hand.
    recall: Option<Recall>,
    events: Arc<Events<AsyncRunner>>,
    gateway: Arc<Gateway>,
    listener: TcpListener,
    base_url: String,
}

impl Daemon {
    pub(super) async fn start(config: &Config) -> anyhow::Result<Self> {
        // Before the parts look their metrics up.
        let metrics = metering::install()?;
        let dir = &config.server.state_dir;
        let state = StateDir::open(dir).await?;
        let owner = owner(dir);
        sweep(&owner);
        // Bound early: an address in use is found before anything else is made.
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.server.listen))?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let queue: Arc<dyn Queue> = Arc::new(state.queue());
        let reclaimed = queue.reclaim_all().await?;
        if reclaimed > 0 {
            tracing::info!(events = reclaimed, "events of a dead daemon will run again");
        }
        let catalog = Arc::new(catalog(config, &state).await?);
        let packages = PackageStore::open(&dir.join("code"), Worker::this_program(UNPACK))?;
        let packages = Arc::new(packages);
        let limits = LogLimits {
            segment_bytes: config.logs.segment_bytes,
        };
        let logs = Arc::new(LogBook::open(&dir.join("logs"), limits)?);
        let node = Arc::new(node(config, owner, &logs).await?);
        let porter = Porter::new(Arc::clone(&node), porter_config(config));
        let dispatch = Dispatch::new(DispatchParts {
            catalog: Arc::clone(&catalog),
            porter: Arc::clone(&porter),
            packages: Arc::clone(&packages),
            logs: Arc::clone(&logs),
            network: network_policies(config),
            region: config.lambda.region.as_str().into(),
            account_id: config.lambda.account_id.as_str().into(),
        });
        let known = Arc::clone(&dispatch);
        let runner = AsyncRunner::new(Arc::clone(&dispatch));
        let events = Events::new(Arc::clone(&queue), runner, events_config(config));
        let gateway = Gateway::new(GatewayParts {
            home: catalog.home().clone(),
            catalog,
            dispatch,
            events: Arc::clone(&events),
            queue,
            packages,
            blobs: state.blobs(),
            logs,
            keys: keys(config)?,
            allowed_hosts: config.server.allowed_hosts.clone(),
            base_url: base_url.clone(),
            node: Box::new(Pages {
                node: Arc::clone(&node),
                porter: Arc::clone(&porter),
            }),
            metrics,
        });
        gateway.collect_garbage().await;
        node.collect_seeds(&known.all_specs()).await;
        let wants_recall = config.seeds.recall && config.seeds.after_events > 0;
        let recall = wants_recall.then(|| Recall::new(dir, &porter));
        if let Some(recall) = &recall {
            recall.recall(&known);
        }
        Ok(Self {
            state,
            node,
            porter,
            recall,
            events,
            gateway,
            listener,
            base_url,
        })
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Waits until the node can make no sandbox any more.
    pub(super) fn node_ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.node.ended()
    }

    /// Serves until `stop`, then ends everything.
    pub(super) async fn run(self, config: &Config, stop: CancellationToken) -> anyhow::Result<()> {
        let Self {
            state,
            node,
            porter,
            recall,
            events,
            gateway,
            listener,
            ..
        } = self;
        let drain = config.server.drain_timeout;
        let background = Arc::clone(&porter);
        let driving = tokio::spawn(async move { background.drive().await });
        let dispatching = tokio::spawn(events.run(stop.clone()));
        let noting = async {
            match &recall {
                Some(recall) => recall.keep().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            served = offshoot_gateway::serve(listener, gateway, stop, drain) => served?,
            () = noting => {}
        }
        if let Some(recall) = &recall {
            recall.write();
        }
        if !porter.drain(drain).await {
            tracing::warn!("some invocations were still running at the end");
        }
        driving.abort();
        let _ = driving.await;
        let _ = tokio::time::timeout(drain, dispatching).await;
        node.shut_down().await;
        state.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// A short name of the state directory for everything that the daemon owns in the kernel: the next daemon on
/// the same directory finds it by that name.
fn owner(dir: &Path) -> String {
    let path = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    format!(
        "{:08x}",
        crc32fast::hash(path.as_os_str().as_encoded_bytes())
    )
}

fn sweep(owner: &str) {
    let report = offshoot_sandbox::sweep(owner);
    if report != SweepReport::default() {
        tracing::warn!(?report, "cleared what a dead daemon left");
    }
}

async fn catalog(config: &Config, state: &StateDir) -> anyhow::Result<Catalog> {
    let home = CatalogConfig {
        region: config.lambda.region.clone(),
        account_id: config.lambda.account_id.clone(),
    };
    Ok(Catalog::open(Arc::new(state.registry()), home).await?)
}

async fn node(config: &Config, owner: String, logs: &Arc<LogBook>) -> anyhow::Result<Node> {
    let runtimes_dir = config.server.state_dir.join("runtimes");
    install_runtimes(&runtimes_dir)?;
    let launcher = Launcher::start(LauncherConfig {
        nursery_arg: NURSERY.to_owned(),
        network: NetworkConfig {
            pool: config.network.address_pool.to_string(),
            name_servers: config.network.name_servers.clone(),
            ..NetworkConfig::default()
        },
        runtime_dir: Some(runtimes_dir),
        ghosts: config.limits.ghosts as usize,
        egress_ghosts: if network_policies(config).want_egress() {
            config.limits.ghosts as usize
        } else {
            0
        },
        ghost_hostname: offshoot_node::HOSTNAME.to_owned(),
        ..LauncherConfig::new(owner)
    });
    let launcher = launcher
        .await
        .context("cannot start the nursery; `offshoot doctor` tells what is missing")?;
    Ok(Node::new(NodeConfig {
        launcher,
        logs: Arc::clone(logs),
        seeds: seeds(config)?,
        memory_bytes: config.limits.memory_bytes,
        roles: Roles::new(config.credentials.roles.clone()),
        stay_awake: config.machine.stay_awake,
    }))
}

/// Who makes seeds, unless none are wanted.
fn seeds(config: &Config) -> anyhow::Result<Option<SeedConfig>> {
    if config.seeds.after_events == 0 {
        return Ok(None);
    }
    let dir = &config.server.state_dir;
    let forge = Forge::start(&ForgeConfig {
        pool_dir: dir.join("seeds"),
        key_file: dir.join("seeds.key"),
        program: std::env::current_exe().context("cannot tell which program this is")?,
        arguments: vec![TEMPLATES.to_owned()],
    });
    let forge =
        forge.context("cannot prepare for seeds; `offshoot doctor` tells what is missing")?;
    Ok(Some(SeedConfig {
        forge,
        resident: config.seeds.resident as usize,
        disk_bytes: u64::from(config.seeds.disk_mb) << 20,
        secrets: SecretRules::new(&config.seeds.secret_names, config.seeds.secrets),
        of_runtimes: config.seeds.runtime_seeds,
    }))
}

fn network_policies(config: &Config) -> NetworkPolicies {
    let default = if config.network.egress {
        NetworkPolicy::everywhere()
    } else {
        NetworkPolicy::None
    };
    NetworkPolicies {
        default,
        functions: config.network.functions.clone(),
    }
}

fn porter_config(config: &Config) -> PorterConfig {
    PorterConfig {
        account_concurrency: config.limits.account_concurrency,
        max_instances: config.limits.max_instances as usize,
        keep_alive: config.limits.keep_alive,
        cold_starts: config.limits.cold_starts as usize,
        seeds: SeedPolicy {
            after_events: config.seeds.after_events,
            idle_after: Some(config.seeds.idle_after),
            mapped: config.seeds.mapped && can_map(),
            parked: config.seeds.parked,
            rotate_clones: config.seeds.rotate_clones,
            rotate_after: config.seeds.rotate_after,
            ..SeedPolicy::default()
        },
        ..PorterConfig::default()
    }
}

fn events_config(config: &Config) -> EventsConfig {
    EventsConfig {
        parallel: config.events.parallel as usize,
        backoff: config.events.retry_backoff.clone(),
    }
}

fn keys(config: &Config) -> anyhow::Result<Keys> {
    let keys: Vec<AccessKey> = config
        .auth
        .access_keys
        .iter()
        .map(|key| AccessKey {
            id: key.id.clone(),
            secret: key.secret.clone(),
        })
        .collect();
    if keys.is_empty() {
        tracing::warn!("no access keys are configured: requests need no signature, loopback only");
    }
    Ok(Keys::new(&config.lambda.region, &keys)?)
}
