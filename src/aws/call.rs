//! One call: sent with the credentials of a session, timed, counted, and classified where it fails.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::classify::{classify, is_hung_up};
use super::client::Aws;
use super::credentials::last_four;
use super::current_call::{self, ResponseFacts};
use super::hint::{self, FailedCall};
use super::operation::Operation;
use super::request_id::RequestId;
use super::slot::Session;
use crate::clock::{Moment, Timestamp};
use crate::failure::Failure;

/// An answer of AWS, with its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// Its `Date` header; the local clock where there was none.
    pub date: Timestamp,
    /// How far AWS's clock is ahead of the local one, in seconds; `None` without a `Date` header.
    pub skew: Option<i64>,
    /// The id that AWS gave the request.
    pub request_id: Option<RequestId>,
    /// When the request was sent. The answer may know nothing later.
    pub requested: Moment,
    /// When it was received.
    pub received: Moment,
}

impl<T> Answer<T> {
    /// The same answer with another value.
    pub fn map<U>(self, read: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: read(self.value),
            date: self.date,
            skew: self.skew,
            request_id: self.request_id,
            requested: self.requested,
            received: self.received,
        }
    }
}

/// A call that has ended. It is counted when it becomes an answer or a failure.
pub(super) struct Sent<T, E> {
    call: Call,
    result: Result<T, SdkError<E, HttpResponse>>,
}

struct Call {
    aws: Aws,
    operation: Operation,
    region: String,
    /// The last four characters of the access key.
    key: String,
    requested: Moment,
    response: ResponseFacts,
}

impl Aws {
    /// Sends a request with the credentials of a session, and once more where the connection was
    /// closed without an answer: the server may just have closed an idle one.
    pub(super) async fn send<T, E, F>(
        &self,
        operation: Operation,
        region: &str,
        session: &Session,
        request: impl Fn() -> F,
    ) -> Sent<T, E>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: Error + 'static,
    {
        let requested = self.0.clock.moment();
        // The SDK's future takes 20 KB, which every future that awaits it would hold as well.
        let send = || Box::pin(current_call::with(session.credentials.clone(), request()));
        let (mut result, mut response) = send().await;
        if operation.may_be_repeated() && result.as_ref().err().is_some_and(is_hung_up) {
            (result, response) = send().await;
        }
        let call = Call {
            aws: self.clone(),
            operation,
            region: region.to_owned(),
            key: last_four(session.credentials.access_key_id()),
            requested,
            response,
        };
        Sent { call, result }
    }
}

impl<T, E: ProvideErrorMetadata + Error + 'static> Sent<T, E> {
    /// The error that the service answered.
    pub fn service_error(&self) -> Option<&E> {
        self.result.as_ref().err()?.as_service_error()
    }

    /// Whether there is an answer whose body ends too soon or cannot be parsed.
    pub fn is_unreadable(&self) -> bool {
        match &self.result {
            Ok(_) => self.call.response.is_cut_off,
            // The SDK reports a body that it cannot parse as an error of the service.
            Err(error) => error
                .raw_response()
                .is_some_and(|response| response.status().is_success()),
        }
    }

    /// Counts the call, and classifies its failure.
    pub fn finish(self) -> Result<Answer<T>, Failure> {
        let Self { call, result } = self;
        let result = match result {
            Ok(_) if call.response.is_cut_off => Err(call
                .operation
                .bad_answer("the answer breaks off in the middle")),
            Ok(value) => Ok(value),
            Err(error) => Err(call.failure(&error)),
        };
        call.count(result.as_ref().map(|_| ()));
        result.map(|value| call.answer(value))
    }

    /// Counts a call whose error is an answer, with the value that the error means.
    pub fn finish_as<U>(self, value: U) -> Answer<U> {
        self.call.count(Ok(()));
        self.call.answer(value)
    }
}

impl Call {
    fn failure<E>(&self, error: &SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let caller = &self.aws.0.settings.caller;
        let call = FailedCall {
            operation: self.operation,
            region: &self.region,
            region_from: if self.region == caller.region {
                &caller.region_from
            } else {
                "the account's own"
            },
            key: &self.key,
            skew: self.skew(),
            uses_fips: self.aws.0.base.use_fips() == Some(true),
        };
        let code = error.as_service_error().and_then(|error| error.code());
        hint::explain(classify(self.operation, error), code, &call)
    }

    fn count(&self, outcome: Result<(), &Failure>) {
        let aws = &self.aws.0;
        let took = aws.clock.moment().since(self.requested);
        let outcome = outcome.map_err(|failure| failure.reason);
        let Operation { service, name } = self.operation;
        if let Some(observe) = &aws.observer {
            observe(service, name, outcome, took);
        }
    }

    /// How far AWS's clock is ahead of the local one, in seconds.
    fn skew(&self) -> Option<i64> {
        let date = self.response.date?;
        Some(date.unix() - self.aws.0.clock.now().unix())
    }

    fn answer<T>(&self, value: T) -> Answer<T> {
        let clock = &self.aws.0.clock;
        Answer {
            value,
            date: self.response.date.unwrap_or_else(|| clock.now()),
            skew: self.skew(),
            request_id: self.response.request_id,
            requested: self.requested,
            received: clock.moment(),
        }
    }
}
