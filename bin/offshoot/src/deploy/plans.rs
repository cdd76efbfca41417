//! From the command line to one plan for each function.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::args::DeployArgs;
use super::plan::{Plan, PlanError, Source, Spec, name_of};
use super::workload;
use crate::console::Console;
use crate::report::Failure;
use crate::template::{self, Givens, SamFunction};

/// A template is shorter; AWS refuses those above 1 MB.
const MAX_TEMPLATE_BYTES: u64 = 1 << 20;
/// What SAM looks for in a folder.
const TEMPLATES: [&str; 2] = ["template.yaml", "template.yml"];

/// What `args` ask for.
pub fn plans(args: &DeployArgs, region: &str, console: &Console) -> Result<Vec<Plan>, Failure> {
    match target(&args.path)? {
        Target::Code(source) => Ok(vec![single(args, source)?]),
        Target::Template(path) => from_template(args, &path, region, console),
    }
}

enum Target {
    Code(Source),
    Template(PathBuf),
}

fn target(path: &Path) -> Result<Target, PlanError> {
    let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => PlanError::Missing {
            path: path.to_owned(),
        },
        _ => PlanError::Read {
            path: path.to_owned(),
            source,
        },
    })?;
    if metadata.is_dir() {
        let template = TEMPLATES
            .iter()
            .map(|name| path.join(name))
            .find(|path| path.is_file());
        return Ok(match template {
            Some(template) => Target::Template(template),
            None => Target::Code(Source::Dir(path.to_owned())),
        });
    }
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "zip" if metadata.is_file() => Ok(Target::Code(Source::Zip(path.to_owned()))),
        "yaml" | "yml" | "json" if metadata.is_file() => Ok(Target::Template(path.to_owned())),
        _ => Err(PlanError::NotDeployable {
            path: path.to_owned(),
        }),
    }
}

fn single(args: &DeployArgs, source: Source) -> Result<Plan, PlanError> {
    let (beside, path) = match &source {
        Source::Dir(dir) => (workload::read(dir)?, dir),
        Source::Zip(path) => (Spec::default(), path),
    };
    let spec = beside.overlaid(args.spec());
    let name = match &spec.name {
        Some(name) => name.clone(),
        None => name_of(path)?,
    };
    Ok(Plan { name, source, spec })
}

fn from_template(
    args: &DeployArgs,
    path: &Path,
    region: &str,
    console: &Console,
) -> Result<Vec<Plan>, Failure> {
    let givens = Givens {
        parameters: args.parameter.iter().cloned().collect(),
        variables: args.env.iter().map(|(name, _)| name.clone()).collect(),
        region: region.to_owned(),
    };
    let template = template::read(path, &read_template(path)?, &givens)?;
    if !template.ignored.is_empty() {
        console.warn(&format!(
            "{}: no effect here: {}",
            path.display(),
            template.ignored.join(", ")
        ));
    }
    let count = template.functions.len();
    for (flag, given) in [
        ("--name", args.name.is_some()),
        ("--handler", args.handler.is_some()),
    ] {
        if given && count > 1 {
            return Err(PlanError::Several { flag, count }.into());
        }
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let plan = |function: SamFunction| plan_of(function, args, base);
    Ok(template
        .functions
        .into_iter()
        .map(plan)
        .collect::<Result<_, _>>()?)
}

fn plan_of(function: SamFunction, args: &DeployArgs, base: &Path) -> Result<Plan, PlanError> {
    let spec = function.spec.overlaid(args.spec());
    let path = base.join(&function.code_uri);
    let source = match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Source::Dir(path),
        Ok(_) if path.extension().is_some_and(|extension| extension == "zip") => Source::Zip(path),
        Ok(_) => return Err(PlanError::NotDeployable { path }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(PlanError::Missing { path });
        }
        Err(source) => return Err(PlanError::Read { path, source }),
    };
    let name = spec.name.clone().unwrap_or(function.logical);
    Ok(Plan { name, source, spec })
}

fn read_template(path: &Path) -> Result<String, PlanError> {
    let failed = |source| PlanError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_TEMPLATE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > MAX_TEMPLATE_BYTES {
        return Err(failed(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "a template has at most 1 MiB",
        )));
    }
    Ok(text)
}
