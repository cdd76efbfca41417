//! Limits of the Lambda API, from "Lambda quotas" in the AWS Lambda Developer Guide unless a
//! line says otherwise. The service model allows more in places (`Timeout` to 5400 s and
//! `MemorySize` to 32768 MB, which AWS grants to special kinds of functions); these are the limits
//! of an ordinary function.

/// Greatest body of a synchronous request: 6 MiB.
pub const SYNC_REQUEST_MAX_BYTES: usize = 6 * 1024 * 1024;
/// Greatest response of a synchronous invocation: 6 MiB and 100 bytes, as AWS's runtime interface
/// emulator and the API's own error message say.
pub const SYNC_RESPONSE_MAX_BYTES: usize = 6 * 1024 * 1024 + 100;
/// Greatest event of an asynchronous invocation: 1 MiB.
pub const ASYNC_EVENT_MAX_BYTES: usize = 1024 * 1024;
/// Greatest streamed response: 200 MiB.
pub const STREAM_RESPONSE_MAX_BYTES: u64 = 200 * 1024 * 1024;

/// Greatest body of a control-plane request: 50 MiB of zip as base64 and the other members. AWS
/// says `Request must be smaller than 70167211 bytes`.
pub const CONTROL_REQUEST_MAX_BYTES: usize = 70_167_211;
/// Greatest zip in a request: 50 MiB.
pub const ZIP_MAX_BYTES: usize = 50 * 1024 * 1024;
/// Greatest function once unpacked, layers included: 250 MiB.
pub const UNZIPPED_MAX_BYTES: u64 = 250 * 1024 * 1024;
/// Code of all functions and layers of an account: 75 GiB.
pub const ACCOUNT_CODE_MAX_BYTES: u64 = 75 * 1024 * 1024 * 1024;

/// Shortest timeout, in seconds.
pub const TIMEOUT_MIN_S: i64 = 1;
/// Longest timeout, in seconds.
pub const TIMEOUT_MAX_S: i64 = 900;
/// Timeout if the caller names none, in seconds ("CreateFunction" in the API reference).
pub const TIMEOUT_DEFAULT_S: i64 = 3;
/// Least memory, in MB as Lambda counts them (MiB).
pub const MEMORY_MIN_MB: i64 = 128;
/// Greatest memory, in MB.
pub const MEMORY_MAX_MB: i64 = 10_240;
/// Memory if the caller names none, in MB ("CreateFunction" in the API reference).
pub const MEMORY_DEFAULT_MB: i64 = 128;
/// Least size of `/tmp`, in MB; also the size if the caller names none.
pub const EPHEMERAL_STORAGE_MIN_MB: i64 = 512;
/// Greatest size of `/tmp`, in MB.
pub const EPHEMERAL_STORAGE_MAX_MB: i64 = 10_240;

/// Greatest total size of environment variables, names and values: 4 KiB.
pub const ENVIRONMENT_MAX_BYTES: usize = 4096;
/// Most layers of a function.
pub const LAYERS_MAX: usize = 5;
/// Most tags of a resource ("Using tags on Lambda functions").
pub const TAGS_MAX: usize = 50;
/// Longest function name, in characters ("CreateFunction" in the API reference).
pub const FUNCTION_NAME_MAX_CHARS: usize = 64;
/// Longest function identifier, ARN and qualifier included ("Invoke" in the API reference).
pub const FUNCTION_ID_MAX_CHARS: usize = 256;
/// Longest alias or qualifier, in characters ("CreateAlias" in the API reference).
pub const QUALIFIER_MAX_CHARS: usize = 128;
/// Longest layer name, in characters ("PublishLayerVersion" in the API reference).
pub const LAYER_NAME_MAX_CHARS: usize = 140;

/// Concurrent executions of an account.
pub const ACCOUNT_CONCURRENCY: i64 = 1000;
/// Concurrency that reservations must leave to functions without one.
pub const UNRESERVED_CONCURRENCY_MIN: i64 = 100;
/// Most retries of an asynchronous invocation; also the number if the caller names none.
pub const ASYNC_RETRIES_MAX: i64 = 2;
/// Greatest age of an event in the queue, in seconds; also the age if the caller names none.
pub const ASYNC_EVENT_AGE_MAX_S: i64 = 21_600;
/// Least configurable age of an event in the queue, in seconds.
pub const ASYNC_EVENT_AGE_MIN_S: i64 = 60;

/// Longest `X-Amz-Client-Context` once decoded, in bytes ("Invoke" in the API reference).
pub const CLIENT_CONTEXT_MAX_BYTES: usize = 3583;
/// The part of the log that `X-Amz-Log-Result` returns: the last 4 KB ("Invoke").
pub const LOG_TAIL_BYTES: usize = 4096;
/// Page size of a list that names none ("ListFunctions" in the API reference).
pub const LIST_PAGE_ITEMS: i64 = 50;
