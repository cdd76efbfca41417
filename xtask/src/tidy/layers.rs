//! Layers: folders at the root, drawn from the top. A crate may use its own layer and those below.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::Finding;
use super::tree::Tree;

/// Layers from the lowest. `bench` stands beside the layers: it drives what a user deploys.
const ORDER: &[&str] = &["format", "trusted", "engine", "service", "bench", "bin"];
const LAYERS: &[&str] = &["bin", "service", "engine", "trusted", "format"];
/// Folders of a crate that only tests and `bench` may use.
const TESTKIT: &str = "testkit";
const XTASK: &str = "xtask";

struct Package {
    manifest: String,
    text: String,
    table: Table,
    folder: String,
}

/// No crate depends on a crate of a higher layer, `testkit` is used by tests and `bench` alone,
/// and nothing depends on `xtask` or the other way round.
pub fn edges_go_down(tree: &Tree) -> Vec<Finding> {
    let packages = packages(tree);
    let folder_of: BTreeMap<&str, &str> = packages
        .iter()
        .filter_map(|package| Some((name(&package.table)?, package.folder.as_str())))
        .collect();
    let mut findings = Vec::new();
    for package in &packages {
        for (dependency, is_dev) in dependencies(&package.table) {
            let Some(to) = folder_of.get(dependency.as_str()) else {
                continue;
            };
            if let Some(problem) = refusal(&package.folder, to, is_dev) {
                let line = line_of(&package.text, |line| names(line, &dependency));
                findings.push(Finding::new(
                    &package.manifest,
                    line,
                    format!("dependency on `{dependency}`: {problem}"),
                    "move the shared part down, or pass it in from above",
                ));
            }
        }
    }
    findings
}

/// Every crate takes the workspace's lints.
pub fn lints_are_inherited(tree: &Tree) -> Vec<Finding> {
    let inherits = |table: &Table| {
        let lints = table.get("lints").and_then(Value::as_table);
        lints
            .and_then(|l| l.get("workspace"))
            .and_then(Value::as_bool)
            == Some(true)
    };
    packages(tree)
        .into_iter()
        .filter(|package| !inherits(&package.table))
        .map(|package| {
            let problem = "the crate does not inherit the workspace's lints";
            Finding::new(
                &package.manifest,
                1,
                problem,
                "add `[lints]` with `workspace = true`",
            )
        })
        .collect()
}

/// Every layer says what lives there.
pub fn layers_have_readmes(tree: &Tree) -> Vec<Finding> {
    LAYERS
        .iter()
        .map(|layer| (layer, format!("{layer}/README.md")))
        .filter(|(_, path)| !tree.has(path))
        .map(|(layer, path)| {
            let problem = format!("layer {layer} has no README.md");
            Finding::new(
                &path,
                1,
                problem,
                "say in five lines what lives here and what never does",
            )
        })
        .collect()
}

/// Why a crate of folder `from` may not use one of folder `to`.
fn refusal(from: &str, to: &str, is_dev: bool) -> Option<String> {
    let rank = |folder: &str| ORDER.iter().position(|layer| *layer == folder);
    match (from, to) {
        (XTASK, _) | (_, XTASK) => Some("xtask stands alone".into()),
        (_, TESTKIT) if is_dev || from == "bench" => None,
        (_, TESTKIT) => Some("testkit is for tests and bench".into()),
        // What tests use may look at everything that a service may.
        (TESTKIT, to) => (rank(to) > rank("service")).then(|| format!("{to} is above testkit")),
        (from, to) => (rank(to) > rank(from)).then(|| format!("{to} is above {from}")),
    }
}

fn packages(tree: &Tree) -> Vec<Package> {
    let is_ours = |folder: &str| ORDER.contains(&folder) || [TESTKIT, XTASK].contains(&folder);
    tree.files()
        .filter(|(path, _)| path.ends_with("/Cargo.toml"))
        .filter_map(|(path, text)| {
            let (folder, _) = path.split_once('/')?;
            let table: Table = text.parse().ok()?;
            name(&table)?;
            let folder = folder.to_owned();
            Some(Package {
                manifest: path.into(),
                text: text.into(),
                table,
                folder,
            })
        })
        .filter(|package| is_ours(&package.folder))
        .collect()
}

fn name(table: &Table) -> Option<&str> {
    table.get("package")?.get("name")?.as_str()
}

/// Names of the packages that a manifest depends on, and whether only for tests.
fn dependencies(table: &Table) -> Vec<(String, bool)> {
    let targets = table.get("target").and_then(Value::as_table);
    let tables = targets
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in tables.chain([table]) {
        for (kind, is_dev) in [
            ("dependencies", false),
            ("build-dependencies", false),
            ("dev-dependencies", true),
        ] {
            let Some(entries) = table.get(kind).and_then(Value::as_table) else {
                continue;
            };
            for (key, entry) in entries {
                let renamed = entry.get("package").and_then(Value::as_str);
                found.push((renamed.unwrap_or(key).to_owned(), is_dev));
            }
        }
    }
    found
}

fn names(line: &str, dependency: &str) -> bool {
    let word = line.trim_start().trim_start_matches('"');
    let key = word.strip_prefix(dependency).is_some_and(|rest| {
        !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    });
    key || line.contains(&format!("\"{dependency}\"")) && !line.trim_start().starts_with("name")
}

fn line_of(text: &str, is_it: impl Fn(&str) -> bool) -> usize {
    text.lines().position(is_it).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n{rest}")
    }

    fn edges(from: &str, from_deps: &str, to: &str) -> Vec<Finding> {
        let (a, b) = (manifest("a", from_deps), manifest("b", ""));
        edges_go_down(&Tree::of(&[
            (&format!("{from}/a/Cargo.toml"), &a),
            (&format!("{to}/b/Cargo.toml"), &b),
        ]))
    }

    #[test]
    fn upward_edge_is_found_with_its_line() {
        let found = edges("engine", "[dependencies]\nb.workspace = true\n", "service");
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].path.as_str(), found[0].line),
            ("engine/a/Cargo.toml", 6)
        );
        assert!(found[0].problem.contains("service is above engine"));
    }

    #[test]
    fn upward_edge_hides_neither_in_tests_nor_targets_nor_names() {
        for deps in [
            "[dev-dependencies]\nb.workspace = true\n",
            "[target.'cfg(unix)'.dependencies]\nb = { path = \"../../service/b\" }\n",
            "[dependencies]\nx = { package = \"b\", version = \"1\" }\n",
            "[dependencies.b]\nversion = \"1\"\n",
        ] {
            assert_eq!(edges("format", deps, "service").len(), 1, "{deps}");
        }
    }

    #[test]
    fn edges_down_and_sideways_are_fine() {
        let deps = "[dependencies]\nb.workspace = true\n";
        for (from, to) in [("bin", "bench"), ("bench", "service"), ("engine", "engine")] {
            assert_eq!(edges(from, deps, to), [], "{from} to {to}");
        }
        assert_eq!(edges("service", deps, "bench").len(), 1);
    }

    #[test]
    fn testkit_is_for_tests_and_bench() {
        let (normal, dev) = (
            "[dependencies]\nb.workspace = true\n",
            "[dev-dependencies]\nb.workspace = true\n",
        );
        assert_eq!(edges("engine", normal, "testkit").len(), 1);
        assert_eq!(edges("engine", dev, "testkit"), []);
        assert_eq!(edges("bench", normal, "testkit"), []);
        assert_eq!(edges("testkit", normal, "bin").len(), 1);
    }

    #[test]
    fn xtask_stands_alone() {
        let deps = "[dependencies]\nb.workspace = true\n";
        assert_eq!(edges("xtask", deps, "format").len(), 1);
        assert_eq!(edges("bin", deps, "xtask").len(), 1);
    }

    #[test]
    fn crate_without_workspace_lints_is_found() {
        let bare = "[package]\nname = \"a\"\n";
        let found = lints_are_inherited(&Tree::of(&[("engine/a/Cargo.toml", bare)]));
        assert_eq!(found.len(), 1);
        let good = manifest("a", "");
        assert_eq!(
            lints_are_inherited(&Tree::of(&[("engine/a/Cargo.toml", &good)])),
            []
        );
    }

    #[test]
    fn layer_without_readme_is_found() {
        let found = layers_have_readmes(&Tree::of(&[
            ("bin/README.md", ""),
            ("service/README.md", ""),
            ("engine/README.md", ""),
            ("format/README.md", ""),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "trusted/README.md");
    }
}
