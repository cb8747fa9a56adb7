//! The clients of AWS's services, one for each service and Region.
//!
//! All accounts share them: the credentials come with each call, so an account costs no more than
//! its sessions. The SDK's retries are off. Their budget is one for the whole process, so a single
//! throttled account would slow the others. Its protection against slow streams is off as well: it
//! makes each call 5 % more expensive, and every call has a deadline.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::config::IdentityCache;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::credentials::Sources;
use super::current_call::FromCurrentCall;
use super::polled_call::PolledCall;
use super::slot::{SessionKind, Slot};
use crate::account::AccountId;
use crate::clock::Clock;
use crate::config;
use crate::failure::Reason;

/// The longest that SQS waits for a message.
///
/// Source: SQS API Reference, `ReceiveMessage`, `WaitTimeSeconds`.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Counts a call that ended, by its service (`iam`, `sts`, `organizations` or `sqs`), its operation, its
/// outcome, and the time it took.
pub type CallObserver =
    Box<dyn Fn(&'static str, &'static str, Result<(), Reason>, Duration) + Send + Sync>;

/// How AWS is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The caller's Region and profile.
    pub caller: config::Aws,
    /// The deadline of a probe, and of opening a session.
    pub timeout: Duration,
    /// The URL of a simulated AWS, for the demo and the tests. It accepts any credentials, and the
    /// environment of the process has no effect on it.
    pub stand_in: Option<String>,
}

/// AWS, with the operations that this program uses. Clones share their sessions.
#[derive(Clone)]
pub struct Aws(pub(super) Arc<Shared>);

/// The state that clones of [`Aws`] share.
pub(super) struct Shared {
    pub base: SdkConfig,
    /// The clients of each Region, made at its first call.
    regions: Mutex<HashMap<String, Arc<Clients>>>,
    pub settings: Settings,
    /// Reads credentials; `None` with a stand-in.
    pub sources: Option<Sources>,
    /// The caller's session. Its account is not verified.
    pub caller: Arc<Slot>,
    pub sessions: Mutex<HashMap<(AccountId, SessionKind), Arc<Slot>>>,
    pub observer: Option<CallObserver>,
    pub clock: Clock,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

/// One client for each service of a Region.
pub(super) struct Clients {
    pub iam: aws_sdk_iam::Client,
    /// iam:GetAccountSummary, with the client above.
    pub summary: PolledCall,
    pub sts: aws_sdk_sts::Client,
    pub organizations: aws_sdk_organizations::Client,
    pub sqs: aws_sdk_sqs::Client,
}

impl Aws {
    /// Reads the SDK's standard settings: environment and shared files. Sends nothing and reads no
    /// credentials.
    pub async fn new(settings: &Settings, observer: Option<CallObserver>, clock: Clock) -> Self {
        // Slightly less than the deadline of a probe, so that a call that hangs is counted and not
        // dropped.
        let call_timeout = settings.timeout.mul_f64(0.95);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(call_timeout.min(Duration::from_secs(5)))
            .operation_timeout(call_timeout)
            .build();
        let region = Region::new(settings.caller.region.clone());
        let (sources, config) = match &settings.stand_in {
            None => {
                let profile = settings.caller.profile.as_deref();
                let (sources, config) = Sources::load(profile, region).await;
                (Some(sources), config.into_builder())
            }
            Some(url) => {
                let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
                (None, config.region(region).endpoint_url(url))
            }
        };
        let mut config = config
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(timeouts)
            .credentials_provider(SharedCredentialsProvider::new(FromCurrentCall))
            .identity_cache(IdentityCache::no_cache());
        config.set_app_name(AppName::new("aws-root-exporter").ok());
        let watch = sources.as_ref().map(Sources::watch);
        let caller = Slot::new("the caller's session", &clock, settings.timeout, watch);
        Self(Arc::new(Shared {
            base: config.build(),
            regions: Mutex::default(),
            settings: settings.clone(),
            caller: Arc::new(caller),
            sources,
            sessions: Mutex::default(),
            observer,
            clock,
        }))
    }

    pub(super) fn clients(&self, region: &str) -> Arc<Clients> {
        let regions = &self.0.regions;
        let mut regions = regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clients) = regions.get(region) {
            return Arc::clone(clients);
        }
        let name = Region::new(region.to_owned());
        let config = self.0.base.to_builder().region(name).build();
        let iam = aws_sdk_iam::config::Builder::from(&config).interceptor(FromCurrentCall);
        let sts = aws_sdk_sts::config::Builder::from(&config).interceptor(FromCurrentCall);
        let organizations =
            aws_sdk_organizations::config::Builder::from(&config).interceptor(FromCurrentCall);
        // SQS answers late on purpose.
        let timeouts = config.timeout_config().map(|timeouts| {
            let timeout = timeouts.operation_timeout().unwrap_or_default();
            let timeout = timeout + LONGEST_WAIT;
            timeouts.to_builder().operation_timeout(timeout).build()
        });
        let mut sqs = aws_sdk_sqs::config::Builder::from(&config).interceptor(FromCurrentCall);
        sqs.set_timeout_config(timeouts);
        let iam = aws_sdk_iam::Client::from_conf(iam.build());
        let clients = Arc::new(Clients {
            summary: PolledCall::new(iam.clone(), self.0.clock.clone()),
            iam,
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            organizations: aws_sdk_organizations::Client::from_conf(organizations.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
        });
        regions.insert(region.to_owned(), Arc::clone(&clients));
        clients
    }
}
