//! One call: how it is sent with a session's credentials, timed, counted and classed.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::classify::{classify, is_hung_up};
use super::credentials::last_four;
use super::hint::{self, Made};
use super::ongoing;
use super::operation::Operation;
use super::slot::Session;
use super::tap::Tap;
use super::{Answer, Aws};
use crate::clock::Moment;
use crate::failure::{Failure, Reason};

/// A call that has ended. It is counted when it becomes an answer or a failure.
pub(super) struct Sent<T, E> {
    aws: Aws,
    operation: Operation,
    region: String,
    /// The end of the access key that it bore.
    key: String,
    asked: Moment,
    tap: Tap,
    pub result: Result<T, SdkError<E, HttpResponse>>,
}

impl Aws {
    /// Sends a request with a session's credentials, and once more where the connection was closed
    /// without an answer: the other side may just have given up an idle one.
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
        let tap = Tap::default();
        let asked = self.0.clock.moment();
        // The SDK's future takes 20 KB, which every future that awaits it would hold as well.
        let send = || Box::pin(ongoing::with(&session.credentials, &tap, request()));
        let mut result = send().await;
        if operation.may_be_repeated() && result.as_ref().err().is_some_and(is_hung_up) {
            result = send().await;
        }
        Sent {
            aws: self.clone(),
            operation,
            region: region.to_owned(),
            key: last_four(session.credentials.access_key_id()),
            asked,
            tap,
            result,
        }
    }
}

impl<T, E: ProvideErrorMetadata + Error + 'static> Sent<T, E> {
    /// The error that the service answered, if it did.
    pub fn service_error(&self) -> Option<&E> {
        self.result.as_ref().err()?.as_service_error()
    }

    /// Whether an answer came whose body ends too soon or cannot be read.
    pub fn is_unreadable(&self) -> bool {
        match &self.result {
            Ok(_) => self.tap.seen().is_cut_off,
            // The SDK reports what it cannot parse as an error of the service.
            Err(error) => error
                .raw_response()
                .is_some_and(|response| response.status().is_success()),
        }
    }

    /// Counts the call, and classes its failure.
    pub fn book(self) -> Result<Answer<T>, Failure> {
        let Self {
            aws,
            operation,
            region,
            key,
            asked,
            tap,
            result,
        } = self;
        let result = match result {
            Ok(_) if tap.seen().is_cut_off => Err(Failure::new(
                Reason::Other,
                format!("{operation}: the answer breaks off in the middle"),
            )),
            Ok(value) => Ok(value),
            // A call that worked, as nearly all do, needs no text.
            Err(error) => {
                let made = Made {
                    operation,
                    region: &region,
                    key: &key,
                    skew: aws.skew(&tap),
                    uses_fips: aws.0.base.use_fips() == Some(true),
                };
                let code = error.as_service_error().and_then(|error| error.code());
                let failure = classify(&operation.to_string(), &error);
                Err(hint::explain(failure, code, &made, &aws.0.settings))
            }
        };
        aws.count(operation, asked, result.as_ref().map(|_| ()));
        result.map(|value| aws.answer(value, asked, &tap))
    }

    /// Counts a call whose error is an answer, and what that error says.
    pub fn book_as<U>(self, value: U) -> Answer<U> {
        self.aws.count(self.operation, self.asked, Ok(()));
        self.aws.answer(value, self.asked, &self.tap)
    }
}

impl Aws {
    fn count(&self, operation: Operation, asked: Moment, outcome: Result<(), &Failure>) {
        let took = self.0.clock.moment().since(asked);
        let outcome = outcome.map_err(|failure| failure.reason);
        self.0
            .observer
            .called(operation.service, operation.name, outcome, took);
    }

    /// How far AWS's clock is ahead of the local one, in seconds.
    fn skew(&self, tap: &Tap) -> Option<i64> {
        let date = tap.seen().date;
        date.map(|date| date.unix() - self.0.clock.now().unix())
    }

    fn answer<T>(&self, value: T, asked: Moment, tap: &Tap) -> Answer<T> {
        let date = tap.seen().date;
        Answer {
            value,
            date: date.unwrap_or_else(|| self.0.clock.now()),
            skew: self.skew(tap),
            asked,
            received: self.0.clock.moment(),
        }
    }
}

impl<T> Answer<T> {
    /// The same answer, read differently.
    pub fn map<U>(self, read: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: read(self.value),
            date: self.date,
            skew: self.skew,
            asked: self.asked,
            received: self.received,
        }
    }
}
