//! A request as it was sent: service, operation, parameters and access key.

use std::collections::HashMap;

use hyper::HeaderMap;
use serde_json::Value;

use crate::id::AccountId;
use crate::operation::{Operation, Service};

/// A request to one of the services.
#[derive(Default)]
pub(crate) struct Request {
    pub(crate) service: Option<Service>,
    /// The operation's name, known or not.
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) user_agent: Option<String>,
    params: HashMap<String, String>,
    json: Value,
}

impl Request {
    /// Reads headers and body of a POST.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut request = Self {
            token: header("x-amz-security-token").map(str::to_owned),
            user_agent: header("user-agent").map(str::to_owned),
            ..Self::default()
        };
        if let Some(scope) = header("authorization").and_then(credential) {
            let mut parts = scope.split('/');
            request.access_key = parts.next().map(str::to_owned);
            request.service = parts.nth(2).and_then(Service::of_scope);
        }
        if let Some(target) = header("x-amz-target") {
            let name = target.rsplit('.').next().unwrap_or(target);
            name.clone_into(&mut request.name);
            request.json = serde_json::from_slice(body).unwrap_or_default();
            request.service = Some(if target.starts_with("AmazonSQS.") {
                Service::Sqs
            } else {
                Service::Organizations
            });
        } else {
            request.params = form_urlencoded::parse(body).into_owned().collect();
            request.name = request.params.remove("Action").unwrap_or_default();
            request.version = request.params.remove("Version");
        }
        if request.service.is_none() {
            request.service = request.operation().map(Operation::service);
        }
        request
    }

    /// The operation, if the service has it.
    pub(crate) fn operation(&self) -> Option<Operation> {
        let operation = Operation::of_name(&self.name)?;
        let right_service = self
            .service
            .is_none_or(|service| service == operation.service());
        let right_version = self
            .version
            .as_deref()
            .is_none_or(|version| version == operation.service().version());
        (right_service && right_version).then_some(operation)
    }

    /// A parameter of the query protocol.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    /// The parameters of the query protocol as CloudTrail writes them; null when there are none.
    pub(crate) fn parameters(&self) -> Value {
        if self.params.is_empty() {
            return Value::Null;
        }
        let members = self.params.iter().map(|(name, value)| {
            let mut name = name.clone();
            if let Some(first) = name.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            (name, Value::String(value.clone()))
        });
        Value::Object(members.collect())
    }

    /// A member of the JSON body.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.json.get(name)
    }

    /// The account that a request to enter or describe an account names.
    pub(crate) fn target(&self) -> Option<AccountId> {
        match self.operation()? {
            Operation::AssumeRole => account_of_arn(self.param("RoleArn")?),
            Operation::AssumeRoot => {
                let target = self.param("TargetPrincipal")?;
                target.parse().ok().or_else(|| account_of_arn(target))
            }
            Operation::ListTagsForResource => self.member("ResourceId")?.as_str()?.parse().ok(),
            _ => None,
        }
    }
}

/// `AKIA…/20260911/us-east-1/iam/aws4_request` out of the header (Signature Version 4).
fn credential(authorization: &str) -> Option<&str> {
    let (_, rest) = authorization.split_once("Credential=")?;
    rest.split([',', ' ']).next()
}

/// The account in `arn:aws:iam::000000000042:role/audit`.
pub(crate) fn account_of_arn(arn: &str) -> Option<AccountId> {
    arn.split(':').nth(4)?.parse().ok()
}
