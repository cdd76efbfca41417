//! The workloads, through their own tool `workloads.py`: what there is, packages, events, and verdicts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use offshoot_testkit::{FunctionSpec, zip_folder};
use serde::Deserialize;

/// The interpreter that runs the tool; the functions' own are those of their runtimes.
const PYTHON: &str = "/usr/bin/python3";
/// All measurements use the same event of a workload.
const SEED: &str = "1";

/// The language of a workload, and with it the interpreter of its baselines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
}

impl Language {
    /// The interpreter that the runtime uses, too.
    pub(crate) const fn interpreter(self) -> &'static str {
        match self {
            Self::Python => "/usr/bin/python3",
            Self::Node => "/usr/bin/node",
        }
    }
}

/// `workload.json`.
#[derive(Debug, Clone, Deserialize)]
struct Manifest {
    name: String,
    runtime: String,
    handler: String,
    memory_mb: u32,
    timeout_s: u32,
    environment: BTreeMap<String, String>,
}

/// A workload that is built and has an event.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    pub(crate) function: FunctionSpec,
    pub(crate) language: Language,
    /// The built package, unpacked.
    pub(crate) package: PathBuf,
    /// The event, as JSON.
    pub(crate) event: Vec<u8>,
    tool: Tool,
}

impl Workload {
    pub(crate) fn name(&self) -> &str {
        &self.function.name
    }

    /// The package, packed.
    pub(crate) fn zip(&self) -> anyhow::Result<Vec<u8>> {
        zip_folder(&self.package).with_context(|| format!("cannot pack {}", self.name()))
    }

    /// Requires that `response` is right for the event. `system` says whose response it is.
    pub(crate) fn check(&self, system: &str, response: &[u8]) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (event, answer) = (folder.path().join("event"), folder.path().join("response"));
        fs::write(&event, &self.event)?;
        fs::write(&answer, response)?;
        let (event, answer) = (event.display().to_string(), answer.display().to_string());
        self.tool
            .run(&["check", self.name(), &event, &answer])
            .map(drop)
            .with_context(|| format!("{system} gave a wrong answer for {}", self.name()))
    }
}

/// Where `workloads.py` is.
#[derive(Debug, Clone)]
struct Tool(PathBuf);

impl Tool {
    /// Runs it and gives what it prints; what it says goes into the error.
    fn run(&self, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let mut command = Command::new(PYTHON);
        command.arg(&self.0).args(arguments).stdin(Stdio::null());
        let output = command
            .output()
            .with_context(|| format!("cannot run {PYTHON}"))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("workloads.py {}: {}", arguments.join(" "), said.trim())
    }
}

/// Builds the workloads that are asked for, or all of them if none is; `quick` means one of each language.
pub(crate) fn load(folder: &Path, wanted: &[String], quick: bool) -> anyhow::Result<Vec<Workload>> {
    let tool = Tool(folder.join("workloads.py"));
    ensure!(
        tool.0.is_file(),
        "there is no {}; run from the root of the checkout or give --workloads-dir",
        tool.0.display()
    );
    let listed = tool.run(&["list", "--json"])?;
    let listed: Vec<Manifest> =
        serde_json::from_slice(&listed).context("the list of workloads is not understood")?;
    choose(listed, wanted, quick)?
        .into_iter()
        .map(|one| prepare(&tool, one))
        .collect()
}

fn choose(listed: Vec<Manifest>, wanted: &[String], quick: bool) -> anyhow::Result<Vec<Manifest>> {
    let quick_ones = ["echo".to_owned(), "node-echo".to_owned()];
    let wanted = if wanted.is_empty() && quick {
        &quick_ones[..]
    } else {
        wanted
    };
    if let Some(unknown) = wanted
        .iter()
        .find(|name| listed.iter().all(|one| one.name != **name))
    {
        let known: Vec<_> = listed.into_iter().map(|one| one.name).collect();
        bail!(
            "there is no workload {unknown}; there are: {}",
            known.join(", ")
        );
    }
    let chosen = |one: &Manifest| wanted.is_empty() || wanted.contains(&one.name);
    Ok(listed.into_iter().filter(chosen).collect())
}

fn prepare(tool: &Tool, manifest: Manifest) -> anyhow::Result<Workload> {
    let folder = tool.0.parent().unwrap_or(Path::new(".")).join(".build");
    tool.run(&[
        "build",
        &manifest.name,
        "--out",
        &folder.display().to_string(),
    ])?;
    let package = folder.join(&manifest.name).canonicalize();
    let package = package.with_context(|| format!("{} was not built", manifest.name))?;
    let event = tool.run(&["gen", &manifest.name, "--seed", SEED])?;
    let language = if manifest.runtime.starts_with("python") {
        Language::Python
    } else {
        Language::Node
    };
    let function = FunctionSpec {
        name: manifest.name,
        runtime: manifest.runtime,
        handler: manifest.handler,
        memory_mb: manifest.memory_mb,
        timeout_s: manifest.timeout_s,
        environment: manifest.environment.into_iter().collect(),
    };
    Ok(Workload {
        function,
        language,
        package,
        event,
        tool: tool.clone(),
    })
}

/// A Python workload that was never built, for tests of what is derived from one.
#[cfg(test)]
pub(crate) fn example(name: &str, memory_mb: u32) -> Workload {
    Workload {
        function: FunctionSpec {
            memory_mb,
            ..FunctionSpec::python(name)
        },
        language: Language::Python,
        package: Path::new("/built").join(name),
        event: b"{}".to_vec(),
        tool: Tool(PathBuf::new()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn listed() -> Vec<Manifest> {
        let one = |name: &str| Manifest {
            name: name.into(),
            runtime: "python3.11".into(),
            handler: "app.handler".into(),
            memory_mb: 128,
            timeout_s: 3,
            environment: BTreeMap::new(),
        };
        ["bfs", "echo", "node-echo"].map(one).into()
    }

    fn names(wanted: &[&str], quick: bool) -> Vec<String> {
        let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
        choose(listed(), &wanted, quick)
            .unwrap()
            .into_iter()
            .map(|one| one.name)
            .collect()
    }

    #[test]
    fn workloads_are_those_asked_for_or_all() {
        assert_eq!(names(&[], false), ["bfs", "echo", "node-echo"]);
        assert_eq!(names(&[], true), ["echo", "node-echo"]);
        assert_eq!(names(&["bfs"], true), ["bfs"]);
    }

    #[test]
    fn unknown_workload_is_refused_with_the_known_ones() {
        let error = choose(listed(), &["ehco".to_owned()], false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no workload ehco; there are: bfs, echo, node-echo"
        );
    }
}
