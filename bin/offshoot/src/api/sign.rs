//! AWS Signature Version 4.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::error::ApiError;

const SERVICE: &str = "lambda";

/// The pair that signs, from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
#[derive(Clone)]
pub struct Credentials {
    /// The public half.
    pub id: String,
    /// The secret half.
    pub secret: String,
    /// `AWS_SESSION_TOKEN`, if there is one.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Adds the signature's headers to `request`, whose body is `body`.
    pub fn sign(
        &self,
        region: &str,
        request: &mut reqwest::Request,
        body: &[u8],
    ) -> Result<(), ApiError> {
        let identity = aws_credential_types::Credentials::new(
            self.id.clone(),
            self.secret.clone(),
            self.session_token.clone(),
            None,
            "environment",
        )
        .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(SERVICE)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| ApiError::Sign(error.into()))?
            .into();
        let headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.url().as_str(),
            headers,
            SignableBody::Bytes(body),
        )
        .map_err(|error| ApiError::Sign(error.into()))?;
        let (instructions, _) = sign(signable, &params)
            .map_err(|error| ApiError::Sign(error.into()))?
            .into_parts();
        for (name, value) in instructions.headers() {
            let name = http::HeaderName::from_bytes(name.as_bytes())
                .map_err(|e| ApiError::Sign(e.into()))?;
            let value = http::HeaderValue::from_str(value).map_err(|e| ApiError::Sign(e.into()))?;
            request.headers_mut().insert(name, value);
        }
        Ok(())
    }
}
