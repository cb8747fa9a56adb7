//! Answers in their protocols: XML for IAM and STS, JSON 1.1 for Organizations, JSON 1.0 for SQS.
//!
//! Sources: the Smithy specifications of the `awsQuery`, `awsJson1_1`, `awsJson1_0` and
//! `awsQueryCompatible` traits; SQS Developer Guide, "Interpreting Amazon SQS JSON API responses".

use bytes::Bytes;
use serde_json::json;

use crate::fault::FaultKind;
use crate::operation::{Operation, Service};
use crate::queue::Receive;

/// An error of a service, before it has a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code,
            message,
        }
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(crate) fn invalid_token() -> Self {
        let message = "The security token included in the request is invalid.";
        Self::new(403, "InvalidClientTokenId", message)
    }

    /// STS answers 400 to an expired session, the other services 403.
    pub(crate) fn expired(service: Service) -> Self {
        let status = if service == Service::Sts { 400 } else { 403 };
        let message = "The security token included in the request is expired";
        Self::new(status, "ExpiredToken", message)
    }

    pub(crate) fn unknown_operation(name: &str, service: Service) -> Self {
        let version = service.version();
        let message = format!("Could not find operation {name} for version {version}");
        Self::new(400, "InvalidAction", message)
    }

    /// The error that a refusing fault stands for. For a fault that leaves no answer or answers in
    /// another way it is never sent.
    pub(crate) fn of_fault(kind: FaultKind, service: Service, operation: &str) -> Self {
        match kind {
            FaultKind::Throttling => Self::new(400, "Throttling", "Rate exceeded"),
            FaultKind::LimitExceeded => {
                let message = "No more capacity to launch new report generation tasks";
                Self::new(409, "LimitExceeded", message)
            }
            FaultKind::ServiceFailure => {
                let is_iam = service == Service::Iam;
                let code = if is_iam {
                    "ServiceFailure"
                } else {
                    "InternalFailure"
                };
                let message = "The request processing has failed because of an unknown error, \
                               exception or failure.";
                Self::new(500, code, message)
            }
            FaultKind::AccessDenied => Self::denied(format!(
                "User is not authorized to perform: {operation} with an explicit deny in a \
                 service control policy"
            )),
            FaultKind::ExpiredToken => Self::expired(service),
            FaultKind::InvalidToken => Self::invalid_token(),
            FaultKind::UnknownOperation => Self::unknown_operation(operation, service),
            _ => Self::new(503, "ServiceUnavailable", "Service Unavailable"),
        }
    }

    /// The same error by its name in the JSON protocol of Organizations, where client errors are all 400.
    fn json(&self) -> (u16, &'static str) {
        let status = if self.status < 500 { 400 } else { self.status };
        let code = match self.code {
            "Throttling" => "TooManyRequestsException",
            "AccessDenied" => "AccessDeniedException",
            "ExpiredToken" => "ExpiredTokenException",
            "InvalidClientTokenId" => "UnrecognizedClientException",
            "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
            "InternalFailure" => "ServiceException",
            "InvalidAction" => "UnknownOperationException",
            "LimitExceeded" => "ConstraintViolationException",
            "ValidationError" => "InvalidInputException",
            code => code,
        };
        (status, code)
    }
}

/// An error of SQS in both of its protocols: the JSON protocol's status and type, and the code that the
/// query protocol had, which is sent in a header beside it.
struct SqsError {
    status: u16,
    kind: String,
    code: &'static str,
}

impl SqsError {
    fn of(failure: &Failure) -> Self {
        let of_service = |name: &str| format!("com.amazonaws.sqs#{name}");
        let of_all = |name: &str| format!("com.amazon.coral.service#{name}");
        let (kind, code) = match failure.code {
            "Throttling" => (of_service("RequestThrottled"), "RequestThrottled"),
            "LimitExceeded" => (of_service("OverLimit"), "OverLimit"),
            "AccessDenied" => (of_all("AccessDeniedException"), "AccessDenied"),
            "ExpiredToken" => (of_all("ExpiredTokenException"), "ExpiredToken"),
            "InvalidClientTokenId" => {
                let kind = of_all("UnrecognizedClientException");
                (kind, "InvalidClientTokenId")
            }
            "MissingAuthenticationToken" => {
                let kind = of_all("MissingAuthenticationTokenException");
                (kind, "MissingAuthenticationToken")
            }
            "InternalFailure" => (of_all("InternalFailure"), "InternalFailure"),
            "InvalidAction" => (of_all("UnknownOperationException"), "InvalidAction"),
            "InvalidParameterValue" => {
                let kind = of_all("InvalidParameterValueException");
                (kind, "InvalidParameterValue")
            }
            "QueueDoesNotExist" => {
                let code = "AWS.SimpleQueueService.NonExistentQueue";
                (of_service("QueueDoesNotExist"), code)
            }
            "EmptyBatchRequest" => {
                let code = "AWS.SimpleQueueService.EmptyBatchRequest";
                (of_service("EmptyBatchRequest"), code)
            }
            "TooManyEntriesInBatchRequest" => {
                let code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
                (of_service("TooManyEntriesInBatchRequest"), code)
            }
            "BatchEntryIdsNotDistinct" => {
                let code = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct";
                (of_service("BatchEntryIdsNotDistinct"), code)
            }
            code => (of_service(code), code),
        };
        let status = if failure.status < 500 {
            400
        } else {
            failure.status
        };
        Self { status, kind, code }
    }

    /// The value of `x-amzn-query-error`.
    fn header(&self) -> String {
        let side = if self.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        format!("{};{side}", self.code)
    }
}

/// What an operation that worked answers.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The inside of `<OperationResult>`.
    Xml(String),
    /// Only that it worked: no `<OperationResult>` at all.
    Done,
    /// A JSON object.
    Json(serde_json::Value),
    /// No message of a queue so far, which is the answer if none comes in time.
    Wait(Receive),
}

/// An answer as it goes out.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) request_id: String,
    /// The header `x-amzn-query-error`.
    pub(crate) query_error: Option<String>,
    pub(crate) body: Bytes,
}

impl Wire {
    /// The page of a load balancer without a server behind it.
    pub(crate) fn unavailable(request_id: String) -> Self {
        let page = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>";
        Self {
            status: 503,
            content_type: "text/html",
            request_id,
            query_error: None,
            body: Bytes::from_static(page.as_bytes()),
        }
    }

    /// The result of an operation in its service's protocol.
    pub(crate) fn of(
        result: Result<Reply, Failure>,
        service: Service,
        operation: Option<Operation>,
        request_id: String,
    ) -> Self {
        let name = operation.map_or("", Operation::as_str);
        let has_json = matches!(service, Service::Organizations | Service::Sqs);
        let is_json = has_json || matches!(result, Ok(Reply::Json(_)));
        let mut query_error = None;
        let (status, body) = match result {
            Ok(Reply::Json(value)) => (200, value.to_string()),
            Ok(Reply::Wait(_)) => (200, "{}".to_owned()),
            Ok(Reply::Done) => (200, envelope(name, service, &request_id, "")),
            Ok(Reply::Xml(inside)) => {
                let inside = format!("<{name}Result>{inside}</{name}Result>");
                (200, envelope(name, service, &request_id, &inside))
            }
            Err(failure) if service == Service::Sqs => {
                let error = SqsError::of(&failure);
                query_error = Some(error.header());
                let body = json!({"__type": error.kind, "message": failure.message});
                (error.status, body.to_string())
            }
            Err(failure) if is_json => {
                let (status, code) = failure.json();
                let body = json!({"__type": code, "Message": failure.message});
                (status, body.to_string())
            }
            Err(failure) => (failure.status, error(&failure, service, &request_id)),
        };
        Self {
            status,
            content_type: match service {
                Service::Sqs => "application/x-amz-json-1.0",
                _ if is_json => "application/x-amz-json-1.1",
                _ => "text/xml",
            },
            request_id,
            query_error,
            body: Bytes::from(body),
        }
    }

    /// Cuts the body off in the middle.
    pub(crate) fn truncate(&mut self) {
        self.body.truncate(self.body.len() / 2);
    }

    /// Cuts the body off before a text, if the text is in it.
    pub(crate) fn end_before(&mut self, text: &str) {
        let mut windows = self.body.windows(text.len().max(1));
        if let Some(at) = windows.position(|part| part == text.as_bytes()) {
            self.body.truncate(at);
        }
    }
}

fn namespace(service: Service) -> &'static str {
    match service {
        Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        Service::Iam | Service::Organizations | Service::Sqs => {
            "https://iam.amazonaws.com/doc/2010-05-08/"
        }
    }
}

fn envelope(name: &str, service: Service, request_id: &str, inside: &str) -> String {
    format!(
        "<{name}Response xmlns=\"{}\">{inside}<ResponseMetadata><RequestId>{request_id}</RequestId>\
         </ResponseMetadata></{name}Response>\n",
        namespace(service)
    )
}

fn error(failure: &Failure, service: Service, request_id: &str) -> String {
    let fault = if failure.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    format!(
        "<ErrorResponse xmlns=\"{}\"><Error><Type>{fault}</Type><Code>{}</Code>\
         <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>\n",
        namespace(service),
        failure.code,
        escape(&failure.message),
    )
}

/// Text that may stand between XML tags.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
