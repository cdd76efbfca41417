//! A simulated node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use offshoot_node::{
    Activated, Answer, CreateFailure, Event, Failure, Fri, InstanceSpec, LogFormat, MachineReading,
    Memory, NodeError, Outcome, Reply, Rung, Runtime, RuntimeSeed, Seeding, Stages, TemplateInfo,
};
use offshoot_porter::{InvokeError, Porter, PorterConfig, Target};
use tokio::sync::Notify;

/// What numbers of clones of the runtime begin with, and of others.
pub const LEVEL1: u32 = 500;
pub const CLONE: u32 = 1000;
pub const PARKED: u32 = 2000;

pub const MB: u64 = 1 << 20;
/// What instances use.
pub const COLD_BYTES: u64 = 40 * MB;
pub const LEVEL1_BYTES: u64 = 20 * MB;
pub const CLONE_BYTES: u64 = 2 * MB;
/// What a template of its own memory has.
pub const TEMPLATE_BYTES: u64 = 16 * MB;

/// Notes what the porter asks for; an instance is its number.
#[derive(Default)]
pub struct FakeNode {
    pub handler_ms: u64,
    pub dead: AtomicBool,
    pub unread: AtomicBool,
    pub init_ms: u64,
    pub init_fails: bool,
    pub fork_fails: bool,
    pub seed_fails: AtomicBool,
    /// The memory limit in MiB; 0: none.
    pub limit_mb: AtomicU32,
    /// What the kernel says is used, in MiB.
    pub used_mb: AtomicU32,
    pub is_busy: AtomicBool,
    pub created: AtomicU32,
    pub forked: AtomicU32,
    pub had_events: Mutex<BTreeSet<u32>>,
    pub images: Mutex<BTreeSet<String>>,
    pub templates: Mutex<BTreeMap<String, Memory>>,
    pub mapping_fails: bool,
    pub log: Mutex<Vec<(&'static str, String)>>,
    /// Whether the runtime has a seed.
    pub runtime: AtomicBool,
    pub runtime_changed: Notify,
    /// How many events each instance has now.
    pub inside: Mutex<BTreeMap<u32, u32>>,
    /// The most that one ever had.
    pub most_inside: AtomicU32,
}

impl FakeNode {
    /// How often something was asked for.
    pub fn calls(&self, verb: &str) -> u32 {
        self.log().iter().filter(|(done, _)| *done == verb).count() as u32
    }

    /// What was asked for, with the function it was for.
    pub fn log(&self) -> Vec<(&'static str, String)> {
        self.log.lock().unwrap().clone()
    }

    pub fn has_template(&self, function: &str) -> bool {
        self.templates.lock().unwrap().contains_key(function)
    }

    /// An image of an earlier daemon, without a template.
    pub fn inherit_seed(&self, function: &str) {
        self.images.lock().unwrap().insert(function.to_owned());
    }

    pub fn give_seed(&self, function: &str) {
        self.images.lock().unwrap().insert(function.to_owned());
        self.put_template(function, Memory::Local);
    }

    fn put_template(&self, function: &str, memory: Memory) {
        let mut templates = self.templates.lock().unwrap();
        templates.insert(function.to_owned(), memory);
    }

    /// Takes image and template away behind the porter's back.
    pub fn lose_seed(&self, function: &str) {
        self.images.lock().unwrap().remove(function);
        self.templates.lock().unwrap().remove(function);
    }

    /// The runtime's seed comes or goes.
    pub fn set_runtime(&self, is_there: bool) {
        self.runtime.store(is_there, Ordering::SeqCst);
        self.runtime_changed.notify_one();
    }

    /// Waits until something is so.
    pub async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if is_so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never came to be: {:?}", self.log());
    }

    fn note(&self, verb: &'static str, function: &str) {
        self.log.lock().unwrap().push((verb, function.to_owned()));
    }
}

impl Fri for FakeNode {
    type Instance = u32;

    async fn create(&self, spec: Arc<InstanceSpec>) -> Result<u32, CreateFailure> {
        if self.init_fails {
            let body = Bytes::from_static(br#"{"errorType":"ImportError"}"#);
            return Err(CreateFailure::Function(Failure::raised(body, None)));
        }
        self.note("create", &spec.function);
        tokio::time::sleep(Duration::from_millis(self.init_ms)).await;
        let number = self.created.fetch_add(1, Ordering::SeqCst);
        let in_clone = self.runtime.load(Ordering::SeqCst) && !begins_alone(&spec);
        Ok(if in_clone { LEVEL1 + number } else { number })
    }

    async fn fork(
        &self,
        spec: Arc<InstanceSpec>,
        parked: bool,
        memory: Memory,
    ) -> Result<Option<u32>, NodeError> {
        if !self.images.lock().unwrap().contains(&*spec.function) {
            return Ok(None);
        }
        if self.fork_fails {
            return Err(NodeError::ShutDown);
        }
        self.note("fork", &spec.function);
        if parked {
            self.note("park", &spec.function);
        }
        let mut templates = self.templates.lock().unwrap();
        let function = spec.function.to_string();
        templates.entry(function).or_insert(memory);
        let number = self.forked.fetch_add(1, Ordering::SeqCst);
        Ok(Some(if parked { PARKED } else { CLONE } + number))
    }

    async fn seed(&self, spec: Arc<InstanceSpec>) -> Result<Seeding, CreateFailure> {
        self.note("seed", &spec.function);
        if self.seed_fails.load(Ordering::SeqCst) {
            return Ok(Seeding::Refused("it cannot be".into()));
        }
        self.give_seed(&spec.function);
        Ok(Seeding::Seeded)
    }

    async fn renew(&self, spec: Arc<InstanceSpec>) -> Result<Seeding, CreateFailure> {
        self.note("renew", &spec.function);
        if self.seed_fails.load(Ordering::SeqCst) {
            self.lose_seed(&spec.function);
            return Err(CreateFailure::Node(NodeError::ShutDown));
        }
        Ok(Seeding::Seeded)
    }

    async fn warm(&self, spec: Arc<InstanceSpec>, memory: Memory) -> Result<bool, NodeError> {
        self.note("warm", &spec.function);
        if memory == Memory::Mapped && self.mapping_fails {
            return Err(NodeError::ShutDown);
        }
        let has_image = self.images.lock().unwrap().contains(&*spec.function);
        if has_image {
            self.put_template(&spec.function, memory);
        }
        Ok(has_image)
    }

    fn chill(&self, spec: &InstanceSpec) {
        self.note("chill", &spec.function);
        self.templates.lock().unwrap().remove(&*spec.function);
    }

    fn templates(&self) -> Vec<TemplateInfo> {
        let templates = self.templates.lock().unwrap();
        let info = |(function, memory): (&String, &Memory)| TemplateInfo {
            function: function.as_str().into(),
            version: "$LATEST".into(),
            memory: *memory,
            own_bytes: match memory {
                Memory::Local => TEMPLATE_BYTES,
                Memory::Mapped => TEMPLATE_BYTES / 4,
            },
            image_bytes: 30 * MB,
        };
        templates.iter().map(info).collect()
    }

    fn runtime_seed(&self, spec: &InstanceSpec) -> Option<RuntimeSeed> {
        (!begins_alone(spec)).then(|| RuntimeSeed {
            name: "python".into(),
            image_bytes: self.runtime.load(Ordering::SeqCst).then_some(10 * MB),
        })
    }

    async fn renew_runtime(&self, spec: Arc<InstanceSpec>) -> Result<Seeding, CreateFailure> {
        self.note("renew_runtime", &spec.function);
        Ok(Seeding::Seeded)
    }

    async fn runtime_seeds_changed(&self) {
        self.runtime_changed.notified().await;
    }

    fn image_bytes(&self, spec: &InstanceSpec) -> Option<u64> {
        let has_image = self.images.lock().unwrap().contains(&*spec.function);
        has_image.then_some(30 * MB)
    }

    async fn forget_seeds(
        &self,
        function: Arc<str>,
        _: Option<Arc<str>>,
        now: Option<Arc<InstanceSpec>>,
    ) {
        self.note("forget", &function);
        // What it has become is made from the same.
        if now.is_none() {
            self.lose_seed(&function);
        }
    }

    fn share(&self, instance: u32) -> (u32, u32) {
        (instance, instance)
    }

    async fn activate(&self, instance: u32, event: Event, _reply: Reply) -> Activated<u32> {
        let rung = self.rung(&instance);
        let inside = *(self.inside.lock().unwrap().entry(instance))
            .and_modify(|events| *events += 1)
            .or_insert(1);
        self.most_inside.fetch_max(inside, Ordering::SeqCst);
        let longer = if &event.payload[..] == b"\"long\"" {
            4
        } else {
            1
        };
        tokio::time::sleep(Duration::from_millis(self.handler_ms * longer)).await;
        *self.inside.lock().unwrap().get_mut(&instance).unwrap() -= 1;
        let exits = &event.payload[..] == b"\"exit\"";
        let unread = self.unread.swap(false, Ordering::SeqCst);
        self.had_events.lock().unwrap().insert(instance);
        Activated {
            outcome: outcome(Answer::Response(instance.to_string().into()), rung),
            instance: (!exits && !unread).then_some(instance),
            undelivered: unread,
        }
    }

    async fn retire(&self, instance: u32) {
        self.note("retire", &instance.to_string());
    }

    fn is_alive(&self, _instance: &u32) -> bool {
        !self.dead.swap(false, Ordering::SeqCst)
    }

    fn rung(&self, instance: &u32) -> Rung {
        if self.had_events.lock().unwrap().contains(instance) {
            return Rung::Hot;
        }
        match *instance {
            PARKED.. => Rung::Parked,
            CLONE.. => Rung::Clone,
            LEVEL1.. => Rung::Level1,
            _ => Rung::Cold,
        }
    }

    fn own_bytes(&self, instance: &u32) -> Option<u64> {
        Some(match *instance {
            CLONE.. => CLONE_BYTES,
            LEVEL1.. => LEVEL1_BYTES,
            _ => COLD_BYTES,
        })
    }

    fn read_machine(&self) -> MachineReading {
        let mb = |number: &AtomicU32| u64::from(number.load(Ordering::SeqCst)) * MB;
        let limit_bytes = match mb(&self.limit_mb) {
            0 => u64::MAX,
            limit => limit,
        };
        MachineReading {
            limit_bytes,
            used_bytes: mb(&self.used_mb),
            psi_some: 0.0,
            psi_full: 0.0,
            is_idle: !self.is_busy.load(Ordering::SeqCst),
        }
    }

    fn has_idle_processor(&self) -> bool {
        !self.is_busy.load(Ordering::SeqCst)
    }

    fn report_init_failure(&self, _: &InstanceSpec, _: &Event, failure: Failure) -> Outcome {
        outcome(Answer::Failure(failure), Rung::Cold)
    }
}

/// Whether a function begins in no clone of the runtime.
fn begins_alone(spec: &InstanceSpec) -> bool {
    spec.function.starts_with("alone")
}

fn outcome(answer: Answer, rung: Rung) -> Outcome {
    Outcome {
        answer,
        stages: Stages::default(),
        rung,
        duration: Duration::ZERO,
        log_tail: None,
        log: Default::default(),
    }
}

pub fn target(function: &str, revision: &str, reserved_concurrency: Option<u32>) -> Arc<Target> {
    let spec = InstanceSpec {
        function: function.into(),
        version: "$LATEST".into(),
        runtime: Runtime::Python311,
        handler: "app.handler".into(),
        env: BTreeMap::new(),
        memory_mb: 128,
        ephemeral_mb: 512,
        timeout: Duration::from_secs(3),
        concurrency: 1,
        task_dir: "/nowhere".into(),
        layer_dirs: Vec::new(),
        network: offshoot_node::NetworkPolicy::None,
        region: "us-east-1".into(),
        account_id: "000000000000".into(),
        role: "arn:aws:iam::000000000000:role/r".into(),
        log_format: LogFormat::Text,
        snap_start: false,
    };
    Arc::new(Target::new(
        Arc::new(spec),
        revision.into(),
        reserved_concurrency,
    ))
}

/// A function whose instances handle so many events at once.
pub fn crowded(function: &str, concurrency: u32, reserved: Option<u32>) -> Arc<Target> {
    let one = target(function, "r", reserved);
    let spec = InstanceSpec {
        concurrency,
        runtime: Runtime::Nodejs20,
        ..(*one.spec).clone()
    };
    Arc::new(Target::new(Arc::new(spec), "r".into(), reserved))
}

fn event(payload: &'static str) -> Event {
    Event {
        request_id: "r".into(),
        payload: Bytes::from_static(payload.as_bytes()),
        invoked_arn: "arn".into(),
        trace_id: None,
        client_context: None,
        cognito_identity: None,
        tenant_id: None,
        wants_tail: false,
        queued: Duration::ZERO,
    }
}

pub async fn invoke(
    porter: &Arc<Porter<FakeNode>>,
    target: &Arc<Target>,
) -> Result<String, InvokeError> {
    invoke_with(porter, target, "{}").await
}

pub async fn invoke_with(
    porter: &Arc<Porter<FakeNode>>,
    target: &Arc<Target>,
    payload: &'static str,
) -> Result<String, InvokeError> {
    let outcome = porter
        .invoke(Arc::clone(target), event(payload), Reply::Whole)
        .await?;
    Ok(match outcome.answer {
        Answer::Response(body) => String::from_utf8(body.to_vec()).unwrap(),
        Answer::Streamed => "streamed".into(),
        Answer::Failure(failure) => failure.error_type,
    })
}

pub fn porter(node: FakeNode, config: PorterConfig) -> (Arc<FakeNode>, Arc<Porter<FakeNode>>) {
    let node = Arc::new(node);
    (Arc::clone(&node), Porter::new(node, config))
}

/// A porter whose driver runs for as long as the test does.
pub fn driven(node: FakeNode, config: PorterConfig) -> (Arc<FakeNode>, Arc<Porter<FakeNode>>) {
    let (node, porter) = porter(node, config);
    let background = Arc::clone(&porter);
    tokio::spawn(async move { background.drive().await });
    (node, porter)
}

/// Waits until the background has done what the last answer made it do.
pub async fn settled(porter: &Arc<Porter<FakeNode>>, alive: usize) {
    for _ in 0..2000 {
        let (idle, busy) = porter.instances();
        if idle + busy == alive {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?} instances instead of {alive}", porter.instances());
}
