//! What an API operation looks like as a request, and which one a request is.

use percent_encoding::percent_decode_str;

use crate::generated::operations::{INVOKE, OPERATIONS};

/// One API operation.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// AWS's name of the operation, as in `CreateFunction`.
    pub name: &'static str,
    /// HTTP method in upper case.
    pub method: &'static str,
    /// Path with `{Member}` for each member that is one path segment.
    pub uri_template: &'static str,
    /// A query parameter that selects this operation among those of the same path.
    pub fixed_query: Option<(&'static str, &'static str)>,
    /// Status of a success.
    pub success_status: u16,
    /// What the request body is.
    pub body: Body,
}

/// What the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Ignored.
    None,
    /// A JSON object of members.
    Json,
    /// One member, as it is.
    Payload,
}

/// The operation of a request and the members in its path.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The operation.
    pub operation: &'static Operation,
    /// Members of the path, decoded.
    pub members: Vec<(&'static str, String)>,
}

/// Why a request is no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No operation has this path.
    #[error("no operation has this path")]
    UnknownPath,
    /// The path exists under another method.
    #[error("the path has no such method")]
    UnknownMethod,
    /// A segment is not UTF-8 after percent-decoding.
    #[error("the path is not UTF-8")]
    NotUtf8,
}

impl Route {
    /// The member called `name` in the operation's template.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.members
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Finds the operation for a method, the path as it was sent (still percent-encoded, without
/// query) and the query string. One slash at the end of the path is ignored, as SDKs differ.
///
/// # Errors
/// [`RouteError`] if there is none.
pub fn route(method: &str, raw_path: &str, raw_query: &str) -> Result<Route, RouteError> {
    let raw_path = raw_path.strip_suffix('/').unwrap_or(raw_path);
    if let Some(raw_name) = invoked(method, raw_path) {
        return Ok(Route {
            operation: &INVOKE,
            members: vec![("FunctionName", decode(raw_name)?)],
        });
    }
    let mut of_path = OPERATIONS
        .iter()
        .filter_map(|operation| Some((*operation, captures(operation, raw_path)?)))
        .peekable();
    if of_path.peek().is_none() {
        return Err(RouteError::UnknownPath);
    }
    let (operation, raw) = of_path
        .filter(|(operation, _)| operation.method == method && selected(operation, raw_query))
        // A fixed query parameter makes an operation the more specific one.
        .max_by_key(|(operation, _)| operation.fixed_query.is_some())
        .ok_or(RouteError::UnknownMethod)?;
    let members = raw
        .into_iter()
        .map(|(name, segment)| Ok((name, decode(segment)?)))
        .collect::<Result<_, _>>()?;
    Ok(Route { operation, members })
}

/// The function's segment, if this is the path of Invoke: every invocation comes here, and most tables would
/// have to be walked for it.
fn invoked<'p>(method: &str, raw_path: &'p str) -> Option<&'p str> {
    if method != INVOKE.method {
        return None;
    }
    let (before, after) = INVOKE.uri_template.split_once("{FunctionName}")?;
    let raw_name = raw_path.strip_prefix(before)?.strip_suffix(after)?;
    (!raw_name.is_empty() && !raw_name.contains('/')).then_some(raw_name)
}

fn decode(segment: &str) -> Result<String, RouteError> {
    let decoded = percent_decode_str(segment).decode_utf8();
    Ok(decoded.map_err(|_| RouteError::NotUtf8)?.into_owned())
}

/// The values of the query parameter `name`, decoded, in order. Parameters that do not decode
/// to UTF-8 are left out.
pub fn query_values(raw_query: &str, name: &str) -> Vec<String> {
    if raw_query.is_empty() {
        return Vec::new();
    }
    raw_query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(key, _)| decoded(key).as_deref() == Some(name))
        .filter_map(|(_, value)| decoded(value))
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

fn selected(operation: &Operation, raw_query: &str) -> bool {
    operation
        .fixed_query
        .is_none_or(|(key, value)| query_values(raw_query, key).iter().any(|v| v == value))
}

/// The raw segments that stand for members, or `None` if the path is another one.
fn captures<'p>(operation: &Operation, raw_path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
    let mut found = Vec::new();
    let mut segments = raw_path.split('/');
    for part in operation.uri_template.split('/') {
        let segment = segments.next()?;
        match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => found.push((name, segment)),
            None if part == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn encoded_identifier_is_one_decoded_segment() {
        let found = route("POST", "/2015-03-31/functions/f%3Alive/invocations", "").unwrap();
        assert_eq!(found.operation.name, "Invoke");
        assert_eq!(found.member("FunctionName"), Some("f:live"));
    }

    #[test]
    fn list_paths_work_with_and_without_trailing_slash() {
        for path in ["/2015-03-31/functions", "/2015-03-31/functions/"] {
            assert_eq!(
                route("GET", path, "").unwrap().operation.name,
                "ListFunctions"
            );
        }
    }

    #[test]
    fn find_parameter_selects_layer_by_arn() {
        let path = "/2018-10-31/layers";
        assert_eq!(route("GET", path, "").unwrap().operation.name, "ListLayers");
        let query = "find=LayerVersion&Arn=a%3Ab";
        assert_eq!(
            route("GET", path, query).unwrap().operation.name,
            "GetLayerVersionByArn"
        );
    }

    #[test]
    fn unknown_path_and_unknown_method_differ() {
        assert_eq!(route("GET", "/nope", ""), Err(RouteError::UnknownPath));
        assert_eq!(
            route("PATCH", "/2015-03-31/functions", ""),
            Err(RouteError::UnknownMethod)
        );
        assert_eq!(
            route("GET", "/2015-03-31/functions//code", "").unwrap_err(),
            RouteError::UnknownPath
        );
        assert_eq!(
            route("GET", "/2015-03-31/functions/%FF", ""),
            Err(RouteError::NotUtf8)
        );
    }

    #[test]
    fn every_operation_is_found_by_its_own_template() {
        for operation in OPERATIONS {
            let path: Vec<&str> = operation
                .uri_template
                .split('/')
                .map(|part| if part.starts_with('{') { "x" } else { part })
                .collect();
            let query = operation
                .fixed_query
                .map(|(k, v)| format!("{k}={v}"))
                .unwrap_or_default();
            let found = route(operation.method, &path.join("/"), &query).unwrap();
            assert_eq!(found.operation, *operation);
        }
    }

    #[test]
    fn repeated_query_parameters_keep_their_order() {
        assert_eq!(
            query_values("tagKeys=a+b&x=1&tagKeys=%63", "tagKeys"),
            ["a b", "c"]
        );
    }
}
