//! The current view of one account, with its report and the health of its sources.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use root_posture::report::{RootRow, UserCounts, UserRow};
use root_posture::{KeyDetail, ListedKeys, Onset, Posture, Source, Timestamp, key_details};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::activity::Activities;
use crate::failure::{Failure, Reason};

/// The current view of one account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountView {
    /// Which account.
    pub account: Arc<Account>,
    /// The values of its root user. A fine one can have expired: read it with
    /// [`root_posture::Metric::at`].
    pub posture: Posture,
    /// Since when it has had an active root key, as far as that is known.
    pub onset: Onset,
    /// The credential report in use.
    pub report: Option<Arc<ReportView>>,
    /// The newest list of keys of a root session.
    pub listed: Option<Arc<ListedKeys>>,
    /// The sources in use, in the order of [`Source::ALL`].
    pub sources: Arc<[SourceView]>,
    /// What root did, as events say.
    pub activities: Arc<Activities>,
    /// The push of its events.
    pub push: PushView,
}

impl AccountView {
    /// An account of which nothing is known.
    #[must_use]
    pub fn unknown(account: Arc<Account>) -> Self {
        Self {
            account,
            posture: Posture::default(),
            onset: Onset::default(),
            report: None,
            listed: None,
            sources: Arc::default(),
            activities: Arc::default(),
            push: PushView::default(),
        }
    }

    /// Each access key of the root user, from the source that the judgement names.
    pub fn root_keys(&self) -> impl Iterator<Item = KeyDetail<'_>> {
        let root = self
            .report
            .as_deref()
            .and_then(|report| report.root.as_ref());
        key_details(&self.posture, root, self.listed.as_deref())
    }
}

/// The push of an account's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushView {
    /// Whether the last due echo arrived; `None` where none ever did, and without push.
    pub up: Option<bool>,
    /// The newest event that changed the trail or a rule of ours; `None` without push.
    pub tampered: Option<Timestamp>,
    /// The interval at which the account is polled.
    pub interval: Duration,
}

/// The current view of a credential report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportView {
    /// AWS's `GeneratedTime`.
    pub generated: Timestamp,
    /// The root user's row; `None` in aws-cn.
    pub root: Option<RootRow>,
    /// Rows of IAM users that could not be read.
    pub rows_skipped: usize,
    /// How many IAM users and credentials there are.
    pub users: UserCounts,
    /// The IAM users by name.
    pub detail: UserDetail,
}

/// The IAM users of an account by name (`users.detail`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserDetail {
    /// The configuration does not ask for it.
    #[default]
    Off,
    /// Each user.
    Kept(Vec<UserRow>),
    /// Left out, because the users would have passed `users.max_detail_series`.
    Dropped,
}

impl UserDetail {
    /// How many series the users take at most: four for each user, and one for each known time.
    #[must_use]
    pub fn series(&self) -> usize {
        match self {
            Self::Off | Self::Dropped => 0,
            Self::Kept(users) => {
                let times = users.iter().flat_map(|user| {
                    let keys = user.access_keys.iter();
                    keys.flat_map(|key| [key.last_rotated, key.last_used])
                        .chain([user.password_last_used])
                });
                4 * users.len() + times.flatten().count()
            }
        }
    }
}

/// The health of one source of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Which source.
    pub source: Source,
    /// Whether its last refresh worked; `None` before the first has ended.
    pub up: Option<bool>,
    /// When a refresh last worked, by the local clock.
    pub last_success: Option<Timestamp>,
    /// Failed refreshes since the process started, by reason.
    pub failures: BTreeMap<Reason, u64>,
    /// The last failure, for display, with its time by the local clock.
    pub last_failure: Option<(Timestamp, Failure)>,
    /// Since when every refresh has failed, by the local clock; `None` while it works.
    pub failing_since: Option<Timestamp>,
}

impl SourceView {
    /// A source that was never polled.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            up: None,
            last_success: None,
            failures: BTreeMap::new(),
            last_failure: None,
            failing_since: None,
        }
    }

    /// Records a refresh that worked.
    pub fn worked(&mut self, now: Timestamp) {
        self.up = Some(true);
        self.last_success = Some(now);
        self.failing_since = None;
    }

    /// Records a refresh that failed.
    pub fn failed(&mut self, now: Timestamp, failure: Failure) {
        self.up = Some(false);
        self.failing_since.get_or_insert(now);
        *self.failures.entry(failure.reason).or_default() += 1;
        self.last_failure = Some((now, failure));
    }
}
