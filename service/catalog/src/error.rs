//! Why the catalog refused. The messages are Lambda's own where AWS's are known.

use offshoot_lambda::error::ErrorKind;
use offshoot_lambda::limits::{LAYERS_MAX, UNZIPPED_MAX_BYTES};
use offshoot_state::RegistryError;

/// Why an operation of the catalog failed. `Display` is the message for the caller of the API.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each message says what its fields are
pub enum CatalogError {
    // Functions and versions.
    #[error("Function not found: {arn}")]
    FunctionNotFound { arn: String },
    #[error("Function already exist: {name}")]
    FunctionExists { name: String },
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
    )]
    StaleRevision,
    #[error("$LATEST version cannot be deleted without deleting the function.")]
    LatestNotDeletable,
    #[error("Deletion of aliases is not currently supported.")]
    AliasNotDeletableHere,
    #[error("Version {version} cannot be deleted: alias {alias} of the function refers to it")]
    VersionInUse { version: u64, alias: String },
    #[error(
        "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). Please try again with the CodeSHA256 in $LATEST."
    )]
    CodeShaMismatch { given: String, current: String },

    // Settings.
    #[error(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must have value {} than or equal to {limit}",
        if *.too_great { "less" } else { "greater" }
    )]
    OutOfRange {
        member: &'static str,
        value: i64,
        limit: i64,
        too_great: bool,
    },
    #[error(
        "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {measured}"
    )]
    EnvTooLarge { measured: String },
    #[error(
        "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
        .keys.join(", ")
    )]
    EnvReserved { keys: Vec<String> },
    #[error(
        "Runtime {runtime} handles one event at a time. PerExecutionEnvironmentMaxConcurrency above 1 is supported for nodejs20.x."
    )]
    OneAtATime { runtime: &'static str },
    #[error("Unzipped size must be smaller than {UNZIPPED_MAX_BYTES} bytes")]
    UnzippedTooLarge,
    #[error(
        "Function code combined with layers exceeds the maximum allowed size of {UNZIPPED_MAX_BYTES} bytes. The actual size is {actual_bytes} bytes."
    )]
    WithLayersTooLarge { actual_bytes: u64 },
    #[error("Number of tags exceeds resource tag limit.")]
    TooManyTags,
    #[error(
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{minimum}]."
    )]
    TooLittleUnreserved { minimum: i64 },

    // Aliases.
    #[error("Cannot find alias arn: {arn}")]
    AliasNotFound { arn: String },
    #[error("Alias already exists: {arn}")]
    AliasExists { arn: String },
    #[error("Number of items in AdditionalVersionWeights cannot be greater than 1")]
    TooManyWeights,
    #[error(
        "1 validation error detected: Value '{{{version}={weight}}}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"
    )]
    BadWeight { version: String, weight: f64 },
    #[error(
        "1 validation error detected: Value '{{{version}={weight}}}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not be null]"
    )]
    BadWeightKey { version: String, weight: f64 },
    #[error(
        "Invalid function version {version}. Function version {version} is already included in routing configuration."
    )]
    WeightOfSameVersion { version: String },
    #[error("$LATEST is not supported for an alias pointing to more than 1 version")]
    LatestWithWeights,

    // Function URLs.
    #[error("Function does not exist")]
    UrlFunctionNotFound,
    #[error(
        "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig exists for this Lambda function"
    )]
    UrlExists { arn: String },
    #[error("The resource you requested does not exist.")]
    UrlNotFound,

    // Asynchronous invocation.
    #[error("You must specify at least one of error handling or destination setting.")]
    EmptyInvokeConfig,
    #[error("The function doesn't exist.")]
    InvokeConfigFunctionNotFound,
    #[error("The function {arn} doesn't have an EventInvokeConfig")]
    InvokeConfigNotFound { arn: String },
    #[error("You can't specify the function as a destination for itself.")]
    DestinationIsSelf,
    #[error("The destination ARN {arn} is invalid.")]
    DestinationNotFound { arn: String },
    #[error(
        "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.",
        destination("OnSuccess", .on_success), destination("OnFailure", .on_failure)
    )]
    BadDestinations {
        on_success: Option<String>,
        on_failure: Option<String>,
    },

    // Policies.
    #[error(
        "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
    )]
    StatementExists { id: String },
    #[error("Statement {id} is not found in resource policy.")]
    StatementNotFound { id: String },
    #[error("The resource you requested does not exist.")]
    PolicyNotFound,

    // Layers.
    #[error("Cannot reference more than {LAYERS_MAX} layers.")]
    TooManyLayers,
    #[error("Layer version {arn} does not exist.")]
    LayerVersionMissing { arn: String },
    #[error(
        "Layers are not in the same region as the function. Layers are expected to be in region {region}."
    )]
    LayerElsewhere { region: String },
    #[error("Layer {arn} belongs to another account and cannot be read here.")]
    LayerOfOtherAccount { arn: String },
    #[error(
        "Two different versions of the same layer are not allowed to be referenced in the same function. {first} and {second} are versions of the same layer."
    )]
    SameLayerTwice { first: String, second: String },
    #[error("The resource you requested does not exist.")]
    LayerNotFound,
    #[error("Layer Version Cannot be less than 1")]
    LayerVersionBelowOne,

    // Lists.
    #[error("The marker is not one that this list gave out")]
    BadMarker,

    // The store.
    #[error("document {key} has format {found}; this binary knows up to {known}")]
    NewerFormat { key: String, found: u32, known: u32 },
    #[error("document {key} is damaged")]
    DamagedDocument {
        key: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("document {key} contradicts itself: {what}")]
    Contradiction { key: String, what: String },
    #[error("{key} is being changed by others; try again")]
    Contended { key: String },
    #[error("the write was cut off; whether it happened is not known")]
    CutOff,
    #[error("the catalog's store failed")]
    Store(#[from] RegistryError),
}

impl CatalogError {
    /// The exception of the Lambda API for this.
    pub fn kind(&self) -> ErrorKind {
        use CatalogError::*;
        match self {
            FunctionNotFound { .. }
            | AliasNotFound { .. }
            | UrlFunctionNotFound
            | UrlNotFound
            | InvokeConfigFunctionNotFound
            | InvokeConfigNotFound { .. }
            | StatementNotFound { .. }
            | PolicyNotFound
            | LayerNotFound => ErrorKind::ResourceNotFound,
            FunctionExists { .. }
            | AliasExists { .. }
            | VersionInUse { .. }
            | UrlExists { .. }
            | StatementExists { .. }
            | Contended { .. } => ErrorKind::ResourceConflict,
            StaleRevision => ErrorKind::PreconditionFailed,
            OutOfRange { .. } | BadWeight { .. } | BadWeightKey { .. } => ErrorKind::Validation,
            LayerOfOtherAccount { .. } => ErrorKind::AccessDenied,
            NewerFormat { .. }
            | DamagedDocument { .. }
            | Contradiction { .. }
            | CutOff
            | Store(_) => ErrorKind::Service,
            LatestNotDeletable
            | AliasNotDeletableHere
            | CodeShaMismatch { .. }
            | EnvTooLarge { .. }
            | EnvReserved { .. }
            | OneAtATime { .. }
            | UnzippedTooLarge
            | WithLayersTooLarge { .. }
            | TooManyTags
            | TooLittleUnreserved { .. }
            | TooManyWeights
            | WeightOfSameVersion { .. }
            | LatestWithWeights
            | EmptyInvokeConfig
            | DestinationIsSelf
            | DestinationNotFound { .. }
            | BadDestinations { .. }
            | TooManyLayers
            | LayerVersionMissing { .. }
            | LayerElsewhere { .. }
            | SameLayerTwice { .. }
            | LayerVersionBelowOne
            | BadMarker => ErrorKind::InvalidParameterValue,
        }
    }
}

fn destination(name: &str, arn: &Option<String>) -> String {
    arn.as_ref()
        .map_or_else(|| "null".into(), |arn| format!("{name}(destination={arn})"))
}
