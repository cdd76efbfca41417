//! The kinds of errors: the model's exceptions, and those that AWS's front end sends.

/// Who is to blame, the `Type` member of an error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller.
    User,
    /// The service.
    Service,
}

impl Fault {
    /// The value as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Service => "Service",
        }
    }
}

macro_rules! error_kinds {
    ($($kind:ident => $name:literal, $status:literal, $fault:ident, $member:literal;)*) => {
        /// Every kind of error that the API can answer with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorKind {
            $(#[doc = concat!("`", $name, "`, HTTP ", $status, ".")] $kind,)*
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The exception's name, the value of `x-amzn-ErrorType`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$kind => $status,)* }
            }

            /// Who is to blame.
            pub const fn fault(self) -> Fault {
                match self { $(Self::$kind => Fault::$fault,)* }
            }

            /// Name of the body's member that holds the message.
            pub const fn message_member(self) -> &'static str {
                match self { $(Self::$kind => $member,)* }
            }
        }
    };
}

error_kinds! {
    // Exceptions of the served operations in AWS's model; a test compares them with it.
    AliasLimitExceeded => "AliasLimitExceededException", 400, User, "message";
    CodeArtifactUserDeleted => "CodeArtifactUserDeletedException", 409, User, "message";
    CodeArtifactUserFailed => "CodeArtifactUserFailedException", 409, User, "message";
    CodeArtifactUserPending => "CodeArtifactUserPendingException", 409, User, "message";
    CodeSigningConfigNotFound => "CodeSigningConfigNotFoundException", 404, User, "Message";
    CodeStorageExceeded => "CodeStorageExceededException", 400, User, "message";
    CodeVerificationFailed => "CodeVerificationFailedException", 400, User, "Message";
    DurableExecutionAlreadyStarted => "DurableExecutionAlreadyStartedException", 409, User, "Message";
    EC2AccessDenied => "EC2AccessDeniedException", 502, Service, "Message";
    EC2Throttled => "EC2ThrottledException", 502, Service, "Message";
    EC2Unexpected => "EC2UnexpectedException", 502, Service, "Message";
    EFSIO => "EFSIOException", 410, User, "Message";
    EFSMountConnectivity => "EFSMountConnectivityException", 408, User, "Message";
    EFSMountFailure => "EFSMountFailureException", 403, User, "Message";
    EFSMountTimeout => "EFSMountTimeoutException", 408, User, "Message";
    ENILimitReached => "ENILimitReachedException", 502, Service, "Message";
    ENINotReady => "ENINotReadyException", 502, Service, "Message";
    FunctionVersionsPerCapacityProviderLimitExceeded => "FunctionVersionsPerCapacityProviderLimitExceededException", 400, User, "message";
    InvalidCodeSignature => "InvalidCodeSignatureException", 400, User, "Message";
    InvalidParameterValue => "InvalidParameterValueException", 400, User, "message";
    InvalidRequestContent => "InvalidRequestContentException", 400, User, "message";
    InvalidRuntime => "InvalidRuntimeException", 502, Service, "Message";
    InvalidSecurityGroupID => "InvalidSecurityGroupIDException", 502, Service, "Message";
    InvalidSubnetID => "InvalidSubnetIDException", 502, Service, "Message";
    InvalidZipFile => "InvalidZipFileException", 502, Service, "Message";
    KMSAccessDenied => "KMSAccessDeniedException", 502, Service, "Message";
    KMSDisabled => "KMSDisabledException", 502, Service, "Message";
    KMSInvalidState => "KMSInvalidStateException", 502, Service, "Message";
    KMSNotFound => "KMSNotFoundException", 502, Service, "Message";
    ModeNotSupported => "ModeNotSupportedException", 400, User, "message";
    NoPublishedVersion => "NoPublishedVersionException", 400, User, "Message";
    PolicyLengthExceeded => "PolicyLengthExceededException", 400, User, "message";
    PreconditionFailed => "PreconditionFailedException", 412, User, "message";
    PublicPolicy => "PublicPolicyException", 400, User, "Message";
    RecursiveInvocation => "RecursiveInvocationException", 400, User, "Message";
    RequestTooLarge => "RequestTooLargeException", 413, User, "message";
    ResourceConflict => "ResourceConflictException", 409, User, "message";
    ResourceNotFound => "ResourceNotFoundException", 404, User, "Message";
    ResourceNotReady => "ResourceNotReadyException", 502, Service, "message";
    RuntimeAliasDeleted => "RuntimeAliasDeletedException", 409, User, "message";
    RuntimeVersionDeleted => "RuntimeVersionDeletedException", 409, User, "message";
    S3FilesMountConnectivity => "S3FilesMountConnectivityException", 408, User, "Message";
    S3FilesMountFailure => "S3FilesMountFailureException", 403, User, "Message";
    S3FilesMountTimeout => "S3FilesMountTimeoutException", 408, User, "Message";
    SerializedRequestEntityTooLarge => "SerializedRequestEntityTooLargeException", 413, User, "message";
    Service => "ServiceException", 500, Service, "Message";
    ServiceQuotaExceeded => "ServiceQuotaExceededException", 402, User, "Message";
    SnapStart => "SnapStartException", 400, User, "Message";
    SnapStartNotReady => "SnapStartNotReadyException", 409, User, "Message";
    SnapStartRegenerationFailure => "SnapStartRegenerationFailureException", 409, User, "Message";
    SnapStartTimeout => "SnapStartTimeoutException", 408, User, "Message";
    SubnetIPAddressLimitReached => "SubnetIPAddressLimitReachedException", 502, Service, "Message";
    TooManyRequests => "TooManyRequestsException", 429, User, "message";
    UnsupportedMediaType => "UnsupportedMediaTypeException", 415, User, "message";
    // Answers of the front end, which the model does not declare.
    Validation => "ValidationException", 400, User, "message";
    Serialization => "SerializationException", 400, User, "message";
    RequestEntityTooLarge => "RequestEntityTooLargeException", 413, User, "message";
    AccessDenied => "AccessDeniedException", 403, User, "Message";
    InvalidSignature => "InvalidSignatureException", 403, User, "message";
    IncompleteSignature => "IncompleteSignatureException", 403, User, "message";
    MissingAuthenticationToken => "MissingAuthenticationTokenException", 403, User, "message";
    UnrecognizedClient => "UnrecognizedClientException", 403, User, "message";
    ExpiredToken => "ExpiredTokenException", 403, User, "message";
    UnknownOperation => "UnknownOperationException", 404, User, "message";
    ServiceUnavailable => "ServiceUnavailableException", 503, Service, "message";
}
