//! The node's sandboxes and seeds, and the porter's starts, as the operator's pages and the metrics show them.

use std::sync::Arc;

use metrics::{counter, gauge};
use offshoot_gateway::{NodePages, view};
use offshoot_node::Node;
use offshoot_porter::Porter;
use offshoot_sandbox::{PoolStats, SandboxInfo};
use serde_json::{Value, json};

use super::looks;

/// Actions that an explanation gives.
const EXPLAINED: usize = 10;

/// What operators see of a node, and of the porter before it.
pub(super) struct Pages {
    pub(super) node: Arc<Node>,
    pub(super) porter: Arc<Porter<Node>>,
}

impl NodePages for Pages {
    fn list(&self) -> Value {
        let Some(launcher) = self.node.launcher() else {
            return json!({ "sandboxes": [] });
        };
        let sandboxes: Vec<Value> = launcher.sandboxes().iter().map(describe).collect();
        json!({ "sandboxes": sandboxes, "pool": pool(&launcher.pool_stats()) })
    }

    fn inspect(&self, id: &str) -> Option<Value> {
        let found = self.node.launcher()?.sandbox(id)?;
        let mut value = describe(&found);
        value["memoryBytes"] = json!(found.memory_bytes);
        value["tmpBytes"] = json!(found.tmp_bytes);
        Some(value)
    }

    fn drain(&self) -> usize {
        self.node.launcher().map_or(0, |launcher| launcher.drain())
    }

    fn seeds(&self) -> Value {
        json!({ "seeds": self.node.seed_infos() })
    }

    fn decisions(&self, after: u64) -> Value {
        json!({ "events": self.porter.decisions(after) })
    }

    fn explain(&self, function: &str) -> Option<Value> {
        let decision = self.porter.explain(function)?;
        let name = decision.name.clone();
        let mut value = serde_json::to_value(decision).ok()?;
        // In words, as everywhere.
        let actions = self.porter.decisions(0).into_iter();
        let actions: Vec<_> = actions.filter(|action| action.function == name).collect();
        value["actions"] = json!(actions[actions.len().saturating_sub(EXPLAINED)..]);
        Some(value)
    }

    fn meter(&self) {
        let Some(launcher) = self.node.launcher() else {
            return;
        };
        let stats = launcher.pool_stats();
        gauge!("offshoot_sandbox_ghosts").set(stats.ghosts as f64);
        let count = |name: &'static str, value: u64| counter!(name).absolute(value);
        count("offshoot_sandbox_takes_total", stats.takes);
        count("offshoot_sandbox_take_microseconds_total", stats.take_us);
        count("offshoot_sandbox_misses_total", stats.misses);
        count("offshoot_sandbox_repurposed_total", stats.repurposed);
        count(
            "offshoot_sandbox_repurpose_microseconds_total",
            stats.repurpose_us,
        );
        for (reason, number) in stats.recreations {
            counter!("offshoot_sandbox_recreations_total", "reason" => reason.name())
                .absolute(number);
        }
    }

    fn functions(&self, most: usize) -> (Vec<view::Function>, usize) {
        let (latest, all) = self.porter.starts().latest(most);
        (latest.iter().map(looks::function).collect(), all)
    }

    fn is_started(&self, function: &str) -> bool {
        self.porter.starts().has(function)
    }

    fn starts(&self, function: &str) -> Vec<view::Start> {
        let history = self.porter.starts().of(function);
        history.map(looks::starts).unwrap_or_default()
    }

    fn pools(&self) -> view::Pools {
        looks::pools(&self.node, &self.porter)
    }

    fn seed_tree(&self) -> Vec<view::Seed> {
        looks::seeds(&self.node)
    }

    fn latest_decisions(&self, most: usize) -> Vec<view::Decision> {
        let latest = self.porter.decisions(0).into_iter().rev().take(most);
        latest.map(looks::decision).collect()
    }
}

fn describe(info: &SandboxInfo) -> Value {
    json!({
        "id": info.id,
        "state": info.state.name(),
        "instance": info.holder,
        "account": info.account.as_ref().map(ToString::to_string),
        "uses": info.uses,
        "uid": info.uid,
        "egress": info.egress,
        "pid": info.pid,
    })
}

fn pool(stats: &PoolStats) -> Value {
    let recreations = stats.recreations.iter();
    let recreations = recreations.map(|(reason, count)| (reason.name().to_owned(), json!(count)));
    json!({
        "ghosts": stats.ghosts,
        "takes": stats.takes,
        "takeMicroseconds": stats.take_us,
        "misses": stats.misses,
        "repurposed": stats.repurposed,
        "repurposeMicroseconds": stats.repurpose_us,
        "recreations": Value::Object(recreations.collect()),
    })
}
