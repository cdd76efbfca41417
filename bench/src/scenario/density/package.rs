//! A function that needs numpy and can be kept busy.

use std::fs;
use std::path::Path;

use anyhow::Context;
use offshoot_testkit::{FunctionSpec, zip_folder};

use crate::workload;

const HANDLER: &str = include_str!("../../seeds/numpy_holder.py");
/// The workload that brings numpy.
const WITH_NUMPY: &str = "linpack";
const TIMEOUT_S: u32 = 900;

pub(super) fn function(name: &str) -> FunctionSpec {
    FunctionSpec {
        timeout_s: TIMEOUT_S,
        memory_mb: 256,
        ..FunctionSpec::python(name)
    }
}

/// The packages of a workload that has numpy, with the handler instead of its own.
pub(super) fn zip(workloads_dir: &Path) -> anyhow::Result<Vec<u8>> {
    let mut found = workload::load(workloads_dir, &[WITH_NUMPY.to_owned()], false)?;
    let linpack = found.pop().context("there is no workload with numpy")?;
    let folder = tempfile::tempdir()?;
    copy(&linpack.package, folder.path())?;
    // Byte code of the other handler would be taken for this one's.
    let _ = fs::remove_dir_all(folder.path().join("__pycache__"));
    fs::write(folder.path().join("app.py"), HANDLER)?;
    zip_folder(folder.path()).context("cannot pack numpy")
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}
