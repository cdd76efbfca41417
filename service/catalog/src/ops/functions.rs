//! Creating, changing and deleting functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use offshoot_lambda::arn::Qualifier;
use uuid::Uuid;

use super::check_revision;
use super::versions::publish;
use crate::catalog::{Catalog, now_ms};
use crate::error::CatalogError;
use crate::function::{Alias, Function};
use crate::rules::{check_settings, check_size, check_tags, find_layers};
use crate::saved::{FUNCTION_PREFIX, qualified_arn, save_function};
use crate::settings::{Architecture, Settings, SettingsPatch};
use crate::store::{Memory, WriteError};
use crate::version::{CodeRef, LayerRef, VersionConfig, VersionKey, VersionLabel};

/// A function to create.
#[derive(Debug, Clone)]
pub struct NewFunction {
    /// Name: 1 to 64 characters of `[a-zA-Z0-9-_]`, checked before.
    pub name: String,
    /// Configuration.
    pub settings: Settings,
    /// Layer version ARNs, lowest first.
    pub layers: Vec<String>,
    /// Unpacked code.
    pub code: CodeRef,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether to publish version 1 as well.
    pub publish: bool,
}

/// New code for `$LATEST`.
#[derive(Debug, Clone)]
pub struct UpdateCode {
    /// Unpacked code.
    pub code: CodeRef,
    /// Instruction set, if it changes.
    pub architecture: Option<Architecture>,
    /// Whether to publish a version as well.
    pub publish: bool,
    /// Check everything, change nothing.
    pub dry_run: bool,
    /// Refuse unless `$LATEST` has this revision.
    pub revision_id: Option<String>,
}

/// What GetFunction answers.
#[derive(Debug, Clone)]
pub struct FunctionInfo {
    /// The function.
    pub function: Arc<Function>,
    /// The version that the qualifier means.
    pub version: Arc<VersionConfig>,
    /// The alias, if the qualifier is one.
    pub alias: Option<Arc<Alias>>,
}

impl Catalog {
    /// Creates a function; gives the published version if one was asked for, else `$LATEST`.
    ///
    /// # Errors
    /// [`CatalogError::FunctionExists`], or a broken rule of settings, layers, size or tags.
    pub async fn create_function(
        &self,
        new: NewFunction,
    ) -> Result<Arc<VersionConfig>, CatalogError> {
        let turn = self.store.turn().await;
        if self.function(&new.name).is_ok() {
            return Err(CatalogError::FunctionExists { name: new.name });
        }
        check_tags(&new.tags)?;
        let publish_too = new.publish;
        let layers = find_layers(&self.store.memory(), &self.home, &new.layers)?;
        let mut function = self.first_function(new, layers)?;
        let answer = if publish_too {
            publish(&mut function, &self.home, None)
        } else {
            Arc::clone(&function.latest)
        };
        let name = Arc::clone(&function.name);
        let (key, body) = (
            format!("{FUNCTION_PREFIX}{name}"),
            save_function(&function)?,
        );
        let remember = move |memory: &mut Memory, rev| {
            memory.put_function(Function {
                rev: Some(rev),
                ..function
            });
        };
        match self
            .store
            .write(turn, key, Some(body), None, remember)
            .await
        {
            Ok(_) => Ok(answer),
            Err(WriteError::Conflict(_)) => {
                self.store.reload_function(&name, &self.home).await?;
                Err(CatalogError::FunctionExists {
                    name: name.to_string(),
                })
            }
            Err(WriteError::Failed(error)) => Err(error),
        }
    }

    fn first_function(
        &self,
        new: NewFunction,
        layers: Vec<LayerRef>,
    ) -> Result<Function, CatalogError> {
        let name: Arc<str> = new.name.into();
        let latest = VersionConfig {
            key: VersionKey {
                function: Arc::clone(&name),
                version: VersionLabel::Latest.to_string().into(),
                revision: Uuid::new_v4(),
            },
            label: VersionLabel::Latest,
            qualified_arn: qualified_arn(&self.home, &name, VersionLabel::Latest),
            revision_id: Uuid::new_v4(),
            source_description: new.settings.description.clone(),
            settings: new.settings,
            layers,
            code: new.code,
            last_modified_ms: now_ms(),
        };
        check_version(&latest)?;
        Ok(Function {
            arn: self.home.function_arn(&name).into(),
            name,
            latest: Arc::new(latest),
            versions: BTreeMap::new(),
            next_version: 1,
            aliases: BTreeMap::new(),
            tags: new.tags,
            reserved_concurrency: None,
            urls: BTreeMap::new(),
            invoke_configs: BTreeMap::new(),
            policies: BTreeMap::new(),
            rev: None,
        })
    }

    /// Gives `$LATEST` new code; gives the published version if one was asked for, else `$LATEST`.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::StaleRevision`], size rules.
    pub async fn update_code(
        &self,
        name: &str,
        update: UpdateCode,
    ) -> Result<Arc<VersionConfig>, CatalogError> {
        self.change(name, |function, _| {
            check_revision(update.revision_id.as_deref(), function.latest.revision_id)?;
            let mut latest = renewed(&function.latest);
            latest.code = update.code;
            if let Some(architecture) = update.architecture {
                latest.settings.architecture = architecture;
            }
            check_version(&latest)?;
            if update.dry_run {
                return Ok(Arc::new(latest));
            }
            function.latest = Arc::new(latest);
            Ok(match update.publish {
                true => publish(function, &self.home, None),
                false => Arc::clone(&function.latest),
            })
        })
        .await
    }

    /// Changes the configuration of `$LATEST`.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::StaleRevision`], or a broken rule of settings,
    /// layers or size.
    pub async fn update_configuration(
        &self,
        name: &str,
        patch: SettingsPatch,
        revision_id: Option<&str>,
    ) -> Result<Arc<VersionConfig>, CatalogError> {
        self.change(name, |function, memory| {
            check_revision(revision_id, function.latest.revision_id)?;
            let mut latest = renewed(&function.latest);
            if let Some(arns) = &patch.layers {
                latest.layers = find_layers(memory, &self.home, arns)?;
            }
            latest.settings.apply(patch.clone());
            latest
                .source_description
                .clone_from(&latest.settings.description);
            check_version(&latest)?;
            function.latest = Arc::new(latest);
            Ok(Arc::clone(&function.latest))
        })
        .await
    }

    /// What `qualifier` (`None` for `$LATEST`) of the function `name` means.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`].
    pub fn describe(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<FunctionInfo, CatalogError> {
        let Some(text) = qualifier else {
            let function = self.function(name)?;
            let version = Arc::clone(&function.latest);
            return Ok(FunctionInfo {
                function,
                version,
                alias: None,
            });
        };
        let not_found = || self.not_found(name, text);
        let function = self.function(name).map_err(|_| not_found())?;
        let (label, alias) = match Qualifier::parse_query(text).map_err(|_| not_found())? {
            Qualifier::Latest => (VersionLabel::Latest, None),
            Qualifier::Version(number) => (VersionLabel::Number(number), None),
            Qualifier::Alias(alias) => {
                let alias = function.aliases.get(alias).cloned().ok_or_else(not_found)?;
                (alias.version, Some(alias))
            }
        };
        let version = function.version(label).cloned().ok_or_else(not_found)?;
        Ok(FunctionInfo {
            function,
            version,
            alias,
        })
    }

    /// Deletes the function with everything that hangs on it or, with a qualifier, one version.
    /// Deleting a version that does not exist is fine, as on Lambda.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::LatestNotDeletable`],
    /// [`CatalogError::AliasNotDeletableHere`], [`CatalogError::VersionInUse`].
    pub async fn delete_function(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), CatalogError> {
        let Some(text) = qualifier else {
            return self.delete_whole(name).await;
        };
        match Qualifier::parse_query(text) {
            Ok(Qualifier::Latest) => Err(CatalogError::LatestNotDeletable),
            Ok(Qualifier::Alias(_)) => Err(CatalogError::AliasNotDeletableHere),
            Ok(Qualifier::Version(number)) => {
                self.change(name, |function, _| delete_version(function, number))
                    .await
            }
            Err(_) => self.function(name).map(drop),
        }
    }

    async fn delete_whole(&self, name: &str) -> Result<(), CatalogError> {
        let mut turn = self.store.turn().await;
        loop {
            let function = self.function(name)?;
            let (key, owned) = (
                format!("{FUNCTION_PREFIX}{name}"),
                Arc::clone(&function.name),
            );
            let forget = move |memory: &mut Memory, _| memory.remove_function(&owned);
            match self
                .store
                .write(turn, key, None, function.rev, forget)
                .await
            {
                Ok(_) => return Ok(()),
                Err(WriteError::Conflict(mine)) => turn = mine,
                Err(WriteError::Failed(error)) => return Err(error),
            }
            self.store.reload_function(name, &self.home).await?;
        }
    }
}

/// A copy of `$LATEST` with a new identity, to be changed.
fn renewed(latest: &VersionConfig) -> VersionConfig {
    let mut latest = latest.clone();
    latest.key.revision = Uuid::new_v4();
    latest.revision_id = Uuid::new_v4();
    latest.last_modified_ms = now_ms();
    latest
}

fn check_version(version: &VersionConfig) -> Result<(), CatalogError> {
    check_settings(&version.settings)?;
    check_size(&version.code, &version.layers)
}

fn delete_version(function: &mut Function, number: u64) -> Result<(), CatalogError> {
    let refers = |alias: &&Arc<Alias>| {
        let weighted = alias.weighted.is_some_and(|(other, _)| other == number);
        weighted || alias.version == VersionLabel::Number(number)
    };
    if let Some(alias) = function.aliases.values().find(refers) {
        let alias = alias.name.clone();
        return Err(CatalogError::VersionInUse {
            version: number,
            alias,
        });
    }
    let scope = number.to_string();
    function.versions.remove(&number);
    function.invoke_configs.remove(&scope);
    function.policies.remove(&scope);
    Ok(())
}
