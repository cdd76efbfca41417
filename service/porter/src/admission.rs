//! Why an event is refused, in Lambda's words.

use offshoot_decide::Refusal;

/// Why an invocation is refused; Lambda's `Reason` of a 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleReason {
    /// The account's unreserved concurrency is in use, or the node's memory is.
    ConcurrentInvocationLimitExceeded,
    /// The function's reserved concurrency is in use.
    ReservedFunctionConcurrentInvocationLimitExceeded,
}

impl From<Refusal> for ThrottleReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Reserved { .. } => Self::ReservedFunctionConcurrentInvocationLimitExceeded,
            Refusal::Unknown
            | Refusal::Full { .. }
            | Refusal::Share { .. }
            | Refusal::Memory { .. } => Self::ConcurrentInvocationLimitExceeded,
        }
    }
}
