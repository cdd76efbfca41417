//! The programs that are multiplied.

use std::ffi::OsString;
use std::time::Duration;

use serde_json::{Value, json};

use super::workshop::Workshop;

const CUSTOMERS: [&str; 4] = ["Ada", "Bo", "Chloë", "Dmitri"];

/// A program that serves requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seed {
    /// CPython; reads and writes 1.5 KB of JSON.
    PythonJson,
    /// CPython with numpy; a product of small matrices.
    PythonNumpy,
    /// CPython with pandas; means by group of a small table.
    PythonPandas,
    /// Node.js; reads and writes 1.5 KB of JSON.
    Node,
    /// A static C program with 630 MB of state, of which a request reads 16 pages.
    Pages,
}

impl Seed {
    pub(super) const ALL: [Self; 5] = [
        Self::PythonJson,
        Self::PythonNumpy,
        Self::PythonPandas,
        Self::Node,
        Self::Pages,
    ];
    /// One of each interpreter.
    pub(super) const QUICK: [Self; 2] = [Self::PythonJson, Self::Node];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::PythonJson => "python-json",
            Self::PythonNumpy => "python-numpy",
            Self::PythonPandas => "python-pandas",
            Self::Node => "node",
            Self::Pages => "c-630mb",
        }
    }

    /// The program and its arguments; `source` and `sink` are the descriptors that it reads and writes.
    pub(super) fn command(
        self,
        workshop: &Workshop,
        source: u32,
        sink: u32,
    ) -> anyhow::Result<Vec<OsString>> {
        let mut words: Vec<OsString> = match self {
            Self::PythonJson | Self::PythonNumpy | Self::PythonPandas => vec![
                "/usr/bin/python3".into(),
                workshop.script("python_seed.py").into(),
                self.handler().into(),
            ],
            Self::Node => vec![
                "/usr/bin/node".into(),
                "--expose-gc".into(),
                workshop.script("node_seed.cjs").into(),
            ],
            Self::Pages => vec![workshop.compiled("pages_seed")?.into()],
        };
        words.extend([source.to_string().into(), sink.to_string().into()]);
        Ok(words)
    }

    fn handler(self) -> &'static str {
        match self {
            Self::PythonNumpy => "numpy_handler",
            Self::PythonPandas => "pandas_handler",
            _ => "json_handler",
        }
    }

    /// All that its environment holds.
    pub(super) fn environment(
        self,
        workshop: &Workshop,
    ) -> anyhow::Result<Vec<(&'static str, OsString)>> {
        let mut variables = vec![("PATH", "/usr/bin:/bin".into())];
        match self {
            Self::PythonNumpy | Self::PythonPandas => {
                variables.push(("PYTHONPATH", workshop.python_packages()?.into()));
            }
            // An io_uring cannot be carried into an image.
            Self::Node => variables.push(("UV_USE_IO_URING", "0".into())),
            Self::PythonJson | Self::Pages => {}
        }
        Ok(variables)
    }

    /// Whether the program wants its socket non-blocking; that is a property of the socket, which each clone is given.
    pub(super) fn is_nonblocking(self) -> bool {
        self == Self::Node
    }

    /// Requests before it is frozen: enough that what is compiled or cached on use is.
    pub(super) fn training(self) -> u32 {
        match self {
            Self::Node => 60,
            _ => 10,
        }
    }

    /// How long it is left alone before it is frozen. V8 gives memory back by timers of eight seconds; one that expires
    /// after the freeze expires in every clone.
    pub(super) fn settling(self, quick: bool) -> Duration {
        match self {
            Self::Node if !quick => Duration::from_secs(26),
            Self::Node => Duration::from_secs(1),
            _ => Duration::from_millis(50),
        }
    }

    /// The request of all samples.
    pub(super) fn request(self) -> Value {
        match self {
            Self::PythonJson | Self::Node => document(),
            Self::PythonNumpy => json!({ "size": 16 }),
            Self::PythonPandas => json!({ "column": "value" }),
            Self::Pages => json!({ "first": 5 }),
        }
    }
}

/// Some 1.5 KB of JSON: parsing it and writing it again takes a running CPython about 0.8 F, as in the prototype
/// by which the targets were set.
fn document() -> Value {
    let line = |at: u64| json!({ "cents": 100 + at * 37 % 9000, "count": 1 + at % 4 });
    let order = |at: u64| {
        let lines: Vec<_> = (0..3).map(|of| line(at * 3 + of)).collect();
        json!({ "id": at, "customer": CUSTOMERS[at as usize % CUSTOMERS.len()], "lines": lines })
    };
    json!({ "orders": (0..14).map(order).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_has_some_one_and_a_half_kilobytes() {
        let bytes = document().to_string().len();
        assert!((1400..1700).contains(&bytes), "{bytes}");
    }
}
