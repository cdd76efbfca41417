//! The check of an invocation, for the hot path: no regular expression runs and nothing is
//! allocated unless a request is refused or has rare members. A refusal is in AWS's own words.

use crate::arn::FunctionId;
use crate::constraint::Validate;
use crate::error::ApiError;
use crate::generated::enums::{InvocationType, LogType};
use crate::generated::{InvocationRequest, InvokeWithResponseStreamRequest};

/// What an invocation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// The function, with the qualifier of the query string in it.
    pub function: FunctionId<'a>,
    /// How to invoke it; `RequestResponse` if the caller does not say.
    pub kind: InvocationType,
    /// Whether the caller wants the last 4 KB of the log.
    pub wants_log: bool,
}

/// Checks the input of `Invoke`. Region and account are still to be checked with
/// [`FunctionId::check_home`].
///
/// # Errors
/// `ValidationException` or `InvalidParameterValueException`, as
/// [`ApiError::from_violations`] and [`crate::arn::IdError`] say.
pub fn check(input: &InvocationRequest) -> Result<Invocation<'_>, ApiError> {
    let InvocationRequest {
        function_name,
        qualifier,
        invocation_type,
        log_type,
        ..
    } = input;
    let (kind, wants_log) = (kind(invocation_type), wants_log(log_type));
    let is_rare = input.tenant_id.is_some() || input.durable_execution_name.is_some();
    if is_rare || kind.is_none() || wants_log.is_none() {
        refuse_invalid(input)?;
    }
    Ok(Invocation {
        function: function(function_name, qualifier)?,
        kind: kind.unwrap_or(InvocationType::RequestResponse),
        wants_log: wants_log.unwrap_or(false),
    })
}

/// Checks the input of `InvokeWithResponseStream`, as [`check`] does. Such an invocation is never
/// an `Event`.
///
/// # Errors
/// As [`check`].
pub fn check_stream(input: &InvokeWithResponseStreamRequest) -> Result<Invocation<'_>, ApiError> {
    let InvokeWithResponseStreamRequest {
        function_name,
        qualifier,
        invocation_type,
        log_type,
        ..
    } = input;
    let kind = kind(invocation_type).filter(|kind| *kind != InvocationType::Event);
    let wants_log = wants_log(log_type);
    if input.tenant_id.is_some() || kind.is_none() || wants_log.is_none() {
        refuse_invalid(input)?;
    }
    Ok(Invocation {
        function: function(function_name, qualifier)?,
        kind: kind.unwrap_or(InvocationType::RequestResponse),
        wants_log: wants_log.unwrap_or(false),
    })
}

fn function<'a>(
    name: &'a Option<String>,
    qualifier: &'a Option<String>,
) -> Result<FunctionId<'a>, ApiError> {
    let id = FunctionId::parse(name.as_deref().unwrap_or_default())?;
    Ok(id.with_qualifier(qualifier.as_deref())?)
}

/// `None` if the value is unknown.
fn kind(header: &Option<String>) -> Option<InvocationType> {
    match header {
        Some(value) => InvocationType::from_wire(value),
        None => Some(InvocationType::RequestResponse),
    }
}

/// `None` if the value is unknown.
fn wants_log(header: &Option<String>) -> Option<bool> {
    match header {
        Some(value) => LogType::from_wire(value).map(|log_type| log_type == LogType::Tail),
        None => Some(false),
    }
}

/// The slow path: every constraint of the model.
fn refuse_invalid(input: &impl Validate) -> Result<(), ApiError> {
    ApiError::from_violations(&input.validate()).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::arn::Qualifier;
    use crate::error::ErrorKind;

    fn request(name: &str) -> InvocationRequest {
        InvocationRequest {
            function_name: Some(name.into()),
            ..Default::default()
        }
    }

    #[test]
    fn plain_invocation_is_synchronous_without_log() {
        let input = request("f:live");
        let invocation = check(&input).unwrap();
        assert_eq!(
            invocation.function.qualifier,
            Some(Qualifier::Alias("live"))
        );
        assert_eq!(
            (invocation.kind, invocation.wants_log),
            (InvocationType::RequestResponse, false)
        );
    }

    #[test]
    fn headers_select_kind_and_log() {
        let mut input = request("f");
        input.invocation_type = Some("Event".into());
        input.log_type = Some("Tail".into());
        input.tenant_id = Some("t 1".into());
        let invocation = check(&input).unwrap();
        assert_eq!(
            (invocation.kind, invocation.wants_log),
            (InvocationType::Event, true)
        );
    }

    #[test]
    fn lower_case_invocation_type_is_refused_in_the_words_of_aws() {
        let input = InvocationRequest {
            invocation_type: Some("event".into()),
            ..request("f")
        };
        let error = check(&input).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Validation);
        assert_eq!(
            error.message,
            "1 validation error detected: Value 'event' at 'invocationType' failed to satisfy \
             constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
        );
    }

    #[test]
    fn stream_is_never_an_event() {
        let input = InvokeWithResponseStreamRequest {
            function_name: Some("f".into()),
            invocation_type: Some("Event".into()),
            ..Default::default()
        };
        assert_eq!(
            check_stream(&input).unwrap_err().kind,
            ErrorKind::Validation
        );
    }

    #[test]
    fn bad_name_and_bad_tenant_are_refused() {
        assert_eq!(
            check(&request("a b")).unwrap_err().kind,
            ErrorKind::Validation
        );
        let input = InvocationRequest {
            tenant_id: Some("\u{7f}".into()),
            ..request("f")
        };
        assert_eq!(check(&input).unwrap_err().kind, ErrorKind::Validation);
    }
}
