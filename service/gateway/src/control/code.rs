//! Code: from the zip in a request to a package, and back to the zip.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use offshoot_catalog::{CodeRef, UpdateCode};
use offshoot_lambda::blob::Blob;
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_lambda::generated::{
    FunctionCode, LayerVersionContentInput, UpdateFunctionCodeRequest,
};
use offshoot_lambda::limits::ZIP_MAX_BYTES;
use offshoot_package::{Digest, Limits, UnpackError, UnpackErrorKind};
use offshoot_state::BlobError;
use tokio::sync::Semaphore;

use super::call::{Call, blocking, invalid};
use super::claims::InUse;
use super::garbage::{self, CLAIMS};
use super::{settings, support};
use crate::body::{Answer, set, whole};
use crate::{Gateway, rescue};

/// Zips unpacked or waiting for the package store's workers; further ones wait without a thread.
static UNPACKING: Semaphore = Semaphore::const_new(4);

/// Where a request says that its code is.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) zip: Option<Blob>,
    pub(super) s3: bool,
    pub(super) image: bool,
}

/// A zip that is unpacked and kept. While this lives, the package is not removed.
pub(super) struct Upload {
    pub(super) code: CodeRef,
    _in_use: InUse,
}

/// UpdateFunctionCode.
pub(super) async fn update(call: Arc<Call>) -> Result<Answer, ApiError> {
    let function = call.function()?;
    let mut input: UpdateFunctionCodeRequest = call.large_input().await?;
    support::check_code_update(&input)?;
    let architecture = settings::architecture(input.architectures.as_deref())?;
    let before = call
        .catalog()
        .function(&function)
        .map_err(|e| rescue::catalog(&e))?;
    let dry_run = input.dry_run.unwrap_or_default();
    let upload = unpack(&call, Source::of_update(&mut input).zip()?).await?;
    let update = UpdateCode {
        code: upload.code,
        architecture,
        publish: input.publish.unwrap_or_default(),
        dry_run,
        revision_id: input.revision_id,
    };
    let updated = call.catalog().update_code(&function, update).await;
    if updated.is_ok() && !dry_run {
        call.gateway
            .parts
            .dispatch
            .changed(&function, Some(offshoot_catalog::LATEST))
            .await;
    }
    // The old code, or the new one if it was refused or only tried.
    garbage::release(
        &call.gateway,
        [before.latest.code.digest, upload.code.digest],
    );
    let version = updated.map_err(|e| rescue::catalog(&e))?;
    if !dry_run {
        call.prepare(&version)?;
    }
    call.done(&call.of_version(&version))
}

/// The zip with this digest, as it was uploaded. The digest is 256 bits of the content: who knows it has seen the
/// code, or was given the link by GetFunction.
pub(crate) async fn download(gateway: &Gateway, digest_hex: &str) -> Result<Answer, ApiError> {
    let missing = || ApiError::new(ErrorKind::ResourceNotFound, "There is no such package");
    let digest: Digest = digest_hex.parse().map_err(|_| missing())?;
    let found = gateway
        .parts
        .blobs
        .get(&blob_key(&digest), ZIP_MAX_BYTES as u64)
        .await;
    let zip = found.map_err(|error| match error {
        BlobError::NotFound { .. } => missing(),
        error => rescue::internal("the package cannot be read", &error),
    })?;
    let mut answer = whole(StatusCode::OK, zip);
    set(&mut answer, "content-type", "application/zip");
    Ok(answer)
}

/// Where an uploaded zip is kept.
pub(super) fn blob_key(digest: &Digest) -> String {
    format!("code/{digest}.zip")
}

/// Where clients find an uploaded zip.
pub(super) fn location(gateway: &Gateway, digest: &Digest) -> String {
    let base_url = gateway.parts.base_url.trim_end_matches('/');
    format!("{base_url}/offshoot/v1/code/{digest}.zip")
}

/// Unpacks a zip and keeps it for later downloads.
pub(super) async fn unpack(call: &Arc<Call>, zip: Bytes) -> Result<Upload, ApiError> {
    let bytes = zip.clone();
    let digest = blocking(move || Digest::of(&bytes)).await?;
    let in_use = CLAIMS.share(digest).await;
    let stored = store(&call.gateway, digest, zip).await;
    if stored.is_err() {
        garbage::release(&call.gateway, [digest]);
    }
    Ok(Upload {
        code: stored?,
        _in_use: in_use,
    })
}

/// The package first, then the zip: whoever looks for left-overs finds them by their packages.
async fn store(gateway: &Arc<Gateway>, digest: Digest, zip: Bytes) -> Result<CodeRef, ApiError> {
    let permit = UNPACKING.acquire().await;
    let (packages, bytes) = (Arc::clone(&gateway.parts.packages), zip.clone());
    let unpacked = blocking(move || packages.unpack(&bytes, &Limits::default())).await?;
    drop(permit);
    let package = unpacked.map_err(|error| refusal(&error))?;
    let size_bytes = zip.len() as u64;
    let kept = gateway.parts.blobs.put(&blob_key(&digest), zip).await;
    kept.map_err(|error| rescue::internal("the package cannot be kept", &error))?;
    Ok(CodeRef {
        digest,
        size_bytes,
        unzipped_bytes: package.unzipped_bytes,
    })
}

/// A refused zip, in Lambda's words and, where they are vague, the reason.
fn refusal(error: &UnpackError) -> ApiError {
    match error {
        UnpackError::NotAZip { fault } => invalid(format!("{error} ({fault})")),
        UnpackError::ZippedTooLarge { .. } => {
            ApiError::new(ErrorKind::RequestEntityTooLarge, error.to_string())
        }
        error if error.kind() == UnpackErrorKind::Io => {
            rescue::internal("the package cannot be unpacked", error)
        }
        error => invalid(error.to_string()),
    }
}

impl Source {
    pub(super) fn of_new(code: Option<FunctionCode>) -> Self {
        let code = code.unwrap_or_default();
        Self {
            zip: code.zip_file,
            s3: code.s3_bucket.is_some() || code.s3_key.is_some(),
            image: code.image_uri.is_some(),
        }
    }

    fn of_update(input: &mut UpdateFunctionCodeRequest) -> Self {
        Self {
            zip: input.zip_file.take(),
            s3: input.s3_bucket.is_some() || input.s3_key.is_some(),
            image: input.image_uri.is_some(),
        }
    }

    pub(super) fn of_layer(content: Option<LayerVersionContentInput>) -> Self {
        let content = content.unwrap_or_default();
        Self {
            zip: content.zip_file,
            s3: content.s3_bucket.is_some() || content.s3_key.is_some(),
            image: false,
        }
    }

    /// The zip, if the request carries one.
    pub(super) fn zip(self) -> Result<Bytes, ApiError> {
        match self {
            Self { image: true, .. } => Err(support::image()),
            Self { s3: true, .. } => Err(invalid(
                "Code in S3 is not supported by offshoot: send the package itself as ZipFile (with the AWS CLI: \
                 --zip-file fileb://function.zip) instead of S3Bucket and S3Key.",
            )),
            Self { zip: Some(zip), .. } => Ok(zip.0),
            Self { zip: None, .. } => Err(invalid("Please provide a source for function code.")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_zip_in_the_request_is_a_source() {
        let zip = Some(Blob::from(b"PK".to_vec()));
        assert_eq!(
            Source {
                zip: zip.clone(),
                ..Source::default()
            }
            .zip()
            .unwrap(),
            "PK"
        );
        let s3 = Source {
            s3: true,
            zip: zip.clone(),
            image: false,
        }
        .zip()
        .unwrap_err();
        assert!(s3.message.contains("ZipFile"), "{s3}");
        let image = Source {
            image: true,
            ..Source::default()
        }
        .zip()
        .unwrap_err();
        assert!(image.message.contains("Image"), "{image}");
        let nothing = Source::default().zip().unwrap_err();
        assert_eq!(
            nothing.message,
            "Please provide a source for function code."
        );
    }

    #[test]
    fn refused_zip_is_the_clients_fault_and_a_full_disk_is_ours() {
        let too_large = UnpackError::UnzippedTooLarge {
            limit_bytes: 262_144_000,
        };
        let refused = refusal(&too_large);
        assert_eq!(refused.kind, ErrorKind::InvalidParameterValue);
        assert_eq!(
            refused.message,
            "Unzipped size must be smaller than 262144000 bytes"
        );
        let source = std::io::ErrorKind::StorageFull.into();
        let full = refusal(&UnpackError::Io {
            step: "write".into(),
            source,
        });
        assert_eq!(full.kind, ErrorKind::Service);
    }

    #[test]
    fn blob_key_is_made_of_the_digest_alone() {
        let key = blob_key(&Digest::of(b"abc"));
        assert!(
            key.starts_with("code/ba7816bf") && key.ends_with("15ad.zip"),
            "{key}"
        );
    }
}
