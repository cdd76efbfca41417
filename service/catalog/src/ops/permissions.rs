//! Resource policies: stored and shown, not enforced.

use std::sync::Arc;

use uuid::Uuid;

use super::check_revision;
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::function::{Function, LATEST, Policy, Statement};

impl Catalog {
    /// Adds a statement to the policy of a qualifier (`None` for the function).
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::StatementExists`],
    /// [`CatalogError::StaleRevision`].
    pub async fn add_permission(
        &self,
        name: &str,
        qualifier: Option<&str>,
        statement_id: &str,
        statement: Statement,
        revision_id: Option<&str>,
    ) -> Result<(), CatalogError> {
        self.describe(name, qualifier)?;
        let scope = qualifier.unwrap_or(LATEST);
        self.change(name, |function, _| {
            check_revision(revision_id, revision_of(function, scope))?;
            let policy = function.policies.entry(scope.to_owned()).or_default();
            if policy.statements.contains_key(statement_id) {
                return Err(CatalogError::StatementExists {
                    id: statement_id.into(),
                });
            }
            policy
                .statements
                .insert(statement_id.to_owned(), statement.clone());
            touch(function, scope);
            Ok(())
        })
        .await
    }

    /// Removes a statement of the policy of a qualifier (`None` for the function).
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::PolicyNotFound`],
    /// [`CatalogError::StatementNotFound`], [`CatalogError::StaleRevision`].
    pub async fn remove_permission(
        &self,
        name: &str,
        qualifier: Option<&str>,
        statement_id: &str,
        revision_id: Option<&str>,
    ) -> Result<(), CatalogError> {
        let scope = qualifier.unwrap_or(LATEST);
        self.change(name, |function, _| {
            let current = revision_of(function, scope);
            let policy = function
                .policies
                .get_mut(scope)
                .ok_or(CatalogError::PolicyNotFound)?;
            if !policy.statements.contains_key(statement_id) {
                return Err(CatalogError::StatementNotFound {
                    id: statement_id.into(),
                });
            }
            check_revision(revision_id, current)?;
            policy.statements.remove(statement_id);
            if policy.statements.is_empty() {
                function.policies.remove(scope);
            }
            touch(function, scope);
            Ok(())
        })
        .await
    }

    /// The policy of a qualifier (`None` for the function) and its `RevisionId`.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::PolicyNotFound`].
    pub fn policy(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(Policy, Uuid), CatalogError> {
        let function = self.describe(name, qualifier)?.function;
        let scope = qualifier.unwrap_or(LATEST);
        let policy = function
            .policies
            .get(scope)
            .cloned()
            .ok_or(CatalogError::PolicyNotFound)?;
        Ok((policy, revision_of(&function, scope)))
    }
}

/// The `RevisionId` of what `scope` names.
fn revision_of(function: &Function, scope: &str) -> Uuid {
    let version = scope.parse().ok().and_then(|label| function.version(label));
    match (function.aliases.get(scope), version) {
        (Some(alias), _) => alias.revision_id,
        (None, Some(version)) => version.revision_id,
        (None, None) => function.latest.revision_id,
    }
}

/// Gives what `scope` names a new `RevisionId`.
fn touch(function: &mut Function, scope: &str) {
    let number = scope.parse().ok();
    if let Some(alias) = function.aliases.get_mut(scope) {
        Arc::make_mut(alias).revision_id = Uuid::new_v4();
    } else if let Some(version) = number.and_then(|number: u64| function.versions.get_mut(&number))
    {
        Arc::make_mut(version).revision_id = Uuid::new_v4();
    } else {
        function.touch();
    }
}
