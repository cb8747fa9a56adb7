//! Answers as the two protocols write them: XML for IAM and STS, JSON 1.1 for Organizations.
//!
//! Sources: the Smithy specifications of the `awsQuery` and `awsJson1_1` protocols.

use bytes::Bytes;
use serde_json::json;

use super::fault::FaultKind;
use super::operation::{Operation, Service};

/// An error of the service, before it has a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(super) fn invalid_token() -> Self {
        Self::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    }

    /// STS says 400 to a session that has ended, the other services 403.
    pub(super) fn expired(service: Service) -> Self {
        Self::new(
            if service == Service::Sts { 400 } else { 403 },
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    }

    pub(super) fn unknown_operation(name: &str, service: Service) -> Self {
        Self::new(
            400,
            "InvalidAction",
            format!(
                "Could not find operation {name} for version {}",
                service.version()
            ),
        )
    }

    /// What a fault that refuses says in the service's name. For those that keep silent or speak
    /// for somebody else it is what the service might have said, which nobody hears.
    pub(super) fn of_fault(kind: FaultKind, service: Service, operation: &str) -> Self {
        match kind {
            FaultKind::Throttling => Self::new(400, "Throttling", "Rate exceeded"),
            FaultKind::LimitExceeded => Self::new(
                409,
                "LimitExceeded",
                "No more capacity to launch new report generation tasks",
            ),
            FaultKind::ServiceFailure => Self::new(
                500,
                if service == Service::Iam {
                    "ServiceFailure"
                } else {
                    "InternalFailure"
                },
                "The request processing has failed because of an unknown error, exception or \
                 failure.",
            ),
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

    /// The same error by its name in the JSON protocol, where client errors are all 400.
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

/// What an operation that worked says.
#[derive(Debug)]
pub(super) enum Reply {
    /// The inside of `<OperationResult>`, in pieces so that a report is not copied.
    Xml(Vec<Bytes>),
    /// Only that it worked: no `<OperationResult>` at all.
    Done,
    /// A JSON object.
    Json(serde_json::Value),
}

impl Reply {
    pub(super) fn xml(inside: String) -> Self {
        Self::Xml(vec![Bytes::from(inside)])
    }
}

/// An answer as it goes out.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) request_id: String,
    pub(super) frames: Vec<Bytes>,
}

const XML: &str = "text/xml";
const JSON: &str = "application/x-amz-json-1.1";

impl Wire {
    /// The page a load balancer shows when nothing stands behind it.
    pub(super) fn unavailable(request_id: String) -> Self {
        Self {
            status: 503,
            content_type: "text/html",
            request_id,
            frames: vec![Bytes::from_static(
                b"<html><head><title>503 Service Temporarily Unavailable</title></head>\
                  <body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>",
            )],
        }
    }

    /// The result of an operation in its service's protocol.
    pub(super) fn of(
        result: Result<Reply, Failure>,
        service: Service,
        operation: Option<Operation>,
        request_id: String,
    ) -> Self {
        let name = operation.map_or("", Operation::as_str);
        let (status, content_type, frames) = match (result, service) {
            (Ok(Reply::Json(value)), _) => (200, JSON, vec![Bytes::from(value.to_string())]),
            (Ok(Reply::Done), _) => (200, XML, envelope(name, service, &request_id, None)),
            (Ok(Reply::Xml(inside)), _) => {
                (200, XML, envelope(name, service, &request_id, Some(inside)))
            }
            (Err(failure), Service::Organizations) => {
                let (status, code) = failure.json();
                let body = json!({"__type": code, "Message": failure.message}).to_string();
                (status, JSON, vec![Bytes::from(body)])
            }
            (Err(failure), Service::Iam | Service::Sts) => (
                failure.status,
                XML,
                vec![Bytes::from(error(&failure, service, &request_id))],
            ),
        };
        Self {
            status,
            content_type,
            request_id,
            frames,
        }
    }

    /// Cuts the body off in the middle.
    pub(super) fn truncate(&mut self) {
        let whole = self.frames.concat();
        self.frames = vec![Bytes::copy_from_slice(&whole[..whole.len() / 2])];
    }

    /// Cuts the body off before a text.
    pub(super) fn end_before(&mut self, text: &str) {
        let whole = self.frames.concat();
        let found = whole
            .windows(text.len().max(1))
            .position(|part| part == text.as_bytes());
        self.frames = vec![Bytes::copy_from_slice(
            &whole[..found.unwrap_or(whole.len())],
        )];
    }
}

fn namespace(service: Service) -> &'static str {
    match service {
        Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        Service::Iam | Service::Organizations => "https://iam.amazonaws.com/doc/2010-05-08/",
    }
}

fn envelope(
    name: &str,
    service: Service,
    request_id: &str,
    inside: Option<Vec<Bytes>>,
) -> Vec<Bytes> {
    let open = format!("<{name}Response xmlns=\"{}\">", namespace(service));
    let close = format!(
        "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>\n"
    );
    let Some(inside) = inside else {
        return vec![Bytes::from(open + &close)];
    };
    let mut frames = Vec::with_capacity(inside.len() + 2);
    frames.push(Bytes::from(format!("{open}<{name}Result>")));
    frames.extend(inside);
    frames.push(Bytes::from(format!("</{name}Result>{close}")));
    frames
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
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
