//! Dependencies: `requirements.txt` with pip, `package.json` with npm, kept in a cache by content.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;
use tokio::process::Command;

use super::cache::{self, Cache};
use crate::console::Console;

/// Installed dependencies, as a folder to lay under the code.
#[derive(Debug)]
pub struct Installed {
    /// The folder.
    pub path: PathBuf,
    /// Whether `node_modules` beside the code is to be left out for it.
    pub replaces_node_modules: bool,
    /// Removes the folder when it is not in the cache.
    _temporary: Option<TempDir>,
}

/// Why dependencies could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The program is not there.
    #[error("{what} needs {program}, which is not installed")]
    NoTool {
        /// The file that asks for it.
        what: &'static str,
        /// The program.
        program: String,
    },
    /// It said no.
    #[error("{program} could not install the dependencies:\n{tail}")]
    Failed {
        /// The program.
        program: String,
        /// The last lines it said.
        tail: String,
    },
    /// A file or folder of ours cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `package.json` is no JSON.
    #[error("{} cannot be understood", path.display())]
    Package {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl InstallError {
    /// Whether a program is missing.
    pub fn lacks_a_tool(&self) -> bool {
        matches!(self, Self::NoTool { .. })
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoTool { program, .. } if program.contains("pip") => {
                Some("install it (Debian: apt install python3-pip), or deploy a zip that has the dependencies".into())
            }
            Self::NoTool { program, .. } => {
                Some(format!("install {program}, or deploy a zip that has the dependencies"))
            }
            _ => None,
        }
    }
}

/// Installs what the code in `dir` asks for; `None` if it asks for nothing.
pub async fn install(
    dir: &Path,
    runtime: &str,
    console: &Console,
) -> Result<Option<Installed>, InstallError> {
    // Installers run elsewhere, so the path must not depend on where we are.
    let dir = std::path::absolute(dir).map_err(|source| InstallError::Io {
        path: dir.to_owned(),
        source,
    })?;
    if runtime.starts_with("python") {
        python(&dir, runtime, console).await
    } else if runtime.starts_with("nodejs") {
        node(&dir, runtime, console).await
    } else {
        Ok(None)
    }
}

async fn python(
    dir: &Path,
    runtime: &str,
    console: &Console,
) -> Result<Option<Installed>, InstallError> {
    let file = dir.join("requirements.txt");
    let Some(text) = read_optional(&file)? else {
        return Ok(None);
    };
    if !asks_for_packages(&text) {
        return Ok(None);
    }
    let key = cache::python_key(&text, runtime);
    let cache = Cache::open();
    if let Some(path) = cache
        .as_ref()
        .zip(key.as_ref())
        .and_then(|(cache, key)| cache.find(key))
    {
        console.note("dependencies: unchanged, from the cache");
        return Ok(Some(Installed {
            path,
            replaces_node_modules: false,
            _temporary: None,
        }));
    }
    let step = console.step("installing requirements.txt");
    let target = pip(&file, runtime, cache.as_ref(), console).await?;
    console.note(&format!(
        "dependencies: installed in {:.1} s",
        step.end().as_secs_f64()
    ));
    Ok(Some(kept(cache, key, target, false)))
}

/// Whether a `requirements.txt` has more than comments and options; `-r` and `-e` are no mere options.
fn asks_for_packages(text: &str) -> bool {
    let lines = text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.any(|line| !line.starts_with('-') || line.starts_with("-r") || line.starts_with("-e"))
}

/// Installs with pip into a folder of its own: wheels if there are wheels for all, else what pip makes.
async fn pip(
    file: &Path,
    runtime: &str,
    cache: Option<&Cache>,
    console: &Console,
) -> Result<TempDir, InstallError> {
    let interpreter = super::python::find(runtime).await?;
    let target = staging(cache)?;
    let output = run(&mut interpreter.pip_wheels(target.path(), file), "pip").await?;
    if output.status.success() {
        return Ok(target);
    }
    if !interpreter.matches {
        // What another version builds would not run.
        return Err(failed("pip", &output));
    }
    console.note("dependencies: not all are there as wheels; building the others from source");
    drop(target);
    let target = staging(cache)?;
    let output = run(&mut interpreter.pip(target.path(), file), "pip").await?;
    if output.status.success() {
        Ok(target)
    } else {
        Err(failed("pip", &output))
    }
}

async fn node(
    dir: &Path,
    runtime: &str,
    console: &Console,
) -> Result<Option<Installed>, InstallError> {
    let file = dir.join("package.json");
    let Some(text) = read_optional(&file)? else {
        return Ok(None);
    };
    let package: serde_json::Value = serde_json::from_str(&text)
        .map_err(|source| InstallError::Package { path: file, source })?;
    let asks = ["dependencies", "optionalDependencies"].iter().any(|kind| {
        package
            .get(kind)
            .and_then(|list| list.as_object())
            .is_some_and(|list| !list.is_empty())
    });
    if !asks {
        return Ok(None);
    }
    let lock = read_optional(&dir.join("package-lock.json"))?;
    let key = cache::node_key(&text, lock.as_deref(), runtime);
    let cache = Cache::open();
    if let Some(path) = cache
        .as_ref()
        .zip(key.as_ref())
        .and_then(|(cache, key)| cache.find(key))
    {
        console.note("dependencies: unchanged, from the cache");
        return Ok(Some(Installed {
            path,
            replaces_node_modules: true,
            _temporary: None,
        }));
    }
    let target = staging(cache.as_ref())?;
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        if dir.join(name).is_file() {
            fs::copy(dir.join(name), target.path().join(name)).map_err(|source| {
                InstallError::Io {
                    path: dir.join(name),
                    source,
                }
            })?;
        }
    }
    let step = console.step("installing package.json");
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--omit=dev",
        "--no-audit",
        "--no-fund",
        "--no-progress",
    ])
    .current_dir(target.path());
    let output = run(&mut npm, "npm").await?;
    if !output.status.success() {
        return Err(failed("npm", &output));
    }
    // Only what npm made: the rest comes from the code's own folder.
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        let _ = fs::remove_file(target.path().join(name));
    }
    console.note(&format!(
        "dependencies: installed in {:.1} s",
        step.end().as_secs_f64()
    ));
    Ok(Some(kept(cache, key, target, true)))
}

/// Keeps what was installed in the cache, if it can be there.
fn kept(
    cache: Option<Cache>,
    key: Option<String>,
    target: TempDir,
    replaces_node_modules: bool,
) -> Installed {
    if let (Some(cache), Some(key)) = (cache, key) {
        match cache.keep(&key, target) {
            Ok(path) => {
                return Installed {
                    path,
                    replaces_node_modules,
                    _temporary: None,
                };
            }
            Err(target) => {
                let path = target.path().to_owned();
                return Installed {
                    path,
                    replaces_node_modules,
                    _temporary: Some(target),
                };
            }
        }
    }
    Installed {
        path: target.path().to_owned(),
        replaces_node_modules,
        _temporary: Some(target),
    }
}

/// An empty folder, on the cache's file system if there is a cache.
fn staging(cache: Option<&Cache>) -> Result<TempDir, InstallError> {
    let made = match cache {
        Some(cache) => cache.staging(),
        None => tempfile::tempdir(),
    };
    made.map_err(|source| InstallError::Io {
        path: std::env::temp_dir(),
        source,
    })
}

/// Runs a program to its end. It dies with us, and what it puts into its `TMPDIR` goes then too.
pub(super) async fn run(command: &mut Command, program: &str) -> Result<Output, InstallError> {
    let scratch = tempfile::tempdir().map_err(|source| InstallError::Io {
        path: std::env::temp_dir(),
        source,
    })?;
    command
        .env("TMPDIR", scratch.path())
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    command
        .output()
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => InstallError::NoTool {
                what: "this function",
                program: program.to_owned(),
            },
            _ => InstallError::Io {
                path: PathBuf::from(program),
                source,
            },
        })
}

fn failed(program: &str, output: &Output) -> InstallError {
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let tail = lines[lines.len().saturating_sub(15)..].join("\n");
    InstallError::Failed {
        program: program.to_owned(),
        tail,
    }
}

fn read_optional(path: &Path) -> Result<Option<String>, InstallError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(InstallError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}
