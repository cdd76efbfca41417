//! Cross-origin headers, as the URL's configuration says.

use bytes::Bytes;
use http::StatusCode;
use offshoot_catalog::UrlConfig;

use crate::body::{Answer, set, whole};

/// The `Cors` member of a URL's configuration.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Cors {
    allow_credentials: bool,
    allow_headers: Vec<String>,
    allow_methods: Vec<String>,
    allow_origins: Vec<String>,
    expose_headers: Vec<String>,
    max_age: Option<u32>,
}

impl Cors {
    pub(super) fn of(config: &UrlConfig) -> Option<Self> {
        serde_json::from_value(config.cors.clone()?).ok()
    }

    /// The answer to an OPTIONS request, which never reaches the function.
    pub(super) fn preflight(&self, origin: Option<&str>) -> Answer {
        let mut answer = whole(StatusCode::OK, Bytes::new());
        self.allow(&mut answer, origin);
        let joined = [
            ("access-control-allow-methods", &self.allow_methods),
            ("access-control-allow-headers", &self.allow_headers),
        ];
        for (name, values) in joined {
            if !values.is_empty() {
                set(&mut answer, name, &values.join(","));
            }
        }
        if let Some(max_age) = self.max_age {
            set(&mut answer, "access-control-max-age", &max_age.to_string());
        }
        answer
    }

    /// Allows the origin of a request, if the configuration does.
    pub(super) fn allow(&self, answer: &mut Answer, origin: Option<&str>) {
        let Some(origin) = origin else { return };
        let any = self.allow_origins.iter().any(|allowed| allowed == "*");
        if !any && !self.allow_origins.iter().any(|allowed| allowed == origin) {
            return;
        }
        // A wildcard may not be answered when credentials are allowed (Fetch standard, 3.3.5).
        let allowed = if any && !self.allow_credentials {
            "*"
        } else {
            origin
        };
        set(answer, "access-control-allow-origin", allowed);
        if self.allow_credentials {
            set(answer, "access-control-allow-credentials", "true");
        }
        if !self.expose_headers.is_empty() {
            set(
                answer,
                "access-control-expose-headers",
                &self.expose_headers.join(","),
            );
        }
    }
}
