//! Layers.

use std::sync::Arc;

use offshoot_catalog::{Architecture, LayerVersion, NewLayerVersion, Runtime};
use offshoot_lambda::arn::{Home, LayerId};
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_lambda::generated::{
    DeleteLayerVersionRequest, GetLayerVersionByArnRequest, GetLayerVersionRequest,
    GetLayerVersionResponse, LayerVersionContentOutput, LayerVersionsListItem, LayersListItem,
    ListLayerVersionsRequest, ListLayerVersionsResponse, ListLayersRequest, ListLayersResponse,
    PublishLayerVersionRequest, PublishLayerVersionResponse,
};

use super::call::{Call, invalid, page, signed};
use super::code::{self, Source};
use super::configuration::timestamp;
use super::garbage;
use crate::body::Answer;
use crate::{Gateway, rescue};

/// PublishLayerVersion.
pub(super) async fn publish(call: Arc<Call>) -> Result<Answer, ApiError> {
    let mut input: PublishLayerVersionRequest = call.large_input().await?;
    let name = local_name(input.layer_name.as_deref(), call.home())?;
    let runtimes = known_runtimes(&input.compatible_runtimes.unwrap_or_default())?;
    let architectures = architectures(&input.compatible_architectures.unwrap_or_default());
    let upload = code::unpack(&call, Source::of_layer(input.content.take()).zip()?).await?;
    let new = NewLayerVersion {
        description: input.description.unwrap_or_default(),
        license: input.license_info,
        runtimes,
        architectures,
        code: upload.code,
    };
    let version = call
        .catalog()
        .publish_layer(&name, new)
        .await
        .map_err(|error| {
            garbage::release(&call.gateway, [upload.code.digest]);
            rescue::catalog(&error)
        })?;
    let shown = whole_version(&call, &name, &version);
    call.done(&PublishLayerVersionResponse {
        content: shown.content,
        layer_arn: shown.layer_arn,
        layer_version_arn: shown.layer_version_arn,
        description: shown.description,
        created_date: shown.created_date,
        version: shown.version,
        compatible_architectures: shown.compatible_architectures,
        compatible_runtimes: shown.compatible_runtimes,
        license_info: shown.license_info,
    })
}

/// GetLayerVersion.
pub(super) async fn get(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: GetLayerVersionRequest = call.input()?;
    let name = local_name(input.layer_name.as_deref(), call.home())?;
    show(&call, &name, input.version_number.unwrap_or_default())
}

/// GetLayerVersionByArn.
pub(super) async fn get_by_arn(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: GetLayerVersionByArnRequest = call.input()?;
    let arn = input.arn.unwrap_or_default();
    let name = local_name(Some(&arn), call.home())?;
    let version = LayerId::parse(&arn)?.version;
    let version = version.ok_or_else(|| invalid(format!("{arn} names no version of a layer.")))?;
    show(&call, &name, signed(version))
}

/// ListLayers.
pub(super) async fn list(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: ListLayersRequest = call.input()?;
    let wanted = fits(input.compatible_runtime, input.compatible_architecture);
    let page = page(input.marker, input.max_items);
    let found = call
        .catalog()
        .list_layers(wanted, &page)
        .map_err(|e| rescue::catalog(&e))?;
    let layers = found.items.iter().map(|(layer, latest)| LayersListItem {
        layer_name: Some(layer.name.to_string()),
        layer_arn: Some(layer.arn.to_string()),
        latest_matching_version: Some(listed(call.home(), &layer.name, latest)),
    });
    call.done(&ListLayersResponse {
        next_marker: found.next_marker,
        layers: Some(layers.collect()),
    })
}

/// ListLayerVersions.
pub(super) async fn list_versions(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: ListLayerVersionsRequest = call.input()?;
    let name = local_name(input.layer_name.as_deref(), call.home())?;
    let wanted = fits(input.compatible_runtime, input.compatible_architecture);
    let page = page(input.marker, input.max_items);
    let found = call
        .catalog()
        .list_layer_versions(&name, wanted, &page)
        .map_err(|e| rescue::catalog(&e))?;
    let versions = found
        .items
        .iter()
        .map(|version| listed(call.home(), &name, version));
    call.done(&ListLayerVersionsResponse {
        next_marker: found.next_marker,
        layer_versions: Some(versions.collect()),
    })
}

/// DeleteLayerVersion.
pub(super) async fn delete(call: Arc<Call>) -> Result<Answer, ApiError> {
    let input: DeleteLayerVersionRequest = call.input()?;
    let name = local_name(input.layer_name.as_deref(), call.home())?;
    let number = input.version_number.unwrap_or_default();
    let before = call.catalog().layer_version(&name, number).ok();
    let deleted = call.catalog().delete_layer_version(&name, number).await;
    deleted.map_err(|e| rescue::catalog(&e))?;
    garbage::release(&call.gateway, before.map(|version| version.code.digest));
    call.done_empty()
}

fn show(call: &Call, name: &str, number: i64) -> Result<Answer, ApiError> {
    let found = call.catalog().layer_version(name, number);
    let version = found.map_err(|e| rescue::catalog(&e))?;
    call.done(&whole_version(call, name, &version))
}

/// The name of the layer, which must be of this account and region.
fn local_name(text: Option<&str>, home: &Home) -> Result<String, ApiError> {
    let text = text.unwrap_or_default();
    let id = LayerId::parse(text)?;
    if id.account.is_some_and(|account| account != home.account) {
        let message =
            format!("The caller is not authorized to perform this action on resource: {text}");
        return Err(ApiError::new(ErrorKind::AccessDenied, message));
    }
    if let Some(region) = id.region.filter(|region| *region != home.region) {
        let message = format!(
            "Layers from '{region}' are not reachable in this region ('{}')",
            home.region
        );
        return Err(ApiError::new(ErrorKind::ResourceNotFound, message));
    }
    Ok(id.name.to_owned())
}

/// Those of `names` that offshoot runs. A layer for none of them is refused: an empty list would mean all.
fn known_runtimes(names: &[String]) -> Result<Vec<Runtime>, ApiError> {
    let known: Vec<Runtime> = names
        .iter()
        .filter_map(|name| Runtime::from_name(name))
        .collect();
    if known.is_empty() && !names.is_empty() {
        let supported = Runtime::ALL.map(Runtime::name).join(", ");
        return Err(invalid(format!(
            "None of the compatible runtimes is supported by offshoot. Supported runtimes: {supported}."
        )));
    }
    Ok(known)
}

fn architectures(names: &[String]) -> Vec<Architecture> {
    let all = [Architecture::X86_64, Architecture::Arm64];
    all.into_iter()
        .filter(|architecture| names.iter().any(|name| name == architecture.name()))
        .collect()
}

/// Whether a version says that it works with a runtime and an architecture. One that says nothing works with all.
fn fits(runtime: Option<String>, architecture: Option<String>) -> impl Fn(&LayerVersion) -> bool {
    move |version| {
        let runs = runtime.as_deref().is_none_or(|wanted| {
            let runtimes = &version.runtimes;
            runtimes.is_empty() || runtimes.iter().any(|runtime| runtime.name() == wanted)
        });
        let executes = architecture.as_deref().is_none_or(|wanted| {
            let architectures = &version.architectures;
            architectures.is_empty() || architectures.iter().any(|a| a.name() == wanted)
        });
        runs && executes
    }
}

fn listed(home: &Home, name: &str, version: &LayerVersion) -> LayerVersionsListItem {
    let runtimes = version
        .runtimes
        .iter()
        .map(|runtime| runtime.name().to_owned());
    let architectures = version.architectures.iter().map(|a| a.name().to_owned());
    LayerVersionsListItem {
        layer_version_arn: Some(home.layer_version_arn(name, version.version)),
        version: Some(signed(version.version)),
        description: Some(version.description.clone()),
        created_date: Some(timestamp(version.created_ms)),
        compatible_architectures: (!version.architectures.is_empty())
            .then(|| architectures.collect()),
        compatible_runtimes: (!version.runtimes.is_empty()).then(|| runtimes.collect()),
        license_info: version.license.clone(),
    }
}

fn whole_version(call: &Call, name: &str, version: &LayerVersion) -> GetLayerVersionResponse {
    let listed = listed(call.home(), name, version);
    GetLayerVersionResponse {
        content: Some(content(&call.gateway, version)),
        layer_arn: Some(call.home().layer_arn(name)),
        layer_version_arn: listed.layer_version_arn,
        description: listed.description,
        created_date: listed.created_date,
        version: listed.version,
        compatible_architectures: listed.compatible_architectures,
        compatible_runtimes: listed.compatible_runtimes,
        license_info: listed.license_info,
    }
}

fn content(gateway: &Gateway, version: &LayerVersion) -> LayerVersionContentOutput {
    LayerVersionContentOutput {
        location: Some(code::location(gateway, &version.code.digest)),
        code_sha256: Some(version.code.digest.to_base64()),
        code_size: Some(signed(version.code.size_bytes)),
        ..LayerVersionContentOutput::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use offshoot_catalog::CodeRef;
    use offshoot_package::Digest;

    fn home() -> Home {
        Home {
            partition: "aws".into(),
            region: "us-east-1".into(),
            account: "000000000000".into(),
        }
    }

    fn version(runtimes: Vec<Runtime>) -> LayerVersion {
        LayerVersion {
            version: 3,
            description: String::new(),
            license: None,
            runtimes,
            architectures: vec![Architecture::X86_64],
            code: CodeRef {
                digest: Digest::of(b""),
                size_bytes: 1,
                unzipped_bytes: 2,
            },
            created_ms: 0,
        }
    }

    #[test]
    fn layer_of_another_account_or_region_is_refused() {
        let home = home();
        assert_eq!(local_name(Some("deps"), &home).unwrap(), "deps");
        assert_eq!(
            local_name(Some(&home.layer_arn("deps")), &home).unwrap(),
            "deps"
        );
        let foreign = "arn:aws:lambda:us-east-1:111111111111:layer:deps";
        assert_eq!(
            local_name(Some(foreign), &home).unwrap_err().kind,
            ErrorKind::AccessDenied
        );
        let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:layer:deps";
        let refused = local_name(Some(elsewhere), &home).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::ResourceNotFound);
    }

    #[test]
    fn layer_for_no_runtime_of_ours_is_refused() {
        let both = ["python3.12".to_owned(), "python3.11".to_owned()];
        assert_eq!(known_runtimes(&both).unwrap(), [Runtime::Python311]);
        assert!(known_runtimes(&both[..1]).is_err());
        assert!(known_runtimes(&[]).unwrap().is_empty());
    }

    #[test]
    fn version_that_names_no_runtime_fits_all() {
        let python = || Some("python3.11".to_owned());
        assert!(fits(python(), None)(&version(vec![])));
        assert!(fits(python(), None)(&version(vec![Runtime::Python311])));
        assert!(!fits(python(), None)(&version(vec![Runtime::Nodejs20])));
        assert!(!fits(None, Some("arm64".into()))(&version(vec![])));
    }

    #[test]
    fn listed_version_has_its_arn_and_leaves_out_empty_lists() {
        let item = listed(&home(), "deps", &version(vec![]));
        let arn = "arn:aws:lambda:us-east-1:000000000000:layer:deps:3";
        assert_eq!(item.layer_version_arn.as_deref(), Some(arn));
        assert_eq!(item.compatible_runtimes, None);
        assert_eq!(
            item.compatible_architectures,
            Some(vec!["x86_64".to_owned()])
        );
    }
}
