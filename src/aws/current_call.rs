//! The call that the current task makes: the credentials that sign it, and facts about its response
//! that the SDK does not return.
//!
//! All accounts share the clients. Credentials and interceptors given with each call would make the
//! SDK build its configuration again each time, a good part of the cost of a call. The clients take
//! both from the task that they run in.
//!
//! The SDK reads XML that ends too soon as if the rest were not there: a list of keys that breaks
//! off before its first key would be an empty list, and a root key would disappear.

use std::cell::Cell;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

use super::request_id::RequestId;
use crate::clock::Timestamp;

tokio::task_local! {
    static CURRENT: CurrentCall;
}

struct CurrentCall {
    credentials: Credentials,
    response: Cell<ResponseFacts>,
}

/// What the SDK does not return of a response.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ResponseFacts {
    /// Its `Date` header, by AWS's clock.
    pub date: Option<Timestamp>,
    /// The id that AWS gave the request.
    pub request_id: Option<RequestId>,
    /// Whether its body ends too soon.
    pub is_cut_off: bool,
}

/// Makes a call with these credentials. Returns the facts about its response too.
pub(super) async fn with<F: Future>(
    credentials: Credentials,
    call: F,
) -> (F::Output, ResponseFacts) {
    let current = CurrentCall {
        credentials,
        response: Cell::default(),
    };
    let call = async {
        let output = call.await;
        (output, CURRENT.with(|current| current.response.get()))
    };
    CURRENT.scope(current, call).await
}

/// Gives the clients the credentials of the current call, and keeps the facts about its response.
#[derive(Clone, Copy, Debug)]
pub(super) struct FromCurrentCall;

impl ProvideCredentials for FromCurrentCall {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(credentials().map_err(CredentialsError::not_loaded))
    }
}

/// The credentials of the current call.
pub(super) fn credentials() -> Result<Credentials, BoxError> {
    let credentials = CURRENT.try_with(|current| current.credentials.clone());
    credentials.map_err(|_| "a call outside of `current_call::with`".into())
}

/// The `Date` of the current call's answer, where it has one.
pub(super) fn date() -> Option<Timestamp> {
    CURRENT
        .try_with(|current| current.response.get().date)
        .ok()?
}

#[dyn_dispatch_hint]
impl Intercept for FromCurrentCall {
    fn name(&self) -> &'static str {
        "FromCurrentCall"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        note_headers(context.response());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        note_body(context.response());
        Ok(())
    }
}

/// Notes what the headers of the answer say.
pub(super) fn note_headers(response: &HttpResponse) {
    let headers = response.headers();
    let request_id = headers
        .get("x-amzn-requestid")
        .map(|id| RequestId::of(id.as_bytes()));
    let date = headers.get("date");
    let date = date
        .and_then(|text| DateTime::from_str(text, Format::HttpDate).ok())
        .map(|date| Timestamp::from_unix(date.secs()));
    note(|facts| {
        facts.date = date;
        facts.request_id = request_id;
    });
}

/// Notes whether the answer's body is whole. It is in memory: none of the answers is a stream.
pub(super) fn note_body(response: &HttpResponse) {
    let body = response.body().bytes().unwrap_or_default();
    note(|facts| facts.is_cut_off = is_cut_off(body));
}

fn note(change: impl FnOnce(&mut ResponseFacts)) {
    // Outside of `with` there are no credentials either, so no call comes this far.
    let _ = CURRENT.try_with(|current| {
        let mut facts = current.response.get();
        change(&mut facts);
        current.response.set(facts);
    });
}

/// Whether a body is XML whose last tag does not close its first element. JSON is left to the SDK,
/// which accepts no half of it.
fn is_cut_off(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    // Past a declaration or a comment, to the first element.
    let mut tags = body.split(|byte| *byte == b'<').skip(1);
    let first = tags.find(|tag| !tag.starts_with(b"?") && !tag.starts_with(b"!"));
    let is_end = |byte: &u8| matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace();
    let name = first.and_then(|tag| tag.split(is_end).next());
    let end = body.strip_suffix(b">").map(<[u8]>::trim_ascii_end);
    let before = end.and_then(|end| end.strip_suffix(name?));
    body.starts_with(b"<") && !before.is_some_and(|before| before.ends_with(b"</"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<ListAccessKeysResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
        <ListAccessKeysResult><AccessKeyMetadata><member><AccessKeyId>AKIAIOSFODNN7EXAMPLE\
        </AccessKeyId><Status>Active</Status></member></AccessKeyMetadata><IsTruncated>false\
        </IsTruncated></ListAccessKeysResult></ListAccessKeysResponse>";

    #[test]
    fn xml_is_complete_at_its_end_and_nowhere_before() {
        for before in ["", "<?xml version=\"1.0\"?>\n", "\n<!-- of AWS -->"] {
            for after in ["", "\n"] {
                let whole = format!("{before}{LIST}{after}");
                assert!(!is_cut_off(whole.as_bytes()), "{whole}");
            }
            let whole = format!("{before}{LIST}");
            for length in before.len() + 1..whole.len() {
                assert!(is_cut_off(&whole.as_bytes()[..length]), "{length} bytes");
            }
        }
    }

    #[test]
    fn only_xml_is_checked() {
        for body in ["", "{\"Accounts\": [", "no route to host"] {
            assert!(!is_cut_off(body.as_bytes()), "{body}");
        }
    }
}
