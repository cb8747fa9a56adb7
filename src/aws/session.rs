//! Credentials: the caller's own, a profile's, and a role's session in each account.
//!
//! Each is kept until shortly before it ends and renewed by one task at a time; who comes
//! meanwhile waits for that one. A session belongs to exactly one account, which is verified when
//! it is opened, so that no answer is ever booked to another account.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_config::Region;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::classify::causes;
use crate::account::AccountId;
use crate::clock::Clock;
use crate::failure::{Failure, Reason};
use root_posture::Moment;

/// How long before its end a session is renewed, at most.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// How long credentials that name no end are kept before they are read again: files change.
const UNDATED: Duration = Duration::from_secs(5 * 60);

/// How long a failure to open a session answers for all who ask: thousands of accounts may hang
/// on the one provider that is down.
const FAILURE_LASTS: Duration = Duration::from_millis(500);

/// Credentials of a shared configuration profile, by the rules of the SDK (roles, SSO, processes).
pub(super) fn profile_provider(region: &str, profile: &str) -> ProfileFileCredentialsProvider {
    ProfileFileCredentialsProvider::builder()
        .configure(
            &ProviderConfig::without_region().with_region(Some(Region::new(region.to_owned()))),
        )
        .profile_name(profile)
        .build()
}

/// A session that works, and for how long.
#[derive(Clone)]
pub(super) struct Session {
    pub credentials: Credentials,
    /// The account the credentials belong to, once that is known.
    pub account: Option<AccountId>,
    /// How long from now the credentials are valid; `None` when they name no end.
    pub lifetime: Option<Duration>,
}

impl Session {
    /// Whether these are the very same credentials.
    fn is(&self, other: &Self) -> bool {
        self.credentials.access_key_id() == other.credentials.access_key_id()
            && self.credentials.session_token() == other.credentials.session_token()
    }
}

struct Held {
    session: Session,
    renew: Moment,
    ends: Option<Moment>,
}

#[derive(Default)]
struct Inner {
    held: Option<Held>,
    failed: Option<(Moment, Failure)>,
}

/// A place for one session.
#[derive(Default)]
pub(super) struct Kept(tokio::sync::Mutex<Inner>);

impl Kept {
    /// The session, opened by `open` when there is none or it is about to end.
    ///
    /// # Errors
    ///
    /// What `open` failed with; for a moment also to those who come after.
    pub async fn get(
        &self,
        clock: &Clock,
        open: impl Future<Output = Result<Session, Failure>>,
    ) -> Result<Session, Failure> {
        // The lock is held while the session is opened: that makes it one at a time.
        let mut inner = self.0.lock().await;
        let now = clock.moment();
        if let Some(held) = &inner.held
            && now < held.renew
        {
            return Ok(held.session.clone());
        }
        if let Some((at, failure)) = &inner.failed
            && now < *at + FAILURE_LASTS
        {
            return inner.still_valid(now).ok_or_else(|| failure.clone());
        }
        match open.await {
            Ok(mut session) => {
                // Credentials without an end are read again and again. While they stay the same
                // they are the same account's, and nobody needs to ask STS whose they are.
                if session.account.is_none()
                    && let Some(held) = &inner.held
                    && held.session.is(&session)
                {
                    session.account = held.session.account;
                }
                let now = clock.moment();
                let margin = |lifetime: Duration| MARGIN.min(lifetime / 3);
                inner.held = Some(Held {
                    renew: now
                        + session.lifetime.map_or(UNDATED, |lifetime| {
                            lifetime.saturating_sub(margin(lifetime))
                        }),
                    ends: session.lifetime.map(|lifetime| now + lifetime),
                    session: session.clone(),
                });
                inner.failed = None;
                Ok(session)
            }
            Err(failure) => {
                let now = clock.moment();
                inner.failed = Some((now, failure.clone()));
                inner.still_valid(now).ok_or(failure)
            }
        }
    }

    /// Remembers which account the session belongs to, unless it was replaced since.
    pub async fn verified(&self, verified: &Session, account: AccountId) {
        if let Some(held) = &mut self.0.lock().await.held
            && held.session.is(verified)
        {
            held.session.account = Some(account);
        }
    }

    /// Lets go of a session that AWS refuses, unless it was replaced since.
    pub async fn refuse(&self, refused: &Session) {
        let mut inner = self.0.lock().await;
        if inner
            .held
            .as_ref()
            .is_some_and(|held| held.session.is(refused))
        {
            inner.held = None;
        }
    }
}

impl Inner {
    /// The session that could not be renewed, as long as it has not ended.
    fn still_valid(&self, now: Moment) -> Option<Session> {
        self.held
            .as_ref()
            .filter(|held| held.ends.is_some_and(|ends| now < ends))
            .map(|held| held.session.clone())
    }
}

/// All sessions of the process.
pub(super) struct Sessions {
    caller: Arc<Kept>,
    caller_provider: Option<SharedCredentialsProvider>,
    profiles: Mutex<HashMap<String, (Arc<Kept>, SharedCredentialsProvider)>>,
    accounts: Mutex<HashMap<AccountId, Arc<Kept>>>,
    roots: Mutex<HashMap<AccountId, Arc<Kept>>>,
    clock: Clock,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Sessions {
    pub fn new(caller_provider: Option<SharedCredentialsProvider>, clock: Clock) -> Self {
        Self {
            caller: Arc::default(),
            caller_provider,
            profiles: Mutex::default(),
            accounts: Mutex::default(),
            roots: Mutex::default(),
            clock,
        }
    }

    /// The place of the caller's own session.
    pub fn caller(&self) -> Arc<Kept> {
        Arc::clone(&self.caller)
    }

    /// The place of the session of an account's role.
    pub fn account(&self, account: AccountId) -> Arc<Kept> {
        place(&self.accounts, account)
    }

    /// The place of an account's root session.
    pub fn root(&self, account: AccountId) -> Arc<Kept> {
        place(&self.roots, account)
    }

    pub fn forget(&self, account: AccountId) {
        for sessions in [&self.accounts, &self.roots] {
            let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.remove(&account);
        }
    }

    /// The caller's credentials.
    pub async fn open_caller(&self) -> Result<Session, Failure> {
        let Some(provider) = &self.caller_provider else {
            return Err(Failure::new(
                Reason::Credentials,
                "no credentials provider is configured",
            ));
        };
        self.caller
            .get(&self.clock, self.provide(provider, "the caller"))
            .await
    }

    /// The place and the credentials of a profile.
    pub async fn open_profile(
        &self,
        region: &str,
        profile: &str,
    ) -> (Arc<Kept>, Result<Session, Failure>) {
        let (kept, provider) = {
            let mut profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
            profiles
                .entry(profile.to_owned())
                .or_insert_with(|| {
                    let provider = profile_provider(region, profile);
                    (Arc::default(), SharedCredentialsProvider::new(provider))
                })
                .clone()
        };
        let whose = format!("profile {profile:?}");
        let session = kept.get(&self.clock, self.provide(&provider, &whose)).await;
        (kept, session)
    }

    async fn provide(
        &self,
        provider: &SharedCredentialsProvider,
        whose: &str,
    ) -> Result<Session, Failure> {
        let credentials = provider.provide_credentials().await.map_err(|error| {
            Failure::new(
                Reason::Credentials,
                format!(
                    "credentials of {whose}: {}; set AWS credentials as for any AWS tool \
                     (environment, profile, SSO, web identity, container or instance role)",
                    causes(&error)
                ),
            )
        })?;
        let lifetime = credentials.expiry().map(|end| {
            let end = end.duration_since(UNIX_EPOCH).map_or(0, |since| {
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
            });
            root_posture::Timestamp::from_unix(end).since(self.clock.now())
        });
        if lifetime == Some(Duration::ZERO) {
            return Err(Failure::new(
                Reason::Credentials,
                format!("credentials of {whose}: they have expired; sign in again or renew them"),
            ));
        }
        Ok(Session {
            credentials,
            account: None,
            lifetime,
        })
    }
}

fn place(sessions: &Mutex<HashMap<AccountId, Arc<Kept>>>, account: AccountId) -> Arc<Kept> {
    let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(sessions.entry(account).or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use root_posture::Timestamp;

    fn session(name: &str, lifetime: Option<Duration>) -> Session {
        Session {
            credentials: Credentials::new(name, "secret", None, None, "test"),
            account: None,
            lifetime,
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_session_is_renewed_five_minutes_before_it_ends() {
        let (clock, hand) = Clock::manual(Timestamp::default());
        let kept = Kept::default();
        let first = || async { Ok(session("first", Some(HOUR))) };
        let second = || async { Ok(session("second", Some(HOUR))) };
        let name = |session: Result<Session, Failure>| {
            session.unwrap().credentials.access_key_id().to_owned()
        };
        assert_eq!(name(kept.get(&clock, first()).await), "first");
        hand.advance(Duration::from_secs(55 * 60 - 1));
        assert_eq!(name(kept.get(&clock, second()).await), "first");
        hand.advance(Duration::from_secs(1));
        assert_eq!(name(kept.get(&clock, second()).await), "second");
    }

    #[tokio::test]
    async fn a_session_that_cannot_be_renewed_serves_until_it_ends() {
        let (clock, hand) = Clock::manual(Timestamp::default());
        let kept = Kept::default();
        let refused = || async { Err(Failure::new(Reason::Throttled, "slow down")) };
        kept.get(&clock, async { Ok(session("first", Some(HOUR))) })
            .await
            .unwrap();
        hand.advance(Duration::from_secs(3600 - 1));
        assert!(kept.get(&clock, refused()).await.is_ok());
        hand.advance(Duration::from_secs(1));
        assert!(kept.get(&clock, refused()).await.is_err());
    }

    #[tokio::test]
    async fn credentials_that_stay_the_same_are_verified_once() {
        let (clock, hand) = Clock::manual(Timestamp::default());
        let kept = Kept::default();
        let account: AccountId = "000000000012".parse().unwrap();
        let read = |name: &'static str| async { Ok(session(name, None)) };
        let first = kept.get(&clock, read("same")).await.unwrap();
        kept.verified(&first, account).await;
        hand.advance(UNDATED);
        let again = kept.get(&clock, read("same")).await.unwrap();
        assert_eq!(again.account, Some(account));
        hand.advance(UNDATED);
        let other = kept.get(&clock, read("other")).await.unwrap();
        assert_eq!(other.account, None);
    }

    #[tokio::test]
    async fn a_session_is_opened_by_one_task_at_a_time() {
        let clock = Clock::system();
        let kept = Arc::new(Kept::default());
        let opened = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (clock, kept, opened) = (clock.clone(), kept.clone(), opened.clone());
                tokio::spawn(async move {
                    let open = async {
                        opened.fetch_add(1, Ordering::Relaxed);
                        tokio::task::yield_now().await;
                        Ok(session("only", Some(HOUR)))
                    };
                    kept.get(&clock, open).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(opened.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_failure_answers_for_a_moment_and_not_for_longer() {
        let (clock, hand) = Clock::manual(Timestamp::default());
        let kept = Kept::default();
        let failure = Failure::new(Reason::Credentials, "none");
        let refused = async { Err(failure.clone()) };
        let works = || async { Ok(session("late", None)) };
        assert_eq!(kept.get(&clock, refused).await.err(), Some(failure.clone()));
        assert_eq!(kept.get(&clock, works()).await.err(), Some(failure.clone()));
        hand.advance(FAILURE_LASTS);
        assert!(kept.get(&clock, works()).await.is_ok());
    }

    #[tokio::test]
    async fn a_refused_session_goes_and_its_successor_stays() {
        let (clock, _hand) = Clock::manual(Timestamp::default());
        let kept = Kept::default();
        let old = kept
            .get(&clock, async { Ok(session("old", None)) })
            .await
            .unwrap();
        kept.refuse(&old).await;
        let new = kept
            .get(&clock, async { Ok(session("new", None)) })
            .await
            .unwrap();
        kept.refuse(&old).await;
        let kept = kept.get(&clock, async { Ok(session("newer", None)) }).await;
        assert_eq!(
            kept.unwrap().credentials.access_key_id(),
            new.credentials.access_key_id()
        );
    }
}
