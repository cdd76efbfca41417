//! From name and qualifier to the version to run.

use std::sync::Arc;

use offshoot_lambda::arn::Qualifier;

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::function::{Alias, Function, InvokeConfig, LATEST};
use crate::version::{VersionConfig, VersionLabel};

/// What an invocation runs.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The version to run.
    pub version: Arc<VersionConfig>,
    /// The ARN that the function is told it was invoked by.
    pub invoked_arn: Arc<str>,
    /// `$LATEST` or the number, for `X-Amz-Executed-Version`.
    pub executed_version: Arc<str>,
    /// Concurrency set apart for the function, shared by all its versions.
    pub reserved_concurrency: Option<u32>,
    /// Settings of asynchronous invocation for this qualifier.
    pub invoke_config: Option<Arc<InvokeConfig>>,
}

impl Catalog {
    /// Resolves an invocation of `name` with `qualifier`. `draw`, a random number of `[0, 1)`, decides
    /// between the versions of a weighted alias.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`].
    pub fn resolve(
        &self,
        name: &str,
        qualifier: Option<&str>,
        draw: f64,
    ) -> Result<Resolved, CatalogError> {
        let function = self.function(name)?;
        let Some(text) = qualifier else {
            let (version, arn) = (&function.latest, &function.arn);
            return Ok(Resolved::new(&function, version, arn, LATEST));
        };
        let alias = || function.aliases.get(text);
        let found = match Qualifier::parse_query(text) {
            Ok(Qualifier::Latest) => Some((&function.latest, &function.latest.qualified_arn)),
            Ok(Qualifier::Version(number)) => function
                .versions
                .get(&number)
                .map(|version| (version, &version.qualified_arn)),
            Ok(Qualifier::Alias(_)) => alias().and_then(|alias| {
                let version = function.version(alias.pick(draw))?;
                Some((version, &alias.arn))
            }),
            Err(_) => None,
        };
        match found {
            Some((version, arn)) => Ok(Resolved::new(&function, version, arn, text)),
            None => Err(self.not_found(name, text)),
        }
    }

    /// [`CatalogError::FunctionNotFound`] for a qualifier that names nothing.
    pub(crate) fn not_found(&self, name: &str, qualifier: &str) -> CatalogError {
        CatalogError::FunctionNotFound {
            arn: format!("{}:{qualifier}", self.home.function_arn(name)),
        }
    }
}

impl Alias {
    /// The version for `draw`, a number of `[0, 1)`.
    pub fn pick(&self, draw: f64) -> VersionLabel {
        match self.weighted {
            Some((number, weight)) if draw < weight => VersionLabel::Number(number),
            _ => self.version,
        }
    }
}

impl Resolved {
    fn new(
        function: &Function,
        version: &Arc<VersionConfig>,
        invoked_arn: &Arc<str>,
        scope: &str,
    ) -> Self {
        Resolved {
            version: Arc::clone(version),
            invoked_arn: Arc::clone(invoked_arn),
            executed_version: Arc::clone(&version.key.version),
            reserved_concurrency: function.reserved_concurrency,
            invoke_config: function.invoke_configs.get(scope).cloned(),
        }
    }
}
