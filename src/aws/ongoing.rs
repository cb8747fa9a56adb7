//! The call that the current task makes: the credentials that sign it, and where its answer is
//! noted.
//!
//! The clients are shared by all accounts. Giving the SDK credentials and interceptors with each
//! call would make it build its configuration anew for each, which is a good part of what a call
//! costs. So the clients take both from the task they run in, and know nothing else.

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::tap::Tap;

tokio::task_local! {
    static ONGOING: Ongoing;
}

struct Ongoing {
    credentials: Credentials,
    tap: Tap,
}

/// Makes a call with these credentials; the tap notes what is read of the answer.
pub(super) async fn with<F: Future>(credentials: &Credentials, tap: &Tap, call: F) -> F::Output {
    let ongoing = Ongoing {
        credentials: credentials.clone(),
        tap: tap.clone(),
    };
    ONGOING.scope(ongoing, call).await
}

/// What the clients are made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfTask;

impl ProvideCredentials for OfTask {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let credentials = ONGOING.try_with(|ongoing| ongoing.credentials.clone());
        future::ProvideCredentials::ready(
            credentials
                .map_err(|_| CredentialsError::not_loaded("a call outside of `ongoing::with`")),
        )
    }
}

#[dyn_dispatch_hint]
impl Intercept for OfTask {
    fn name(&self) -> &'static str {
        "OfTask"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        Ok(ONGOING.try_with(|ongoing| ongoing.tap.see_date(date))?)
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The body is in memory by now: none of the answers is a stream.
        let body = context.response().body().bytes().unwrap_or_default();
        Ok(ONGOING.try_with(|ongoing| ongoing.tap.see_body(body))?)
    }
}
