//! Rules of the tree that neither rustc nor clippy can see.
//!
//! [`Tree`] is every text file by its path; a rule is a function from a tree to findings, so that
//! its tests plant a violation in a tree of a few lines and see it found. All rules always run:
//! one run lists everything there is to fix.

mod layers;
mod modules;
mod text;
mod tree;

use std::fmt;
use std::path::Path;

use tree::Tree;

/// Something to fix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the root of the tree.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub fix: String,
}

impl Finding {
    fn new(path: &str, line: usize, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}; {}",
            self.path, self.line, self.problem, self.fix
        )
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    layers::edges_go_down,
    layers::lints_are_inherited,
    layers::layers_have_readmes,
    modules::files_are_reachable,
    text::unsafe_opt_ins_are_argued,
    text::files_are_short,
    text::words_are_absent,
];

/// Checks the checkout at `root`.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let tree = Tree::read(root)?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    for finding in &findings {
        eprintln!("{finding}");
    }
    anyhow::ensure!(findings.is_empty(), "{} findings", findings.len());
    println!("tidy: {} files, nothing to fix", tree.len());
    Ok(())
}
