//! `offshoot deploy`: from a folder, zip or template to functions that answer.
//!
//! 1. [`Plan`]s are made of flags, `workload.json`, a SAM template and the files' names.
//! 2. [`install`] gets dependencies, [`bundle`] zips them with the code: same files, same bytes.
//! 3. [`apply`] creates or updates through the Lambda API, and leaves alone what is unchanged.

mod apply;
mod args;
mod bundle;
mod cache;
mod infer;
mod install;
mod plan;
mod plans;
mod python;
mod walk;
mod workload;

use std::time::Instant;

use offshoot_lambda::generated::FunctionConfiguration;

pub use args::DeployArgs;
pub use bundle::BundleError;
pub use infer::version_of;
pub use install::InstallError;
pub use plan::{PlanError, Spec};

use apply::{Action, Deployed};
use bundle::Bundle;
use plan::{Plan, Source};

use crate::api::Client;
use crate::cli::Context;
use crate::console::{Console, bytes_for_people};
use crate::report::{Failure, Kind};

/// Deploys what `args` name.
pub async fn run(args: &DeployArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let plans = plans::plans(args, client.region(), &context.console)?;
    let several = plans.len() > 1;
    for plan in plans {
        let name = plan.name.clone();
        let deployed = deploy(&client, plan, &context.console).await;
        let deployed = deployed.map_err(|failure| {
            if several {
                failure.within(&name)
            } else {
                failure
            }
        })?;
        show(&deployed, &context.console)?;
    }
    Ok(())
}

async fn deploy(client: &Client, plan: Plan, console: &Console) -> Result<Deployed, Failure> {
    let begun = Instant::now();
    let have = client.get_function(&plan.name).await?;
    let mut spec = plan.spec;
    complete(&mut spec, &plan.name, &plan.source, have.as_ref())?;
    let runtime = spec
        .runtime
        .clone()
        .or_else(|| have.as_ref().and_then(|have| have.runtime.clone()));
    let bundle = package(plan.source, &runtime.unwrap_or_default(), console).await?;
    let step = console.step(&format!(
        "uploading {}",
        bytes_for_people(bundle.zip.len() as u64)
    ));
    let deployed = apply::apply(client, &plan.name, spec, bundle, have, begun).await;
    drop(step);
    deployed
}

/// A new function needs runtime and handler; an existing one keeps what nobody says otherwise.
fn complete(
    spec: &mut Spec,
    name: &str,
    source: &Source,
    have: Option<&FunctionConfiguration>,
) -> Result<(), PlanError> {
    if have.is_some() || (spec.runtime.is_some() && spec.handler.is_some()) {
        return Ok(());
    }
    let unclear = |what| PlanError::Unclear {
        what,
        name: name.to_owned(),
    };
    let inferred = infer::infer(source);
    if spec.runtime.is_none() {
        let family = inferred.as_ref().map(|inferred| inferred.runtime);
        spec.runtime = Some(family.ok_or_else(|| unclear("runtime"))?.runtime());
    }
    if spec.handler.is_none() {
        spec.handler = Some(inferred.ok_or_else(|| unclear("handler"))?.handler);
    }
    Ok(())
}

async fn package(source: Source, runtime: &str, console: &Console) -> Result<Bundle, Failure> {
    let (roots, installed) = match source {
        Source::Zip(path) => return Ok(bundle::existing(&path)?),
        Source::Dir(dir) => {
            let installed = install::install(&dir, runtime, console).await?;
            let replaced = installed
                .as_ref()
                .is_some_and(|installed| installed.replaces_node_modules);
            let skip = if replaced {
                vec!["node_modules"]
            } else {
                Vec::new()
            };
            let mut roots = vec![walk::Root { path: dir, skip }];
            if let Some(installed) = &installed {
                roots.insert(
                    0,
                    walk::Root {
                        path: installed.path.clone(),
                        skip: Vec::new(),
                    },
                );
            }
            (roots, installed)
        }
    };
    let step = console.step("zipping");
    let zipped = tokio::task::spawn_blocking(move || bundle::bundle(&roots)).await;
    drop((step, installed));
    match zipped {
        Ok(bundle) => Ok(bundle?),
        Err(_) => Err(Failure::new(Kind::Failed, "zipping the code was cut off")),
    }
}

fn show(deployed: &Deployed, console: &Console) -> Result<(), Failure> {
    if console.wants_json() {
        return Ok(console.json(deployed)?);
    }
    let did = match deployed.action {
        Action::Created => "created",
        Action::Updated => "updated",
        Action::Unchanged => "unchanged",
    };
    let mut text = format!(
        "{} {did} in {} ms\n  arn      {}\n  version  {}\n  size     {}",
        deployed.function_name,
        deployed.elapsed_ms,
        deployed.function_arn,
        deployed.version,
        bytes_for_people(deployed.code_size_bytes),
    );
    for (label, value) in [("alias", &deployed.alias), ("url", &deployed.url)] {
        if let Some(value) = value {
            text += &format!("\n  {label:<8} {value}");
        }
    }
    console.line(&crate::console::visible(&text))?;
    console.note(&format!(
        "try it: offshoot invoke {} -d '{{}}'",
        deployed.function_name
    ));
    Ok(())
}
