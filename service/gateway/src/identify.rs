//! Which function a request names.

use offshoot_lambda::arn::{FunctionId, Home};
use offshoot_lambda::error::ApiError;
use offshoot_lambda::operation::{Route, query_values};

/// A function by name and, if given, version or alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) function: String,
    pub(crate) qualifier: Option<String>,
}

/// The function in a route's path, with the qualifier of path and query.
pub(crate) fn named(route: &Route, raw_query: &str, home: &Home) -> Result<Named, ApiError> {
    let text = route.member("FunctionName").unwrap_or_default();
    let query = query_values(raw_query, "Qualifier").into_iter().next();
    identified(text, query.as_deref(), home)
}

/// The function that `text` (name, partial or full ARN) and `qualifier` name.
pub(crate) fn identified(
    text: &str,
    qualifier: Option<&str>,
    home: &Home,
) -> Result<Named, ApiError> {
    let id = FunctionId::parse(text)?.with_qualifier(qualifier)?;
    id.check_home(home)?;
    Ok(Named {
        function: id.name.to_owned(),
        qualifier: id.qualifier.map(|qualifier| qualifier.to_string()),
    })
}
