//! One call: how it is sent with a session's credentials, timed, counted and classed.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::classify::classify;
use super::tap::Tap;
use super::{Answer, Aws};
use crate::failure::{Failure, Reason};
use root_posture::Moment;

/// Sends a request with a session's credentials, and once more where the connection was closed
/// without an answer: a kept one may just have been given up by the other side, which says nothing
/// of AWS. `send!(aws, service, operation, session, request)` is the [`Call`], its [`Tap`] and the
/// SDK's result.
macro_rules! send {
    ($aws:expr, $service:literal, $operation:literal, $session:expr, $request:expr) => {{
        let tap = $crate::aws::tap::Tap::default();
        let started = $aws.clock.moment();
        let mut may_repeat = $crate::aws::call::may_be_repeated($operation);
        let result = loop {
            // The SDK's future is of 20 KB, which each that awaits it would hold as well.
            let sending = Box::pin($request.clone().send());
            let result = $crate::aws::ongoing::with(&$session.credentials, &tap, sending).await;
            match &result {
                Err(error) if may_repeat && $crate::aws::classify::is_hung_up(error) => {
                    may_repeat = false;
                }
                _ => break result,
            }
        };
        let call = $crate::aws::call::Call {
            service: $service,
            operation: $operation,
            started,
        };
        (call, tap, result)
    }};
}
pub(super) use send;

/// Whether an operation comes to the same when it is carried out twice: all that only read, and
/// those that open a session, do. Whoever deletes wants to know of each deletion.
pub(super) fn may_be_repeated(operation: &str) -> bool {
    !operation.starts_with("Delete")
}

/// A call that has ended.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub service: &'static str,
    pub operation: &'static str,
    pub started: Moment,
}

impl Aws {
    /// Counts a call that has ended, and classes its failure.
    pub(super) fn book<T, E>(
        &self,
        call: Call,
        tap: &Tap,
        result: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Answer<T>, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        // A call that worked, as nearly all do, needs no words.
        let what = || format!("{}:{}", call.service, call.operation);
        let result = match result {
            Ok(_) if tap.breaks_off() => Err(Failure::new(
                Reason::Other,
                format!("{}: the answer breaks off in the middle", what()),
            )),
            result => result.map_err(|error| classify(&what(), &error)),
        };
        self.observe(
            call,
            result
                .as_ref()
                .map(|_| ())
                .map_err(|failure| failure.reason),
        );
        result.map(|value| self.answered(call, value, tap))
    }

    /// Counts a call that has ended.
    pub(super) fn observe(&self, call: Call, outcome: Result<(), Reason>) {
        let took = self.clock.moment().since(call.started);
        self.observer
            .called(call.service, call.operation, outcome, took);
    }

    /// An answer of this moment.
    pub(super) fn answered<T>(&self, call: Call, value: T, tap: &Tap) -> Answer<T> {
        let now = self.clock.now();
        let date = tap.date();
        Answer {
            value,
            date: date.unwrap_or(now),
            skew: date.map(|date| date.unix() - now.unix()),
            asked: call.started,
            received: self.clock.moment(),
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
