//! The documents as they are stored, apart from the types at run time.
//!
//! Promise: a document of an older format is read; fields that are not known are ignored; a newer
//! `format` is refused by name. What can be computed (ARNs, keys) is not stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use offshoot_lambda::arn::{Home, Qualifier};
use offshoot_state::Document;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::error::CatalogError;
use crate::function::{Alias, Function, InvokeConfig, Policy, UrlConfig};
use crate::layer::{Layer, LayerVersion};
use crate::settings::Settings;
use crate::version::{CodeRef, LayerRef, VersionConfig, VersionKey, VersionLabel};

/// The newest format of both kinds of documents.
const FORMAT: u32 = 1;

pub(crate) const FUNCTION_PREFIX: &str = "function/";
pub(crate) const LAYER_PREFIX: &str = "layer/";

#[derive(Serialize, Deserialize)]
struct SavedFunction {
    format: u32,
    latest: SavedVersion,
    versions: BTreeMap<u64, SavedVersion>,
    next_version: u64,
    aliases: BTreeMap<String, SavedAlias>,
    tags: BTreeMap<String, String>,
    reserved_concurrency: Option<u32>,
    urls: BTreeMap<String, Arc<UrlConfig>>,
    invoke_configs: BTreeMap<String, Arc<InvokeConfig>>,
    policies: BTreeMap<String, Policy>,
}

#[derive(Serialize, Deserialize)]
struct SavedVersion {
    revision: Uuid,
    revision_id: Uuid,
    settings: Settings,
    layers: Vec<LayerRef>,
    code: CodeRef,
    last_modified_ms: i64,
    source_description: String,
}

#[derive(Serialize, Deserialize)]
struct SavedAlias {
    description: String,
    version: String,
    weighted: Option<(u64, f64)>,
    revision_id: Uuid,
}

#[derive(Serialize, Deserialize)]
struct SavedLayer {
    format: u32,
    versions: BTreeMap<u64, Arc<LayerVersion>>,
    next_version: u64,
}

/// What every format begins with.
#[derive(Deserialize)]
struct Envelope {
    format: u32,
}

/// The document of `function`.
pub(crate) fn save_function(function: &Function) -> Result<Box<RawValue>, CatalogError> {
    let saved = SavedFunction {
        format: FORMAT,
        latest: save_version(&function.latest),
        versions: function
            .versions
            .iter()
            .map(|(n, v)| (*n, save_version(v)))
            .collect(),
        next_version: function.next_version,
        aliases: function
            .aliases
            .iter()
            .map(|(n, a)| (n.clone(), save_alias(a)))
            .collect(),
        tags: function.tags.clone(),
        reserved_concurrency: function.reserved_concurrency,
        urls: function.urls.clone(),
        invoke_configs: function.invoke_configs.clone(),
        policies: function.policies.clone(),
    };
    let key = || format!("{FUNCTION_PREFIX}{}", function.name);
    to_raw_value(&saved).map_err(|source| CatalogError::DamagedDocument { key: key(), source })
}

/// The document of `layer`.
pub(crate) fn save_layer(layer: &Layer) -> Result<Box<RawValue>, CatalogError> {
    let (versions, next_version) = (layer.versions.clone(), layer.next_version);
    let saved = SavedLayer {
        format: FORMAT,
        versions,
        next_version,
    };
    let key = || format!("{LAYER_PREFIX}{}", layer.name);
    to_raw_value(&saved).map_err(|source| CatalogError::DamagedDocument { key: key(), source })
}

/// Reads the document of a function.
pub(crate) fn load_function(document: &Document, home: &Home) -> Result<Function, CatalogError> {
    let saved: SavedFunction = parse(document)?;
    let name: Arc<str> = document.key.trim_start_matches(FUNCTION_PREFIX).into();
    let version = |label, saved| Arc::new(load_version(&name, label, saved, home));
    let function = Function {
        arn: home.function_arn(&name).into(),
        latest: version(VersionLabel::Latest, saved.latest),
        versions: saved
            .versions
            .into_iter()
            .map(|(n, saved)| (n, version(VersionLabel::Number(n), saved)))
            .collect(),
        next_version: saved.next_version,
        aliases: saved
            .aliases
            .into_iter()
            .map(|(alias, saved)| load_alias(document, &name, alias, saved, home))
            .collect::<Result<_, _>>()?,
        tags: saved.tags,
        reserved_concurrency: saved.reserved_concurrency,
        urls: saved.urls,
        invoke_configs: saved.invoke_configs,
        policies: saved.policies,
        rev: Some(document.rev),
        name,
    };
    check_references(document, &function)?;
    Ok(function)
}

/// Reads the document of a layer.
pub(crate) fn load_layer(document: &Document, home: &Home) -> Result<Layer, CatalogError> {
    let saved: SavedLayer = parse(document)?;
    let name = document.key.trim_start_matches(LAYER_PREFIX);
    check_next_version(
        document,
        saved.versions.last_key_value(),
        saved.next_version,
    )?;
    Ok(Layer {
        name: name.into(),
        arn: home.layer_arn(name).into(),
        versions: saved.versions,
        next_version: saved.next_version,
        rev: Some(document.rev),
    })
}

/// A version's run-time form.
pub(crate) fn qualified_arn(home: &Home, name: &str, label: VersionLabel) -> Arc<str> {
    let qualifier = match label {
        VersionLabel::Latest => Qualifier::Latest,
        VersionLabel::Number(number) => Qualifier::Version(number),
    };
    home.qualified_arn(name, qualifier).into()
}

fn parse<'a, T: Deserialize<'a>>(document: &'a Document) -> Result<T, CatalogError> {
    let key = &document.key;
    let damaged = |source| CatalogError::DamagedDocument {
        key: key.clone(),
        source,
    };
    let Envelope { format } = serde_json::from_str(document.body.get()).map_err(damaged)?;
    if format > FORMAT {
        return Err(CatalogError::NewerFormat {
            key: key.clone(),
            found: format,
            known: FORMAT,
        });
    }
    serde_json::from_str(document.body.get()).map_err(damaged)
}

fn save_version(version: &VersionConfig) -> SavedVersion {
    SavedVersion {
        revision: version.key.revision,
        revision_id: version.revision_id,
        settings: version.settings.clone(),
        layers: version.layers.clone(),
        code: version.code,
        last_modified_ms: version.last_modified_ms,
        source_description: version.source_description.clone(),
    }
}

fn load_version(
    name: &Arc<str>,
    label: VersionLabel,
    saved: SavedVersion,
    home: &Home,
) -> VersionConfig {
    VersionConfig {
        key: VersionKey {
            function: Arc::clone(name),
            version: label.to_string().into(),
            revision: saved.revision,
        },
        label,
        qualified_arn: qualified_arn(home, name, label),
        revision_id: saved.revision_id,
        settings: saved.settings,
        layers: saved.layers,
        code: saved.code,
        last_modified_ms: saved.last_modified_ms,
        source_description: saved.source_description,
    }
}

fn save_alias(alias: &Alias) -> SavedAlias {
    SavedAlias {
        description: alias.description.clone(),
        version: alias.version.to_string(),
        weighted: alias.weighted,
        revision_id: alias.revision_id,
    }
}

fn load_alias(
    document: &Document,
    function: &str,
    name: String,
    saved: SavedAlias,
    home: &Home,
) -> Result<(String, Arc<Alias>), CatalogError> {
    let version = saved
        .version
        .parse()
        .map_err(|_| CatalogError::Contradiction {
            key: document.key.clone(),
            what: format!("alias {name} of version {:?}", saved.version),
        })?;
    let alias = Alias {
        arn: home.qualified_arn(function, Qualifier::Alias(&name)).into(),
        name: name.clone(),
        description: saved.description,
        version,
        weighted: saved.weighted,
        revision_id: saved.revision_id,
    };
    Ok((name, Arc::new(alias)))
}

/// An alias without its version would fail invocations; better to say so at start.
fn check_references(document: &Document, function: &Function) -> Result<(), CatalogError> {
    check_next_version(
        document,
        function.versions.last_key_value(),
        function.next_version,
    )?;
    for alias in function.aliases.values() {
        let weighted = alias
            .weighted
            .map(|(number, _)| VersionLabel::Number(number));
        for label in weighted.into_iter().chain([alias.version]) {
            if function.version(label).is_none() {
                let what = format!("alias {} refers to missing version {label}", alias.name);
                return Err(CatalogError::Contradiction {
                    key: document.key.clone(),
                    what,
                });
            }
        }
    }
    Ok(())
}

/// Version numbers begin at 1 and are not used twice.
fn check_next_version<V>(
    document: &Document,
    last: Option<(&u64, V)>,
    next: u64,
) -> Result<(), CatalogError> {
    let last = last.map_or(0, |(number, _)| *number);
    if next > last {
        return Ok(());
    }
    let what = format!("version {last} exists and the next one would be {next}");
    Err(CatalogError::Contradiction {
        key: document.key.clone(),
        what,
    })
}
