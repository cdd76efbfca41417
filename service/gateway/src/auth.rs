//! AWS Signature Version 4, verified when access keys are configured.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use http::request::Parts;
use http::{Request, Uri};
use offshoot_lambda::error::{ApiError, ErrorKind};
use scratchstack_aws_signature::{
    GetSigningKeyRequest, GetSigningKeyResponse, KSecretKey, NO_ADDITIONAL_SIGNED_HEADERS,
    SignatureError, SignatureOptions, sigv4_validate_request,
};

const SERVICE: &str = "lambda";

/// A pair that may sign requests.
#[derive(Clone)]
pub struct AccessKey {
    /// The public half.
    pub id: String,
    /// The secret half.
    pub secret: String,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why keys cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The secret has not the form of one.
    #[error("the secret of access key {id} is not 40 characters long")]
    Secret {
        /// Whose.
        id: String,
    },
    /// The id stands there twice.
    #[error("access key {id} is configured twice")]
    Twice {
        /// Which.
        id: String,
    },
}

/// The configured keys. Without any, every request is let through: the daemon then listens on loopback only.
pub struct Keys {
    region: String,
    secrets: Arc<HashMap<String, KSecretKey>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("ids", &self.secrets.keys())
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Keys whose signatures are for `region`.
    pub fn new(region: &str, keys: &[AccessKey]) -> Result<Self, KeyError> {
        let mut secrets = HashMap::new();
        for key in keys {
            let secret = KSecretKey::from_str(&key.secret)
                .map_err(|_| KeyError::Secret { id: key.id.clone() })?;
            if secrets.insert(key.id.clone(), secret).is_some() {
                return Err(KeyError::Twice { id: key.id.clone() });
            }
        }
        Ok(Self {
            region: region.to_owned(),
            secrets: Arc::new(secrets),
        })
    }

    /// Whether there are keys, so that requests must be signed.
    pub fn required(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Verifies the signature of a request.
    pub(crate) async fn verify(&self, parts: &Parts, body: &Bytes) -> Result<(), ApiError> {
        if !self.required() {
            return Ok(());
        }
        let mut request = Request::new(body.clone());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = as_signed(&parts.uri);
        *request.headers_mut() = parts.headers.clone();
        let secrets = Arc::clone(&self.secrets);
        let mut signing_keys =
            tower::service_fn(move |wanted| signing_key(Arc::clone(&secrets), wanted));
        let verified = sigv4_validate_request(
            request,
            &self.region,
            SERVICE,
            &mut signing_keys,
            Utc::now(),
            &NO_ADDITIONAL_SIGNED_HEADERS,
            SignatureOptions::default(),
        )
        .await;
        verified.map(drop).map_err(|error| refusal(error.as_ref()))
    }
}

/// Signers of every service but S3 encode the path once more than it travels (AWS General Reference, "Create a
/// canonical request"); the verifier does not.
fn as_signed(uri: &Uri) -> Uri {
    let path = uri.path().replace('%', "%25");
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    match path_and_query.parse() {
        Ok(encoded) => parts.path_and_query = Some(encoded),
        Err(_) => return uri.clone(),
    }
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// The key that the request's credential scope asks for.
async fn signing_key(
    secrets: Arc<HashMap<String, KSecretKey>>,
    wanted: GetSigningKeyRequest,
) -> Result<GetSigningKeyResponse, Box<dyn std::error::Error + Send + Sync>> {
    let secret = secrets.get(wanted.access_key()).ok_or_else(unknown_key)?;
    let key = secret.to_ksigning(wanted.request_date(), wanted.region(), wanted.service());
    Ok(GetSigningKeyResponse::builder().signing_key(key).build()?)
}

fn unknown_key() -> SignatureError {
    SignatureError::InvalidClientTokenId(
        "The security token included in the request is invalid.".to_owned(),
    )
}

/// Lambda's error for a signature that does not hold.
fn refusal(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let Some(error) = error.downcast_ref::<SignatureError>() else {
        return ApiError::new(
            ErrorKind::InvalidSignature,
            "The signature cannot be verified",
        );
    };
    let kind = match error {
        SignatureError::MissingAuthenticationToken(_) => ErrorKind::MissingAuthenticationToken,
        SignatureError::InvalidClientTokenId(_) => ErrorKind::UnrecognizedClient,
        SignatureError::IncompleteSignature(_) => ErrorKind::IncompleteSignature,
        _ => ErrorKind::InvalidSignature,
    };
    ApiError::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_path_is_encoded_once_more_and_the_query_is_not() {
        let uri =
            Uri::from_static("/2015-03-31/functions/f%3Alive/invocations?Qualifier=%24LATEST");
        let signed = as_signed(&uri);
        assert_eq!(
            signed,
            "/2015-03-31/functions/f%253Alive/invocations?Qualifier=%24LATEST"
        );
        let plain = Uri::from_static("/2015-03-31/functions/f:live?a=%20");
        assert_eq!(as_signed(&plain), plain);
    }
}
