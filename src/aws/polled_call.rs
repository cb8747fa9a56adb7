//! The call that every poll makes, iam:GetAccountSummary, at a lower price.
//!
//! For each call the SDK merges its configuration out of thirty parts, resolves the endpoint, writes
//! the request and its user agent, and asks a dozen interceptors at twenty stages, though nothing
//! but the credentials and the time differs between the calls of a client. The first call goes that
//! way. Its request, endpoint and settings are kept; later calls are only signed, sent and read, each
//! by the SDK's own code.

#![allow(
    clippy::result_large_err,
    reason = "the error is the one that the SDK returns for its own calls"
)]

use std::mem;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_runtime::service_clock_skew::DisableClockSkewCorrection;
use aws_sdk_iam::operation::get_account_summary::{
    GetAccountSummary, GetAccountSummaryError, GetAccountSummaryOutput,
};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, Output,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer};
use aws_smithy_types::timeout::TimeoutConfig;
use http_body_util::BodyExt as _;
use hyper::header::HeaderValue;

use super::current_call;
use crate::clock::Clock;

/// The headers to send again. The user agent, which CloudTrail shows, may name how the credentials of
/// the first call were found.
const COMMON: [&str; 2] = ["content-type", "user-agent"];

/// The last second that a signature can have, at the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// The longest call whose answer says what AWS's time is. An answer that was read after the machine had
/// slept would be hours off.
const PROMPT: Duration = Duration::from_secs(60);

type Sent = Result<GetAccountSummaryOutput, SdkError<GetAccountSummaryError, HttpResponse>>;

/// iam:GetAccountSummary with one client. Clones share what is kept.
#[derive(Clone)]
pub(super) struct PolledCall {
    client: aws_sdk_iam::Client,
    clock: Clock,
    kept: Arc<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    prepared: OnceLock<Prepared>,
    /// The seconds that AWS's clock is ahead of the local one, by the answer that ended last.
    ahead: AtomicI64,
}

/// What is the same for each call.
#[derive(Debug)]
struct Prepared {
    /// The request without its signature.
    request: HttpRequest,
    region: String,
    service: String,
    /// Whether requests are signed with AWS's time where the local clock is wrong.
    corrects_clock: bool,
    components: RuntimeComponents,
    settings: HttpConnectorSettings,
    timeout: Option<Duration>,
    /// Holds the parser of answers.
    operation: FrozenLayer,
}

impl PolledCall {
    pub fn new(client: aws_sdk_iam::Client, clock: Clock) -> Self {
        Self {
            client,
            clock,
            kept: Arc::default(),
        }
    }

    /// Makes the call, inside of [`current_call::with`].
    pub async fn send(self) -> Sent {
        let (kept, begun) = (self.kept, self.clock.moment());
        let sent = if let Some(prepared) = kept.prepared.get() {
            let ahead = kept.ahead.load(Ordering::Relaxed);
            prepared.send(self.clock.now().unix(), ahead).await
        } else {
            let call = self.client.get_account_summary().customize();
            call.interceptor(Recorder(Arc::downgrade(&kept)))
                .send()
                .await
        };
        let took = self.clock.moment().since(begun);
        if let Some(date) = current_call::date().filter(|_| took < PROMPT) {
            let ahead = date.unix() - self.clock.now().unix();
            kept.ahead.store(ahead, Ordering::Relaxed);
        }
        sent
    }
}

impl Prepared {
    /// What the SDK worked out for a call that is about to be sent.
    fn of(
        request: &HttpRequest,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Option<Self> {
        let mut common = HttpRequest::new(request.body().try_clone()?);
        common.set_method(request.method()).ok()?;
        common.set_uri(request.uri()).ok()?;
        for name in COMMON {
            if let Some(value) = request.headers().get(name) {
                common.headers_mut().insert(name, value.to_owned());
            }
        }
        let (region, service) = scope(request.headers().get("authorization")?)?;
        let timeouts = config.load::<TimeoutConfig>()?;
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(timeouts.connect_timeout());
        settings.set_read_timeout(timeouts.read_timeout());
        let corrects_clock = !config
            .load::<DisableClockSkewCorrection>()
            .is_some_and(DisableClockSkewCorrection::is_disabled);
        Some(Self {
            request: common,
            region: region.to_owned(),
            service: service.to_owned(),
            corrects_clock,
            components: components.clone(),
            settings: settings.build(),
            timeout: timeouts.operation_timeout(),
            operation: GetAccountSummary::new().config()?,
        })
    }

    /// Makes a call. `now` is the local time in seconds since the Unix epoch; AWS's clock is `ahead` of it.
    async fn send(&self, now: i64, ahead: i64) -> Sent {
        let now = now.saturating_add(if self.corrects_clock { ahead } else { 0 });
        let seconds = now.clamp(0, LAST_SECOND).cast_unsigned();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let call = async {
            let signed = current_call::credentials().and_then(|them| self.signed(&them, time));
            let request = signed.map_err(SdkError::construction_failure)?;
            let response = self.transmit(request).await?;
            self.read(response)
        };
        match self.timeout {
            None => call.await,
            Some(timeout) => tokio::time::timeout(timeout, call)
                .await
                .unwrap_or_else(|elapsed| Err(SdkError::timeout_error(elapsed))),
        }
    }

    fn signed(&self, credentials: &Credentials, time: SystemTime) -> Result<HttpRequest, BoxError> {
        let mut request = self.request.try_clone().ok_or("its body is a stream")?;
        let identity = credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(time)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let signable = SignableRequest::new(
            request.method(),
            request.uri(),
            request.headers().iter(),
            SignableBody::Bytes(request.body().bytes().unwrap_or_default()),
        )?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let (headers, _) = instructions.into_parts();
        for header in headers {
            let mut value = HeaderValue::from_str(header.value())?;
            value.set_sensitive(header.sensitive());
            request.headers_mut().insert(header.name(), value);
        }
        Ok(request)
    }

    /// Sends a request, and receives the whole answer.
    async fn transmit(
        &self,
        mut request: HttpRequest,
    ) -> Result<HttpResponse, SdkError<GetAccountSummaryError, HttpResponse>> {
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());
        let client = self.components.http_client();
        let client = client.ok_or_else(|| SdkError::construction_failure("no HTTP client"))?;
        let connector = client.http_connector(&self.settings, &self.components);
        let response = connector.call(request).await;
        let mut response = response.map_err(SdkError::dispatch_failure)?;
        if matches!(response.status().as_u16(), 500 | 502..=504)
            && let Some(connection) = connection.get()
        {
            // The load balancer, or the server behind it, may be broken.
            connection.poison();
        }
        current_call::note_headers(&response);
        let body = mem::replace(response.body_mut(), SdkBody::taken());
        match body.collect().await {
            Ok(body) => {
                *response.body_mut() = SdkBody::from(body.to_bytes());
                Ok(response)
            }
            Err(error) => Err(SdkError::response_error(error, response)),
        }
    }

    /// Reads an answer.
    fn read(&self, response: HttpResponse) -> Sent {
        current_call::note_body(&response);
        let unreadable = "no parser of this operation";
        let Some(parser) = self.operation.load::<SharedResponseDeserializer>() else {
            return Err(SdkError::response_error(unreadable, response));
        };
        let read = parser.deserialize_nonstreaming_with_config(&response, &ConfigBag::base());
        let mut failure = None;
        let output = read
            .map_err(|error| error.map_operation_error(|error| failure = error.downcast().ok()));
        match (output.map(Output::downcast), failure) {
            (Ok(Ok(output)), _) => Ok(output),
            (_, Some(error)) => Err(SdkError::service_error(error, response)),
            _ => Err(SdkError::response_error(unreadable, response)),
        }
    }
}

/// The Region and the service for which a request is signed, from its `Authorization` header.
///
/// Source: IAM User Guide, "Create a signed AWS API request": `Credential=key/date/region/service/aws4_request`.
fn scope(authorization: &str) -> Option<(&str, &str)> {
    let (_, credential) = authorization.split_once("Credential=")?;
    let (credential, _) = credential.split_once(',')?;
    // From the end, for nothing keeps a key from having a slash.
    let mut parts = credential.rsplit('/').skip(1);
    let service = parts.next()?;
    Some((parts.next()?, service))
}

/// Keeps what the SDK works out. It is itself among what is kept, hence the weak reference.
#[derive(Debug)]
struct Recorder(Weak<Kept>);

#[dyn_dispatch_hint]
impl Intercept for Recorder {
    fn name(&self) -> &'static str {
        "Recorder"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(kept) = self.0.upgrade()
            && let Some(prepared) = Prepared::of(context.request(), components, config)
        {
            let _ = kept.prepared.set(prepared);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
