//! One request on its desk: its input, what it names, and how it is answered.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use offshoot_catalog::{Catalog, PageRequest, VersionConfig};
use offshoot_dispatch::Snapshot;
use offshoot_lambda::arn::Home;
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_lambda::generated::FunctionConfiguration;
use offshoot_lambda::operation::Route;
use offshoot_lambda::request::{ApiInput, HttpParts, decode};
use serde::Serialize;

use super::configuration;
use crate::body::{Answer, json, whole};
use crate::identify::{self, Named};
use crate::{Gateway, rescue};

/// A request that is complete and whose signature holds.
pub(super) struct Call {
    pub(super) gateway: Arc<Gateway>,
    pub(super) route: Route,
    pub(super) parts: Parts,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn new(gateway: Arc<Gateway>, route: &Route, parts: Parts, body: Bytes) -> Self {
        let route = Route {
            operation: route.operation,
            members: route.members.clone(),
        };
        Self {
            gateway,
            route,
            parts,
            body,
        }
    }

    /// The decoded and valid input of the operation.
    pub(super) fn input<I: ApiInput>(&self) -> Result<I, ApiError> {
        let header = |name: &str| {
            let value = self.parts.headers.get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let parts = HttpParts {
            route: &self.route,
            raw_query: self.query(),
            header,
        };
        decode(&parts, &self.body)
    }

    /// As [`Self::input`], for bodies whose decoding would hold up other requests: they carry a zip.
    pub(super) async fn large_input<I>(self: &Arc<Self>) -> Result<I, ApiError>
    where
        I: ApiInput + Send + 'static,
    {
        let call = Arc::clone(self);
        blocking(move || call.input()).await?
    }

    /// The function, and version or alias, that path and query name.
    pub(super) fn named(&self) -> Result<Named, ApiError> {
        identify::named(&self.route, self.query(), self.home())
    }

    /// The function that the path names, for operations that know no versions.
    pub(super) fn function(&self) -> Result<String, ApiError> {
        let named = self.named()?;
        match named.qualifier.as_deref() {
            None | Some(offshoot_catalog::LATEST) => Ok(named.function),
            Some(_) => Err(ApiError::new(
                ErrorKind::InvalidParameterValue,
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
                 operation. Please specify either a function name or an unqualified function ARN.",
            )),
        }
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.gateway.parts.catalog
    }

    pub(super) fn home(&self) -> &Home {
        &self.gateway.parts.home
    }

    /// A version under its own ARN.
    pub(super) fn of_version(&self, version: &VersionConfig) -> FunctionConfiguration {
        configuration::of_version(self.home(), version, self.snapshot(version))
    }

    /// A version under the ARN by which it was asked for.
    pub(super) fn shown(&self, version: &VersionConfig, arn: &str) -> FunctionConfiguration {
        configuration::shown(version, arn, self.snapshot(version))
    }

    /// How far the snapshot is that a version wants, if it wants one.
    fn snapshot(&self, version: &VersionConfig) -> Option<Snapshot> {
        let key = &version.key;
        let dispatch = &self.gateway.parts.dispatch;
        configuration::wants_snapshot(version)
            .then(|| dispatch.snapshot(&key.function, &key.version))
    }

    /// Has the snapshot of a new version made, if it wants one; else the porter may make its seed when there is time.
    pub(super) fn prepare(&self, version: &VersionConfig) -> Result<(), ApiError> {
        let key = &version.key;
        let dispatch = &self.gateway.parts.dispatch;
        let prepared = if configuration::wants_snapshot(version) {
            dispatch.prepare(&key.function, &key.version)
        } else {
            dispatch.deployed(&key.function, &key.version)
        };
        prepared.map_err(|error| rescue::catalog(&error))
    }

    fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// A success with a JSON object.
    pub(super) fn done(&self, output: &impl Serialize) -> Result<Answer, ApiError> {
        let status = self.route.operation.success_status;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        let body = serde_json::to_vec(output)
            .map_err(|error| rescue::internal("the answer cannot be written", &error))?;
        Ok(json(status, body))
    }

    /// A success that says nothing more.
    pub(super) fn done_empty(&self) -> Result<Answer, ApiError> {
        Ok(whole(StatusCode::NO_CONTENT, Bytes::new()))
    }
}

/// Runs work that keeps a CPU or the disk busy where it does not hold up other requests.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| rescue::internal("the operation broke off", &error))
}

/// The page that a list's parameters ask for. The model has checked the number.
pub(super) fn page(marker: Option<String>, max_items: Option<i64>) -> PageRequest {
    // An empty marker is what clients send that echo an absent NextMarker.
    let marker = marker.filter(|marker| !marker.is_empty());
    PageRequest {
        marker,
        max_items: max_items.map(unsigned),
    }
}

/// A number that the model or the catalog bounds: what does not fit here is out of their bounds, too.
pub(super) fn unsigned(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// A number of the catalog as the API writes numbers.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::InvalidParameterValue, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_stay_out_of_range() {
        assert_eq!(unsigned(-1), 0);
        assert_eq!(unsigned(i64::MAX), u32::MAX);
        assert_eq!(signed(u64::MAX), i64::MAX);
    }

    #[test]
    fn empty_marker_is_the_first_page() {
        assert!(page(Some(String::new()), Some(10)).marker.is_none());
        assert_eq!(page(Some("x".into()), None).marker.as_deref(), Some("x"));
    }
}
