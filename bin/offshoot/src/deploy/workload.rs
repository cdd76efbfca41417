//! `workload.json`: a few facts about a function, beside its code.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::plan::{PlanError, Spec};

const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
struct Workload {
    name: Option<String>,
    runtime: Option<String>,
    handler: Option<String>,
    memory_mb: Option<i64>,
    timeout_s: Option<i64>,
    description: Option<String>,
}

/// What the `workload.json` of a folder says; nothing, if there is none.
pub fn read(dir: &Path) -> Result<Spec, PlanError> {
    let path = dir.join("workload.json");
    let failed = |source| PlanError::Read {
        path: path.clone(),
        source,
    };
    if !path.is_file() {
        return Ok(Spec::default());
    }
    let mut text = String::new();
    let file = std::fs::File::open(&path).map_err(failed)?;
    file.take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let workload: Workload = serde_json::from_str(&text).map_err(|source| PlanError::Workload {
        path: path.clone(),
        source,
    })?;
    Ok(Spec {
        name: workload.name,
        runtime: workload.runtime,
        handler: workload.handler,
        memory_mb: workload.memory_mb,
        timeout_s: workload.timeout_s,
        description: workload.description,
        ..Spec::default()
    })
}
