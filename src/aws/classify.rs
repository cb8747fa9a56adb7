//! Gives a failed call a reason from the fixed list, and a message.
//!
//! Codes that are missing in the SDK's service models arrive as "unhandled"; they are classified by
//! the code in the response and the HTTP status. The message is AWS's code and message and the chain
//! of causes, never a request or a response: those hold credentials.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::operation::Operation;
use crate::failure::{Failure, Reason};

/// The longest text from a server, in characters: it goes into logs and onto pages.
const LONGEST_MESSAGE: usize = 500;

/// Classifies a failed call, and says what happened.
pub(super) fn classify<E>(operation: Operation, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (reason, words) = match error {
        SdkError::TimeoutError(_) => (
            Reason::Timeout,
            "no answer within refresh.timeout".to_owned(),
        ),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            (Reason::Timeout, "no connection in time".to_owned())
        }
        SdkError::DispatchFailure(_) => (of_causes(error, Reason::Network), causes(error)),
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            (
                of_status(status).unwrap_or_else(|| of_causes(error, Reason::Other)),
                format!("HTTP {status}, unreadable: {}", causes(error)),
            )
        }
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code();
            let reason = code.and_then(of_code).or_else(|| of_status(status));
            let message = answer.err().message().unwrap_or("no message");
            let code = code.unwrap_or("without code");
            (
                reason.unwrap_or(Reason::Other),
                format!("HTTP {status} {code}: {message}"),
            )
        }
        // A request that cannot be built, or a variant that a later SDK adds.
        _ => (of_causes(error, Reason::Other), causes(error)),
    };
    Failure::new(reason, format!("{operation}: {}", shortened(&words)))
}

/// Whether the server closed the connection without an answer.
pub(super) fn is_hung_up<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: Error + 'static,
{
    matches!(error, SdkError::DispatchFailure(_)) && has_hung_up(error)
}

fn has_hung_up(error: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    chain(error).any(|error| {
        let is_io = error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|it| matches!(it.kind(), BrokenPipe | ConnectionReset | UnexpectedEof));
        let is_http = error
            .downcast_ref::<hyper::Error>()
            .is_some_and(|it| it.is_incomplete_message() || it.is_canceled());
        is_io || is_http
    })
}

/// The reason of a code that means the same for every operation.
///
/// Sources: IAM and STS API References, "Common Errors"; the throttling codes are those that the SDK
/// retries. Failures of the service itself are classified by their status.
fn of_code(code: &str) -> Option<Reason> {
    Some(match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "AccountNotManagementOrDelegatedAdministratorException"
        | "AuthorizationError"
        | "NotAuthorized"
        | "OptInRequired"
        | "UnauthorizedOperation" => Reason::AccessDenied,
        "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "TokenRefreshRequired"
        | "UnrecognizedClientException" => Reason::Credentials,
        "LimitExceeded" | "LimitExceededException" => Reason::LimitExceeded,
        "AWSOrganizationsNotInUseException"
        | "InvalidAction"
        | "OrganizationNotFoundException"
        | "FeatureNotEnabledException"
        | "OrganizationNotInAllFeaturesModeException"
        | "ServiceAccessNotEnabledException"
        | "UnknownOperationException"
        | "UnsupportedOperation" => Reason::Unsupported,
        "RequestTimeout" | "RequestTimeoutException" => Reason::Timeout,
        _ if THROTTLING_ERRORS.contains(&code) => Reason::Throttled,
        _ => return None,
    })
}

fn of_status(status: u16) -> Option<Reason> {
    match status {
        401 => Some(Reason::Credentials),
        403 => Some(Reason::AccessDenied),
        408 => Some(Reason::Timeout),
        429 => Some(Reason::Throttled),
        501 => Some(Reason::Unsupported),
        500..=599 => Some(Reason::Service),
        _ => None,
    }
}

/// The reason that the causes of an error give; `otherwise` where they give none.
fn of_causes(error: &(dyn Error + 'static), otherwise: Reason) -> Reason {
    let reason = |error: &(dyn Error + 'static)| {
        if error.is::<CredentialsError>() {
            return Some(Reason::Credentials);
        }
        let is_network = error.is::<std::io::Error>() || error.is::<hyper::Error>();
        is_network.then_some(Reason::Network)
    };
    chain(error).find_map(reason).unwrap_or(otherwise)
}

/// An error and its causes as text, each once.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for text in chain(error).map(|error| without_request(error.to_string())) {
        if !words.iter().any(|named| named.contains(&text)) {
            words.push(text);
        }
    }
    words.join(": ")
}

/// Removes the request that the SDK writes into some of its errors: its body holds tokens and
/// external ids.
fn without_request(text: String) -> String {
    const REQUEST: &str = " to request `Request {";
    match text.split_once(REQUEST) {
        Some((before, request)) => {
            let after = request.rsplit_once("}`").map_or("", |(_, after)| after);
            format!("{before}{after}")
        }
        None => text,
    }
}

/// An error and its causes.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Cuts a text from a server to the length that a log line can have.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_the_service_models_lack_are_classified() {
        let table = [
            ("Throttling", Reason::Throttled),
            ("LimitExceeded", Reason::LimitExceeded),
            ("AccessDenied", Reason::AccessDenied),
            ("ExpiredToken", Reason::Credentials),
            ("InvalidClientTokenId", Reason::Credentials),
            ("InvalidAction", Reason::Unsupported),
        ];
        for (code, reason) in table {
            assert_eq!(of_code(code), Some(reason), "{code}");
        }
        assert_eq!(of_code("NoSuchEntity"), None);
    }

    #[test]
    fn an_unknown_code_is_classified_by_the_status() {
        assert_eq!(of_status(503), Some(Reason::Service));
        assert_eq!(of_status(429), Some(Reason::Throttled));
        assert_eq!(of_status(403), Some(Reason::AccessDenied));
        assert_eq!(of_status(400), None);
    }

    #[test]
    fn a_broken_connection_is_classified_by_its_cause() {
        let torn = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(of_causes(&torn, Reason::Other), Reason::Network);
        let none = CredentialsError::not_loaded("no provider");
        assert_eq!(of_causes(&none, Reason::Other), Reason::Credentials);
    }

    #[test]
    fn only_a_connection_that_existed_can_hang_up() {
        use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, TimedOut};
        for (kind, hung_up) in [
            (ConnectionReset, true),
            (ConnectionRefused, false),
            (TimedOut, false),
        ] {
            assert_eq!(has_hung_up(&std::io::Error::from(kind)), hung_up, "{kind}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = "ü".repeat(LONGEST_MESSAGE + 1);
        assert_eq!(shortened(&long).chars().count(), LONGEST_MESSAGE + 1);
        assert_eq!(shortened("short"), "short");
    }
}
