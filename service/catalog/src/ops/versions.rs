//! Publishing versions.

use std::sync::Arc;

use offshoot_lambda::arn::Home;
use uuid::Uuid;

use super::check_revision;
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::function::Function;
use crate::saved::qualified_arn;
use crate::version::{VersionConfig, VersionKey, VersionLabel};

/// What to publish, and under which conditions.
#[derive(Debug, Clone, Default)]
pub struct Publish {
    /// Description of the version instead of that of `$LATEST`.
    pub description: Option<String>,
    /// Refuse unless `$LATEST` has this code: base64 of the SHA-256 of its zip.
    pub code_sha256: Option<String>,
    /// Refuse unless `$LATEST` has this revision.
    pub revision_id: Option<String>,
}

impl Catalog {
    /// Publishes `$LATEST` as the next version. If neither code nor configuration changed since the last
    /// version was published, that one is given again.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::StaleRevision`],
    /// [`CatalogError::CodeShaMismatch`].
    pub async fn publish_version(
        &self,
        name: &str,
        wanted: Publish,
    ) -> Result<Arc<VersionConfig>, CatalogError> {
        self.change(name, |function, _| {
            check_revision(wanted.revision_id.as_deref(), function.latest.revision_id)?;
            let current = function.latest.code.digest.to_base64();
            match &wanted.code_sha256 {
                Some(given) if *given != current => Err(CatalogError::CodeShaMismatch {
                    given: given.clone(),
                    current,
                }),
                _ => Ok(publish(function, &self.home, wanted.description.clone())),
            }
        })
        .await
    }
}

/// Publishes `$LATEST` of `function`.
pub(super) fn publish(
    function: &mut Function,
    home: &Home,
    description: Option<String>,
) -> Arc<VersionConfig> {
    let latest = Arc::clone(&function.latest);
    let last = function.versions.get(&(function.next_version - 1));
    if let Some(last) = last.filter(|last| last.is_publication_of(&latest)) {
        return Arc::clone(last);
    }
    let number = function.next_version;
    let label = VersionLabel::Number(number);
    let mut settings = latest.settings.clone();
    let source_description = settings.description.clone();
    settings.description = description.unwrap_or(settings.description);
    let version = Arc::new(VersionConfig {
        key: VersionKey {
            function: Arc::clone(&function.name),
            version: label.to_string().into(),
            revision: Uuid::new_v4(),
        },
        label,
        qualified_arn: qualified_arn(home, &function.name, label),
        revision_id: Uuid::new_v4(),
        settings,
        source_description,
        ..VersionConfig::clone(&latest)
    });
    function.versions.insert(number, Arc::clone(&version));
    function.next_version += 1;
    // AWS gives $LATEST another RevisionId here.
    function.touch();
    version
}
