//! Which of the answered calls CloudTrail records, and how.

use serde_json::Value;

use crate::answer::Failure;
use crate::event::{self, Event, EventError, Kind, SessionContext, Subject};
use crate::operation::{Operation, Service};
use crate::request::Request;
use crate::session::{self, Caller, Principal};

/// Where all requests come from: the simulator listens on nothing but loopback.
const ADDRESS: &str = "127.0.0.1";

/// A call that was answered.
pub(crate) struct ApiCall<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) operation: Operation,
    pub(crate) request: &'a Request,
    pub(crate) failure: Option<&'a Failure>,
    pub(crate) request_id: &'a str,
    pub(crate) now: i64,
}

impl ApiCall<'_> {
    /// Whether CloudTrail records it: IAM and STS, unless it was refused before it was known who calls what.
    pub(crate) fn is_recorded(&self) -> bool {
        let service = self.operation.service();
        let refused_early = self.failure.is_some_and(|failure| {
            matches!(
                failure.code,
                "InvalidClientTokenId" | "ExpiredToken" | "InvalidAction" | "ServiceUnavailable"
            )
        });
        matches!(service, Service::Iam | Service::Sts) && !refused_early
    }

    /// What the rules read of it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            service: self.operation.service().scope(),
            name: self.operation.as_str(),
            by_root: self.caller.is_root(),
            access_key: self.request.access_key.as_deref().unwrap_or_default(),
            user_agent: self.request.user_agent.as_deref().unwrap_or_default(),
            rule: None,
        }
    }

    /// The event of it.
    pub(crate) fn event(&self) -> Event {
        Event {
            account: self.caller.account,
            at: self.now,
            service: self.operation.service().scope().to_owned(),
            name: self.operation.as_str().to_owned(),
            identity: self.identity(),
            address: ADDRESS.to_owned(),
            user_agent: self.request.user_agent.clone().unwrap_or_default(),
            request: self.request.parameters(),
            response: Value::Null,
            error: self.failure.map(|failure| EventError {
                code: Some(error_code(failure.code).to_owned()),
                message: failure.message.clone(),
            }),
            kind: Kind::ApiCall {
                request_id: self.request_id.to_owned(),
                from_console: false,
            },
        }
    }

    fn identity(&self) -> Value {
        let account = self.caller.account;
        let key = self.request.access_key.as_deref().unwrap_or_default();
        let began = || session::began(self.request).unwrap_or(self.now);
        match &self.caller.principal {
            Principal::Caller => event::user_identity(account, key),
            Principal::Role { name, session } => {
                event::role_identity(account, name, session, key, began())
            }
            Principal::Root(_) => {
                let session = SessionContext {
                    began: began(),
                    mfa: false,
                    assumed: true,
                };
                event::root_identity(account, key, Some(session))
            }
        }
    }
}

/// An error's code as CloudTrail writes it, with the name of its exception.
fn error_code(code: &str) -> &str {
    match code {
        "NoSuchEntity" => "NoSuchEntityException",
        "LimitExceeded" => "LimitExceededException",
        "ServiceFailure" => "ServiceFailureException",
        "Throttling" => "ThrottlingException",
        "ValidationError" => "ValidationException",
        code => code,
    }
}
