//! Node and porter as the web page's views.

use std::collections::{HashMap, HashSet};

use offshoot_gateway::view;
use offshoot_node::{CloneInfo, MemoryUse, Node, SeedInfo, Stages};
use offshoot_porter::{Decided, FunctionHistory, KindHistory, Porter, Start};
use offshoot_sandbox::{Launcher, State};

/// Clones of a seed whose memory is read at most.
const MOST_CLONES: usize = 8;

/// What the porter has decided.
pub(super) fn decision(decided: Decided) -> view::Decision {
    view::Decision {
        number: decided.number,
        at_ms: i64::try_from(decided.at_ms).unwrap_or(i64::MAX),
        function: Some(decided.function).filter(|function| !function.is_empty()),
        action: decided.action,
        why: decided.why,
    }
}

/// A function and its kinds of start.
pub(super) fn function(history: &FunctionHistory) -> view::Function {
    view::Function {
        name: history.function.to_string(),
        kinds: history.kinds.iter().map(kind).collect(),
    }
}

fn kind(kind: &KindHistory) -> view::Kind {
    let latency_us = &kind.latency_us;
    let recorded = latency_us.iter_recorded();
    view::Kind {
        name: kind.rung.name().to_owned(),
        count: latency_us.len(),
        p50_us: latency_us.value_at_quantile(0.5),
        p99_us: latency_us.value_at_quantile(0.99),
        recorded: recorded
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
            .collect(),
    }
}

/// The kept starts of a function, the latest first.
pub(super) fn starts(history: FunctionHistory) -> Vec<view::Start> {
    let kinds = history.kinds.into_iter();
    let mut starts: Vec<Start> = kinds.flat_map(|kind| kind.recent).collect();
    starts.sort_by_key(|start| std::cmp::Reverse(start.number));
    starts.into_iter().map(start).collect()
}

fn start(start: Start) -> view::Start {
    view::Start {
        number: start.number,
        at_ms: start.at_ms,
        kind: start.rung.name().to_owned(),
        version: start.version.to_string(),
        request_id: start.request_id.to_string(),
        failed: start.failed,
        stages: stages(&start.stages),
    }
}

fn stages(stages: &Stages) -> Vec<(&'static str, u64)> {
    vec![
        ("queue", stages.queue_us),
        ("restore", stages.restore_us),
        ("sandbox", stages.sandbox_us),
        ("fork", stages.fork_us),
        ("runtime_init", stages.runtime_init_us),
        ("user_init", stages.user_init_us),
        ("handler", stages.handler_us),
        ("response", stages.response_us),
    ]
}

/// Instances and sandboxes.
pub(super) fn pools(node: &Node, porter: &Porter<Node>) -> view::Pools {
    let (idle, others) = porter.instances();
    let parked = porter.parked();
    view::Pools {
        idle,
        parked,
        busy: others.saturating_sub(parked),
        sandboxes: node.launcher().map(|launcher| sandboxes(&launcher)),
    }
}

fn sandboxes(launcher: &Launcher) -> view::Sandboxes {
    let stats = launcher.pool_stats();
    let all = launcher.sandboxes();
    let is_taken = |state: &State| matches!(state, State::Taken | State::Occupied);
    let recreations = stats.recreations.iter().filter(|(_, times)| *times > 0);
    view::Sandboxes {
        ghosts: stats.ghosts,
        taken: all.iter().filter(|one| is_taken(&one.state)).count(),
        takes: stats.takes,
        take_us: stats.take_us,
        misses: stats.misses,
        repurposed: stats.repurposed,
        repurpose_us: stats.repurpose_us,
        recreations: recreations
            .map(|(why, times)| (why.name().to_owned(), *times))
            .collect(),
    }
}

/// The seeds with their templates' and clones' memory, read now.
pub(super) fn seeds(node: &Node) -> Vec<view::Seed> {
    let mut clones: HashMap<String, Vec<CloneInfo>> = HashMap::new();
    for clone in node.clone_infos() {
        clones.entry(clone.image.clone()).or_default().push(clone);
    }
    let mut below: HashMap<String, Vec<view::Seed>> = HashMap::new();
    let mut tops = Vec::new();
    let infos = node.seed_infos();
    let known: HashSet<String> = infos.iter().filter_map(|info| info.image.clone()).collect();
    for mut info in infos {
        let parent = info.parent.take().filter(|parent| known.contains(parent));
        let of_image = info.image.as_ref().and_then(|image| clones.remove(image));
        let seed = seed(info, of_image.unwrap_or_default());
        match parent {
            Some(parent) => below.entry(parent).or_default().push(seed),
            None => tops.push(seed),
        }
    }
    for top in &mut tops {
        adopt(top, &mut below);
    }
    tops
}

/// Gives a seed those that store only what differs from it.
fn adopt(seed: &mut view::Seed, below: &mut HashMap<String, Vec<view::Seed>>) {
    let image = seed.image.as_ref();
    seed.children = image
        .and_then(|image| below.remove(image))
        .unwrap_or_default();
    for child in &mut seed.children {
        adopt(child, below);
    }
}

fn seed(info: SeedInfo, clones: Vec<CloneInfo>) -> view::Seed {
    let more_clones = clones.len().saturating_sub(MOST_CLONES);
    // One that has ended meanwhile is none any more.
    let living = clones.into_iter().take(MOST_CLONES).filter_map(|clone| {
        let memory = memory(clone.pid)?;
        Some(view::LivingClone {
            instance: clone.instance,
            memory,
        })
    });
    view::Seed {
        name: info.function.to_string(),
        version: Some(info.version.to_string()),
        state: info.state.to_owned(),
        image: info.image,
        stored_bytes: info.stored_bytes,
        reason: info.reason.map(|reason| reason.to_string()),
        template: info.template_pid.and_then(memory),
        clones: living.collect(),
        more_clones,
        children: Vec::new(),
    }
}

fn memory(pid: i32) -> Option<view::Memory> {
    let used = MemoryUse::of(pid)?;
    Some(view::Memory {
        proportional: used.proportional,
        shared: used.shared,
        private: used.private,
    })
}
