//! What a request may ask for and offshoot does not do. It is refused by name: a setting that is taken and then has
//! no effect is worse than an error at deployment. Settings without effect on how the function runs (role, VPC, X-Ray)
//! are stored and shown.

use offshoot_catalog::Runtime;
use offshoot_lambda::error::ApiError;
use offshoot_lambda::generated::{
    CreateFunctionRequest, FileSystemConfig, ImageConfig, UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
};

use super::call::invalid;

/// Refuses what CreateFunction may ask for in vain.
pub(super) fn check_new(input: &CreateFunctionRequest) -> Result<(), ApiError> {
    if input.package_type.as_deref() == Some("Image") {
        return Err(image());
    }
    absent(
        "CodeSigningConfigArn",
        given(input.code_signing_config_arn.as_ref()),
    )?;
    absent("KMSKeyArn", given(input.kms_key_arn.as_ref()))?;
    absent(
        "FileSystemConfigs",
        mounts(input.file_system_configs.as_deref()),
    )?;
    absent("ImageConfig", image_config(input.image_config.as_ref()))?;
    absent("TenancyConfig", input.tenancy_config.is_some())?;
    absent("DurableConfig", input.durable_config.is_some())?;
    absent("RuntimeConfig", input.runtime_config.is_some())?;
    absent("AcceleratorConfig", input.accelerator_config.is_some())?;
    absent("PublishTo", input.publish_to.is_some())?;
    let kms = input
        .code
        .as_ref()
        .and_then(|code| code.source_kms_key_arn.as_ref());
    absent("SourceKMSKeyArn", given(kms))
}

/// Refuses what UpdateFunctionConfiguration may ask for in vain.
pub(super) fn check_settings_update(
    input: &UpdateFunctionConfigurationRequest,
) -> Result<(), ApiError> {
    absent("KMSKeyArn", given(input.kms_key_arn.as_ref()))?;
    absent(
        "FileSystemConfigs",
        mounts(input.file_system_configs.as_deref()),
    )?;
    absent("ImageConfig", image_config(input.image_config.as_ref()))?;
    absent("DurableConfig", input.durable_config.is_some())?;
    absent("RuntimeConfig", input.runtime_config.is_some())?;
    absent("AcceleratorConfig", input.accelerator_config.is_some())
}

/// Refuses what UpdateFunctionCode may ask for in vain.
pub(super) fn check_code_update(input: &UpdateFunctionCodeRequest) -> Result<(), ApiError> {
    absent("SourceKMSKeyArn", given(input.source_kms_key_arn.as_ref()))?;
    absent("PublishTo", input.publish_to.is_some())
}

/// Code in a container image.
pub(super) fn image() -> ApiError {
    invalid(
        "Package type Image is not supported by offshoot: deploy the function as a zip (PackageType Zip).",
    )
}

/// The runtime called `name`, which Lambda knows.
pub(super) fn runtime(name: &str) -> Result<Runtime, ApiError> {
    Runtime::from_name(name).ok_or_else(|| {
        let known = Runtime::ALL.map(Runtime::name).join(", ");
        invalid(format!(
            "Runtime {name} is not supported by offshoot. Supported runtimes: {known}."
        ))
    })
}

pub(super) fn absent(member: &str, is_given: bool) -> Result<(), ApiError> {
    if is_given {
        Err(invalid(format!("{member} is not supported by offshoot.")))
    } else {
        Ok(())
    }
}

/// Terraform and others send an empty text to say "none".
fn given(text: Option<&String>) -> bool {
    text.is_some_and(|text| !text.is_empty())
}

fn mounts(configs: Option<&[FileSystemConfig]>) -> bool {
    configs.is_some_and(|configs| !configs.is_empty())
}

fn image_config(config: Option<&ImageConfig>) -> bool {
    config.is_some_and(|config| *config != ImageConfig::default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use offshoot_lambda::error::ErrorKind;

    #[test]
    fn runtime_that_only_aws_has_is_refused_with_those_that_are_here() {
        let refused = runtime("java21").unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidParameterValue);
        for name in ["java21", "python3.11", "nodejs20.x", "provided.al2023"] {
            assert!(refused.message.contains(name), "{refused}");
        }
        assert_eq!(runtime("python3.11").unwrap(), Runtime::Python311);
    }

    #[test]
    fn unsupported_settings_are_named() {
        let image = CreateFunctionRequest {
            package_type: Some("Image".into()),
            ..CreateFunctionRequest::default()
        };
        assert!(check_new(&image).unwrap_err().message.contains("Image"));
        let mount = CreateFunctionRequest {
            file_system_configs: Some(vec![FileSystemConfig::default()]),
            ..CreateFunctionRequest::default()
        };
        assert!(
            check_new(&mount)
                .unwrap_err()
                .message
                .contains("FileSystemConfigs")
        );
    }

    #[test]
    fn empty_values_ask_for_nothing() {
        let input = CreateFunctionRequest {
            package_type: Some("Zip".into()),
            kms_key_arn: Some(String::new()),
            file_system_configs: Some(Vec::new()),
            image_config: Some(ImageConfig::default()),
            ..CreateFunctionRequest::default()
        };
        assert_eq!(check_new(&input), Ok(()));
    }
}
