//! Runtime and handler from the files, by the names that AWS's examples and templates use.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use zip::ZipArchive;

use super::plan::Source;

/// How much of a source file is looked at.
const MAX_SOURCE_BYTES: u64 = 1 << 20;

/// Files that are looked for, best first, and the functions that they may define.
const PYTHON: [(&str, &str); 5] = [
    ("lambda_function", "py"),
    ("app", "py"),
    ("handler", "py"),
    ("main", "py"),
    ("index", "py"),
];
const NODE: [(&str, &str); 9] = [
    ("index", "mjs"),
    ("index", "js"),
    ("index", "cjs"),
    ("app", "mjs"),
    ("app", "js"),
    ("app", "cjs"),
    ("handler", "mjs"),
    ("handler", "js"),
    ("handler", "cjs"),
];
const PYTHON_WITHOUT_LOCAL: &str = "python3.11";
const NODE_WITHOUT_LOCAL: &str = "nodejs20.x";

/// What the files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// The runtime's family, or all of its name.
    pub runtime: Family,
    /// The handler.
    pub handler: String,
}

/// What kind of runtime runs the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Python of some version.
    Python,
    /// Node.js of some version.
    Node,
    /// The code brings its own.
    Provided,
}

impl Family {
    /// AWS's identifier, with the version that this machine has: the likeliest that the user means.
    pub fn runtime(self) -> String {
        match self {
            Self::Python => local_python().unwrap_or_else(|| PYTHON_WITHOUT_LOCAL.to_owned()),
            Self::Node => local_node().unwrap_or_else(|| NODE_WITHOUT_LOCAL.to_owned()),
            Self::Provided => "provided.al2023".to_owned(),
        }
    }
}

/// Looks at the code; `None` if nothing tells.
pub fn infer(source: &Source) -> Option<Inferred> {
    match source {
        Source::Dir(dir) => infer_from(&mut |name| read_file(&dir.join(name))),
        Source::Zip(path) => {
            let mut archive = ZipArchive::new(File::open(path).ok()?).ok()?;
            infer_from(&mut |name| {
                let entry = archive.by_name(name).ok()?;
                read_bounded(entry)
            })
        }
    }
}

fn infer_from(read: &mut dyn FnMut(&str) -> Option<String>) -> Option<Inferred> {
    if read("bootstrap").is_some() {
        return Some(Inferred {
            runtime: Family::Provided,
            handler: "bootstrap".to_owned(),
        });
    }
    for (stem, extension) in PYTHON {
        let Some(code) = read(&format!("{stem}.{extension}")) else {
            continue;
        };
        if let Some(function) = python_handler(&code) {
            return Some(Inferred {
                runtime: Family::Python,
                handler: format!("{stem}.{function}"),
            });
        }
    }
    for (stem, extension) in NODE {
        let Some(code) = read(&format!("{stem}.{extension}")) else {
            continue;
        };
        let function = if code.contains("lambdaHandler") {
            "lambdaHandler"
        } else {
            "handler"
        };
        return Some(Inferred {
            runtime: Family::Node,
            handler: format!("{stem}.{function}"),
        });
    }
    None
}

/// The function of the module that looks like a handler.
fn python_handler(code: &str) -> Option<&'static str> {
    ["lambda_handler", "handler", "main"]
        .into_iter()
        .find(|name| {
            code.lines().any(|line| {
                let defined = line
                    .strip_prefix("def ")
                    .or_else(|| line.strip_prefix("async def "));
                let assigned = line.strip_prefix(name).map(str::trim_start);
                defined
                    .and_then(|rest| rest.strip_prefix(name))
                    .is_some_and(|rest| rest.trim_start().starts_with('('))
                    || assigned.is_some_and(|rest| rest.starts_with('=') && !rest.starts_with("=="))
            })
        })
}

fn read_file(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    read_bounded(file)
}

fn read_bounded(source: impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    source.take(MAX_SOURCE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn local_python() -> Option<String> {
    let version = version_of("/usr/bin/python3").or_else(|| version_of("python3"))?;
    let mut parts = version.strip_prefix("Python ")?.split('.');
    Some(format!("python{}.{}", parts.next()?, parts.next()?))
}

fn local_node() -> Option<String> {
    let version = version_of("node")?;
    Some(format!(
        "nodejs{}.x",
        version.strip_prefix('v')?.split('.').next()?
    ))
}

/// What `program --version` says.
pub fn version_of(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn inferred(files: &[(&str, &str)]) -> Option<(Family, String)> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        infer(&Source::Dir(dir.path().to_owned())).map(|found| (found.runtime, found.handler))
    }

    #[test]
    fn usual_layouts_are_known() {
        let python = |handler: &str| Some((Family::Python, handler.to_owned()));
        assert_eq!(
            inferred(&[(
                "lambda_function.py",
                "def lambda_handler(event, context): pass"
            )]),
            python("lambda_function.lambda_handler")
        );
        assert_eq!(
            inferred(&[("app.py", "x = 1\ndef handler(e, c):\n  pass")]),
            python("app.handler")
        );
        assert_eq!(
            inferred(&[("main.py", "handler = Mangum(app)")]),
            python("main.handler")
        );
        assert_eq!(
            inferred(&[("index.mjs", "export const handler = async () => {}")]),
            Some((Family::Node, "index.handler".to_owned()))
        );
        assert_eq!(
            inferred(&[("bootstrap", "#!/bin/sh")]),
            Some((Family::Provided, "bootstrap".to_owned()))
        );
    }

    #[test]
    fn a_module_without_a_handler_is_passed_over() {
        assert_eq!(
            inferred(&[("app.py", "import x"), ("index.js", "exports.handler = 1")]),
            Some((Family::Node, "index.handler".to_owned()))
        );
        assert_eq!(inferred(&[("README.md", "")]), None);
    }
}
