//! How a function's asynchronous events are treated.

/// Another function that gets the record of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its name.
    pub function: String,
    /// Version or alias.
    pub qualifier: Option<String>,
    /// The ARN as it was configured.
    pub arn: String,
}

/// A function's event-invoke configuration, with Lambda's defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Runs in all, the first included: 1 to 3.
    pub max_attempts: u32,
    /// Age at which an event is given up, in milliseconds.
    pub max_age_ms: i64,
    /// Who gets the record of an event that was given up.
    pub on_failure: Option<Destination>,
    /// Who gets the record of an event that succeeded.
    pub on_success: Option<Destination>,
}

impl Default for Policy {
    /// Two retries, six hours.
    fn default() -> Self {
        Self {
            max_attempts: 3,
            max_age_ms: 6 * 3_600_000,
            on_failure: None,
            on_success: None,
        }
    }
}
