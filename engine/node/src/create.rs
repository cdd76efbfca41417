//! Making an instance the ordinary way, in a process that begins with it: the bottom rung of the ladder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use offshoot_sandbox::{Account, CodeDirs, Exit, Sandbox, SandboxFds, SandboxSpec};

use crate::alarm::Alarm;
use crate::capture::OutputPipe;
use crate::credentials::{Grant, Purpose};
use crate::failure::INIT_REQUEST;
use crate::instance::{Birth, Instance};
use crate::logs::Scribe;
use crate::message::{Message, TransportError};
use crate::runtime_api::{ApiEnd, Role};
use crate::secrets::ClonesOwn;
use crate::transport::{ChannelEnd, Transport};
use crate::{CreateFailure, Failure, InstanceSpec, Node, NodeError, Rung, environment};

/// What a sandbox calls itself.
pub const HOSTNAME: &str = "offshoot";
/// Lambda's limit of the init phase; a function that may run longer than this may also initialise longer.
const MIN_INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long messages that a dead runtime has sent may still be on their way.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(50);

/// An instance whose user code is initialised; one that becomes a seed is ready, too, when it asks to be frozen.
pub(crate) async fn create(
    node: &Node,
    spec: Arc<InstanceSpec>,
    purpose: Purpose,
) -> Result<Instance, CreateFailure> {
    let begun = Instant::now();
    let mut instance = start(node, spec, sandbox_spec, purpose).await?;
    let sandbox = begun.elapsed();
    match await_ready(&mut instance).await {
        Ok(birth) => {
            instance.birth = Some(Birth {
                rung: Rung::Cold,
                sandbox,
                ..birth
            });
            Ok(instance)
        }
        Err(failure) => {
            node.end(instance);
            Err(CreateFailure::Function(failure))
        }
    }
}

/// What a sandbox for a version is, by its id and the name of its log stream.
pub(crate) type Furnish = fn(&InstanceSpec, String, &str) -> Result<SandboxSpec, NodeError>;

/// The sandbox and its process, about to initialise.
pub(crate) async fn start(
    node: &Node,
    spec: Arc<InstanceSpec>,
    furnish: Furnish,
    purpose: Purpose,
) -> Result<Instance, NodeError> {
    let pipe_failed = |what| {
        let function = spec.function.to_string();
        move |source| NodeError::Pipe {
            what,
            function,
            source,
        }
    };
    let id = node.next_id();
    let stream = format!("{id}-{}", spec.version.trim_start_matches('$'));
    let (output, output_end) = OutputPipe::new().map_err(pipe_failed("log pipe"))?;
    let channel = if environment::speaks_channel(spec.runtime) {
        Some(ChannelEnd::pair().map_err(pipe_failed("channel"))?)
    } else {
        None
    };
    let (channel, channel_end) = channel.unzip();
    let grant = node.roles().grant(&spec, purpose);
    let grant = grant.map_err(pipe_failed("token for credentials"))?;
    let mut sandbox_spec = furnish(&spec, id, &stream)?;
    sandbox_spec
        .env
        .extend(grant.iter().flat_map(Grant::variables));
    let fds = SandboxFds {
        channel: channel_end,
        output: output_end,
    };
    let launcher = node.launcher().ok_or(NodeError::ShutDown)?;
    let no_sandbox = |source| NodeError::Sandbox {
        function: spec.function.to_string(),
        source,
    };
    let begun = Instant::now();
    let taken = launcher.taken(&sandbox_spec).await.map_err(no_sandbox)?;
    let credentials = match &grant {
        Some(grant) => Some(grant.serve(&launcher, &taken, &spec).await?),
        None => None,
    };
    let sandbox = launcher.start_in(taken, sandbox_spec, fds, begun).await;
    let mut sandbox = sandbox.map_err(no_sandbox)?;
    let role = Role::of(purpose);
    let transport = transport(&mut sandbox, channel, &spec, role);
    let transport = transport.map_err(pipe_failed("Runtime API"))?;
    let scribe = Scribe::new(Arc::clone(node.logs()), &spec, stream);
    Ok(Instance {
        spec,
        sandbox,
        transport,
        output,
        scribe,
        alarm: Alarm::default(),
        birth: None,
        wake: None,
        origin: None,
        watched: None,
        own: ClonesOwn::default(),
        credentials,
    })
}

/// The channel if the runtime speaks it; extensions then have a Runtime API of their own.
fn transport(
    sandbox: &mut Sandbox,
    channel: Option<ChannelEnd>,
    spec: &InstanceSpec,
    role: Role,
) -> std::io::Result<Transport> {
    let api = sandbox
        .take_runtime_api()
        .map(|listener| ApiEnd::serve(listener, spec, role))
        .transpose()?;
    match (channel, api) {
        (Some(channel), None) => Ok(Transport::Channel(channel)),
        (Some(channel), Some(api)) => Ok(Transport::Both(channel, api)),
        (None, Some(api)) => Ok(Transport::Api(api)),
        (None, None) => Err(std::io::ErrorKind::NotConnected.into()),
    }
}

pub(crate) fn sandbox_spec(
    spec: &InstanceSpec,
    id: String,
    stream: &str,
) -> Result<SandboxSpec, NodeError> {
    let speaks_channel = environment::speaks_channel(spec.runtime);
    Ok(SandboxSpec {
        id,
        account: Account::from(&*spec.account_id),
        argv: environment::command(spec)?,
        env: environment::variables(spec, stream),
        cwd: "/var/task".to_owned(),
        hostname: HOSTNAME.to_owned(),
        memory_bytes: u64::from(spec.memory_mb) << 20,
        tmp_bytes: u64::from(spec.ephemeral_mb) << 20,
        code: CodeDirs {
            task: Some(spec.task_dir.clone()),
            layers: spec.layer_dirs.clone(),
        },
        network: spec.network.clone(),
        runtime_api: !speaks_channel || environment::has_extensions(spec),
    })
}

/// Waits until user code is initialised; how long its stages took.
pub(crate) async fn await_ready(instance: &mut Instance) -> Result<Birth, Failure> {
    let begun = Instant::now();
    let limit = instance.spec.timeout.max(MIN_INIT_TIMEOUT);
    let mut booted = begun;
    let init = async {
        hear_init(instance, &mut booted).await?;
        await_extensions(instance).await
    };
    let ready = tokio::time::timeout(limit, init).await;
    let birth = |booted: Instant| Birth {
        runtime_init: booted - begun,
        user_init: booted.elapsed(),
        ..Birth::default()
    };
    match ready {
        Ok(Ok(())) => Ok(birth(booted)),
        Ok(Err(failure)) => Err(noted(instance, begun.elapsed(), "error", failure)),
        Err(_elapsed) => {
            instance.sandbox.kill();
            let failure = Failure::timed_out(INIT_REQUEST, instance.spec.timeout.as_secs_f64());
            Err(noted(instance, begun.elapsed(), "timeout", failure))
        }
    }
}

/// Logs the failed init as Lambda does.
fn noted(instance: &mut Instance, took: Duration, status: &str, failure: Failure) -> Failure {
    let mut printed = Vec::new();
    instance.output.drain(&mut printed, 64 << 10);
    instance.scribe.printed(&mut printed);
    let ms = took.as_secs_f64() * 1e3;
    instance.scribe.note(&format!(
        "INIT_REPORT Init Duration: {ms:.2} ms\tPhase: init\tStatus: {status}\tError Type: {}",
        failure.error_type
    ));
    failure
}

/// Waits until each extension has asked for its first event: only then init is over, and the first event reaches all
/// of them (AWS Lambda Developer Guide, "Using the Lambda Extensions API").
async fn await_extensions(instance: &mut Instance) -> Result<(), Failure> {
    let wanted = environment::count_extensions(&instance.spec);
    if wanted == 0 {
        return Ok(());
    }
    let Instance {
        transport,
        output,
        sandbox,
        scribe,
        ..
    } = instance;
    let initialised = transport.extensions_initialised(wanted);
    tokio::pin!(initialised);
    let mut printed = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = &mut initialised => return Ok(()),
            () = output.read(&mut printed) => output.rest(scribe.printed(&mut printed)),
            exit = sandbox.exited() => {
                return Err(Failure::exited(INIT_REQUEST, exit, sandbox.oom_kills() > 0));
            }
        }
    }
}

async fn hear_init(instance: &mut Instance, booted: &mut Instant) -> Result<(), Failure> {
    let mut printed = Vec::new();
    loop {
        let Instance {
            transport,
            output,
            sandbox,
            scribe,
            ..
        } = instance;
        let message = tokio::select! {
            biased;
            message = transport.receive() => message,
            () = output.read(&mut printed) => {
                output.rest(scribe.printed(&mut printed));
                continue;
            }
            exit = sandbox.exited() => {
                match tokio::time::timeout(LAST_WORDS, transport.receive()).await {
                    Ok(Ok(last)) => Ok(last),
                    _ => return Err(Failure::exited(INIT_REQUEST, exit, sandbox.oom_kills() > 0)),
                }
            }
        };
        match message {
            Ok(Message::Booted) => *booted = Instant::now(),
            Ok(Message::Ready) => return Ok(()),
            Ok(Message::InitError { error_type, body }) => {
                return Err(Failure::raised(body, error_type));
            }
            Ok(_) => {
                return Err(Failure::broke_protocol(
                    INIT_REQUEST,
                    "it answered before it was ready",
                ));
            }
            Err(TransportError::Closed) => {
                let exit = await_exit(sandbox).await;
                return Err(Failure::exited(INIT_REQUEST, exit, sandbox.oom_kills() > 0));
            }
            Err(TransportError::Protocol(how)) => {
                return Err(Failure::broke_protocol(INIT_REQUEST, &how));
            }
        }
    }
}

/// The exit of a runtime that has closed its channel; one that lives on without it is killed.
pub(crate) async fn await_exit(sandbox: &Sandbox) -> Exit {
    const GRACE: Duration = Duration::from_secs(1);
    match tokio::time::timeout(GRACE, sandbox.exited()).await {
        Ok(exit) => exit,
        Err(_elapsed) => {
            sandbox.kill();
            sandbox.exited().await
        }
    }
}
