//! Where the service model comes from: a file given by the user, or the botocore package of the
//! `python3` on the path.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use flate2::read::GzDecoder;

use super::BOTOCORE_VERSION;
use super::model::Model;

const MODEL_IN_PACKAGE: &str = "data/lambda/2015-03-31/service-2.json.gz";

/// Reads the model at `path`, or else the one of the installed botocore.
pub fn load(path: Option<&Path>) -> anyhow::Result<Model> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => package_dir()?.join(MODEL_IN_PACKAGE),
    };
    check_version(&path)?;
    let file = fs::File::open(&path).with_context(|| format!("opening {}", path.display()))?;
    let mut json = String::new();
    GzDecoder::new(file)
        .read_to_string(&mut json)
        .with_context(|| format!("unpacking {}", path.display()))?;
    serde_json::from_str(&json).with_context(|| format!("decoding {}", path.display()))
}

fn package_dir() -> anyhow::Result<PathBuf> {
    let output = Command::new("python3")
        .args(["-c", "import botocore; print(botocore.__path__[0])"])
        .output()
        .context("starting python3")?;
    if !output.status.success() {
        bail!("python3 has no botocore; {}", remedy());
    }
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// `__version__` stands in the package's `__init__.py`, four folders above the model.
fn check_version(model: &Path) -> anyhow::Result<()> {
    let package = model
        .ancestors()
        .nth(4)
        .context("the model is not inside a botocore package")?;
    let init = package.join("__init__.py");
    let text = fs::read_to_string(&init)
        .with_context(|| format!("reading the botocore version from {}", init.display()))?;
    match version_in(&text) {
        Some(BOTOCORE_VERSION) => Ok(()),
        Some(other) => bail!("{} is of botocore {other}; {}", model.display(), remedy()),
        None => bail!("{} states no version", init.display()),
    }
}

fn version_in(init_py: &str) -> Option<&str> {
    let line = init_py
        .lines()
        .find(|line| line.starts_with("__version__"))?;
    line.split(['\'', '"']).nth(1)
}

fn remedy() -> String {
    format!(
        "the checked-in code is of {BOTOCORE_VERSION}: run `python3 -m pip install \
         botocore=={BOTOCORE_VERSION}` (in a virtual environment, if you like), or pass \
         `--model <botocore>/{MODEL_IN_PACKAGE}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_from_init_py() {
        assert_eq!(
            version_in("import x\n__version__ = '1.44.5'\n"),
            Some("1.44.5")
        );
        assert_eq!(version_in("import x\n"), None);
    }
}
