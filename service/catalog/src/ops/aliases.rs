//! Aliases, with one weighted version at most.

use std::collections::BTreeMap;
use std::sync::Arc;

use offshoot_lambda::arn::Qualifier;
use uuid::Uuid;

use super::check_revision;
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::function::{Alias, Function};
use crate::version::VersionLabel;

/// An alias to create.
#[derive(Debug, Clone)]
pub struct NewAlias {
    /// Name: `[a-zA-Z0-9-_]`, not only digits, checked before.
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// Text for people.
    pub description: String,
    /// `AdditionalVersionWeights`: other versions and their shares.
    pub weights: BTreeMap<String, f64>,
}

/// Changes of an alias; `None` keeps what is.
#[derive(Debug, Clone, Default)]
pub struct AliasPatch {
    /// `$LATEST` or a number.
    pub version: Option<String>,
    /// Text for people.
    pub description: Option<String>,
    /// `AdditionalVersionWeights`; empty removes them.
    pub weights: Option<BTreeMap<String, f64>>,
    /// Refuse unless the alias has this revision.
    pub revision_id: Option<String>,
}

impl Catalog {
    /// Creates an alias.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`] (of the function or a version), [`CatalogError::AliasExists`],
    /// or a broken rule of weights.
    pub async fn create_alias(
        &self,
        function: &str,
        new: NewAlias,
    ) -> Result<Arc<Alias>, CatalogError> {
        self.change(function, |function, _| {
            let version = self.existing(function, &new.version)?;
            let arn = self
                .home
                .qualified_arn(&function.name, Qualifier::Alias(&new.name));
            if function.aliases.contains_key(&new.name) {
                return Err(CatalogError::AliasExists { arn });
            }
            let alias = Arc::new(Alias {
                name: new.name.clone(),
                arn: arn.into(),
                description: new.description.clone(),
                version,
                weighted: self.weighted(function, version, &new.weights)?,
                revision_id: Uuid::new_v4(),
            });
            function
                .aliases
                .insert(new.name.clone(), Arc::clone(&alias));
            Ok(alias)
        })
        .await
    }

    /// The alias `name`.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::AliasNotFound`].
    pub fn alias(&self, function: &str, name: &str) -> Result<Arc<Alias>, CatalogError> {
        let found = self.function(function)?.aliases.get(name).cloned();
        found.ok_or_else(|| self.alias_not_found(function, name))
    }

    /// Changes the alias `name`. Its revision changes even when nothing else does, as on Lambda.
    ///
    /// # Errors
    /// As [`Catalog::create_alias`] and [`Catalog::alias`]; [`CatalogError::StaleRevision`].
    pub async fn update_alias(
        &self,
        function: &str,
        name: &str,
        patch: AliasPatch,
    ) -> Result<Arc<Alias>, CatalogError> {
        self.change(function, |function, _| {
            let Some(old) = function.aliases.get(name) else {
                return Err(self.alias_not_found(&function.name, name));
            };
            check_revision(patch.revision_id.as_deref(), old.revision_id)?;
            let mut alias = Alias::clone(old);
            alias.revision_id = Uuid::new_v4();
            if let Some(version) = &patch.version {
                alias.version = self.existing(function, version)?;
            }
            alias.description = patch.description.clone().unwrap_or(alias.description);
            let kept = || {
                alias
                    .weighted
                    .iter()
                    .map(|(n, share)| (n.to_string(), *share))
                    .collect()
            };
            let weights = patch.weights.clone().unwrap_or_else(kept);
            alias.weighted = self.weighted(function, alias.version, &weights)?;
            let alias = Arc::new(alias);
            function.aliases.insert(name.to_owned(), Arc::clone(&alias));
            Ok(alias)
        })
        .await
    }

    /// Deletes the alias `name` with its URL, policy and settings; deleting what is not there is fine.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`].
    pub async fn delete_alias(&self, function: &str, name: &str) -> Result<(), CatalogError> {
        self.change(function, |function, _| {
            if function.aliases.remove(name).is_some() {
                function.urls.remove(name);
                function.invoke_configs.remove(name);
                function.policies.remove(name);
            }
            Ok(())
        })
        .await
    }

    fn alias_not_found(&self, function: &str, name: &str) -> CatalogError {
        let arn = self.home.qualified_arn(function, Qualifier::Alias(name));
        CatalogError::AliasNotFound { arn }
    }

    fn existing(&self, function: &Function, version: &str) -> Result<VersionLabel, CatalogError> {
        let label: Option<VersionLabel> = version.parse().ok();
        let label = label.filter(|label| function.version(*label).is_some());
        label.ok_or_else(|| self.not_found(&function.name, version))
    }

    /// The rules of `AdditionalVersionWeights` for an alias of `version`.
    fn weighted(
        &self,
        function: &Function,
        version: VersionLabel,
        weights: &BTreeMap<String, f64>,
    ) -> Result<Option<(u64, f64)>, CatalogError> {
        if weights.len() > 1 {
            return Err(CatalogError::TooManyWeights);
        }
        let Some((other, &weight)) = weights.first_key_value() else {
            return Ok(None);
        };
        let (text, label) = (|| other.clone(), version.to_string());
        if !(0.0..=1.0).contains(&weight) {
            return Err(CatalogError::BadWeight {
                version: text(),
                weight,
            });
        }
        if *other == label {
            return Err(CatalogError::WeightOfSameVersion { version: text() });
        }
        if version == VersionLabel::Latest {
            return Err(CatalogError::LatestWithWeights);
        }
        if other.is_empty() || !other.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CatalogError::BadWeightKey {
                version: text(),
                weight,
            });
        }
        match self.existing(function, other)? {
            VersionLabel::Number(number) => Ok(Some((number, weight))),
            VersionLabel::Latest => Err(CatalogError::LatestWithWeights),
        }
    }
}
