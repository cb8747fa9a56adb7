//! Asks AWS: sessions, the calls, and the classing of what goes wrong.
//!
//! One client a service and Region serves all accounts; credentials come with each call, so an
//! account costs no more than its sessions. The SDK's own retries are off: its token bucket is one
//! for the whole process, so one throttled account would slow the others. When to ask again is
//! decided by the callers. The SDK's watch over slow streams is off as well: it costs each call a
//! twentieth, and an answer that comes too slowly meets the deadline of its call.

mod call;
mod classify;
mod credentials;
pub mod delete;
mod hint;
mod ongoing;
mod operation;
mod organization;
mod questions;
mod root;
mod session;
mod slot;
mod tap;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::config::IdentityCache;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::account::AccountId;
use crate::clock::{Clock, Moment, Timestamp};
use crate::failure::Reason;

pub use credentials::{Machine, end_processes};
use credentials::{Sources, Surroundings};
use ongoing::OfTask;
pub use organization::{AccountPage, Member};
pub use questions::{Fetched, ReportState};
pub use session::SessionKind;
use slot::Slot;

/// Counts the calls to AWS.
pub trait Observe: Send + Sync {
    /// A call ended: `service` is `iam`, `sts` or `organizations`, `outcome` the reason why it failed.
    fn called(
        &self,
        service: &'static str,
        operation: &'static str,
        outcome: Result<(), Reason>,
        took: Duration,
    );
}

/// What AWS answered, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// Its `Date` header; the local clock where there was none.
    pub date: Timestamp,
    /// How far AWS's clock is ahead of the local one, in seconds; `None` without a `Date` header.
    pub skew: Option<i64>,
    /// When the request was sent: the answer may know nothing later.
    pub asked: Moment,
    /// When it was received.
    pub received: Moment,
}

/// Who the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The caller's account.
    pub account: AccountId,
    /// The caller's ARN.
    pub arn: String,
}

/// How AWS is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Region whose STS is asked for the caller, and from which the partition follows.
    pub region: String,
    /// What named that Region, for messages.
    pub region_from: String,
    /// The profile of the shared AWS configuration files to take the caller's credentials from;
    /// `None` for the SDK's standard chain.
    pub profile: Option<String>,
    /// How long one probe, or opening a session, may take.
    pub timeout: Duration,
    /// What is asked instead of AWS.
    pub stand_in: Option<StandIn>,
}

/// A stand-in for AWS, for the demo and the tests: it takes any credentials, and nothing of the
/// process's environment reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// Where every service of it is.
    pub endpoint_url: String,
}

/// AWS, as far as this program asks it. Clones share everything.
#[derive(Clone)]
pub struct Aws(Arc<Inner>);

struct Inner {
    base: SdkConfig,
    /// The clients of each Region, made when first needed.
    regions: Mutex<HashMap<String, Arc<Clients>>>,
    settings: Settings,
    sources: Sources,
    /// What the caller is where AWS is a stand-in.
    stand_in: Option<Credentials>,
    /// The caller's session, whose account is not verified.
    caller: Arc<Slot>,
    sessions: Mutex<HashMap<(AccountId, SessionKind), Arc<Slot>>>,
    observer: Arc<dyn Observe>,
    clock: Clock,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

/// One client a service, for all accounts of a Region.
struct Clients {
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    organizations: aws_sdk_organizations::Client,
}

/// The SDK's standard settings: environment, shared configuration files. Credentials come with
/// each call.
async fn standard(
    settings: &Settings,
    surroundings: &Surroundings,
    region: Region,
    timeouts: TimeoutConfig,
) -> SdkConfig {
    let (files, profile) = surroundings.for_sdk(settings.profile.as_deref());
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts)
        .profile_name(profile)
        .profile_files(files)
        .no_credentials();
    if let Some(http) = surroundings.http() {
        loader = loader.http_client(http);
    }
    if let Ok(name) = AppName::new("aws-root-exporter") {
        loader = loader.app_name(name);
    }
    loader.load().await
}

impl Aws {
    /// Reads the SDK's standard settings (environment, shared configuration files). Sends nothing
    /// and resolves no credentials yet.
    pub async fn new(settings: &Settings, observer: Arc<dyn Observe>, clock: Clock) -> Self {
        // Slightly less than the deadline of a probe, so that a call that hangs is counted rather
        // than dropped.
        let call_timeout = settings.timeout.mul_f64(0.95);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(call_timeout.min(Duration::from_secs(5)))
            .operation_timeout(call_timeout)
            .build();
        let region = Region::new(settings.region.clone());
        let profile = settings.profile.as_deref();
        let surroundings = Surroundings::read(profile);
        let base = match &settings.stand_in {
            Some(stand_in) => SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(region)
                .retry_config(RetryConfig::disabled())
                .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                .timeout_config(timeouts)
                .endpoint_url(&stand_in.endpoint_url)
                .build(),
            None => standard(settings, &surroundings, region, timeouts).await,
        };
        let sources = surroundings.sources(profile, base.use_fips(), base.use_dual_stack());
        let caller = Slot::new("the caller's session", clock.clone(), settings.timeout);
        Self(Arc::new(Inner {
            base,
            settings: settings.clone(),
            caller: Arc::new(caller.watching(sources.watch())),
            sources,
            stand_in: settings.stand_in.as_ref().map(|_| {
                let (key, secret) = ("AKIAIOSFODNN7EXAMPLE", "no-secret-for-a-stand-in");
                Credentials::new(key, secret, None, None, "StandIn")
            }),
            regions: Mutex::default(),
            sessions: Mutex::default(),
            observer,
            clock,
        }))
    }

    fn clients(&self, region: &str) -> Arc<Clients> {
        let regions = &self.0.regions;
        let mut regions = regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clients) = regions.get(region) {
            return Arc::clone(clients);
        }
        let config = self
            .0
            .base
            .to_builder()
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(OfTask))
            .identity_cache(IdentityCache::no_cache())
            .build();
        let iam = aws_sdk_iam::config::Builder::from(&config).interceptor(OfTask);
        let sts = aws_sdk_sts::config::Builder::from(&config).interceptor(OfTask);
        let organizations =
            aws_sdk_organizations::config::Builder::from(&config).interceptor(OfTask);
        let clients = Arc::new(Clients {
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            organizations: aws_sdk_organizations::Client::from_conf(organizations.build()),
        });
        regions.insert(region.to_owned(), Arc::clone(&clients));
        clients
    }
}
