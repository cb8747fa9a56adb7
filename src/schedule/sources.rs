//! The health of an account's sources: which work, which fail, and what the log says about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use root_posture::{AccountId, Source, Timestamp};
use tracing::{debug, info, warn};

use super::orders::Sources;
use crate::account::Account;
use crate::failure::{Failure, Reason};
use crate::views::SourceView;

/// The sources in use of one account, in the order of [`Source::ALL`].
#[derive(Debug)]
pub(super) struct SourceHealth {
    account: AccountId,
    pub views: Arc<[SourceView]>,
}

impl SourceHealth {
    /// Sources that were never polled in this process, with the times they last worked before.
    pub fn new(
        account: &Account,
        sources: Sources,
        last_success: &BTreeMap<Source, Timestamp>,
    ) -> Self {
        let mut health = Self {
            account: account.id,
            views: Arc::default(),
        };
        health.adapt(account, sources);
        for view in Arc::make_mut(&mut health.views) {
            view.last_success = last_success.get(&view.source).copied();
        }
        health
    }

    /// Continues with other sources; the health of those that stay in use is kept.
    pub fn adapt(&mut self, account: &Account, sources: Sources) {
        let before = std::mem::take(&mut self.views);
        let in_use = Source::ALL
            .into_iter()
            .filter(|source| sources.uses(account, *source));
        let after = in_use.map(|source| {
            let kept = before.iter().find(|view| view.source == source);
            kept.cloned().unwrap_or_else(|| SourceView::new(source))
        });
        self.views = after.collect();
    }

    /// When each source last worked.
    pub fn last_success(&self) -> BTreeMap<Source, Timestamp> {
        let views = self.views.iter();
        views
            .filter_map(|view| Some((view.source, view.last_success?)))
            .collect()
    }

    /// Whether a source is up; `None` before its first refresh has ended.
    pub fn up(&self, source: Source) -> Option<bool> {
        self.get(source)?.up
    }

    /// Why a source is down.
    pub fn down_because(&self, source: Source) -> Option<Reason> {
        let view = self.get(source).filter(|view| view.up == Some(false))?;
        Some(view.last_failure.as_ref()?.1.reason)
    }

    /// Records and logs a refresh that worked.
    pub fn worked(&mut self, source: Source, now: Timestamp) {
        let id = self.account;
        let Some(view) = self.get_mut(source) else {
            return;
        };
        if view.up == Some(false) {
            info!(account = %id, %source, "works again");
        }
        view.worked(now);
    }

    /// Records and logs a refresh that failed.
    pub fn failed(&mut self, source: Source, failure: Failure, now: Timestamp) {
        let id = self.account;
        let is_known = self.down_because(source) == Some(failure.reason);
        let Some(view) = self.get_mut(source) else {
            return;
        };
        let (reason, message) = (failure.reason, &failure.message);
        if is_known {
            debug!(account = %id, %source, %reason, error = message, "refresh failed again");
        } else {
            warn!(account = %id, %source, %reason, error = message, "refresh failed");
        }
        view.failed(now, failure);
    }

    /// Records and logs a failed call of a root session other than the list of keys. Whether the
    /// source is up depends on the list alone. `is_known`: the call has failed before.
    pub fn failed_in_part(&mut self, failure: Failure, now: Timestamp, is_known: bool) {
        let (id, source) = (self.account, Source::RootSession);
        let (reason, message) = (failure.reason, &failure.message);
        if is_known || self.up(source) == Some(false) {
            debug!(account = %id, %source, %reason, error = message, "call failed");
        } else {
            warn!(account = %id, %source, %reason, error = message, "call failed");
        }
        let Some(view) = self.get_mut(source) else {
            return;
        };
        *view.failures.entry(reason).or_default() += 1;
        if view.up != Some(false) {
            // Else the last failure is the reason why the source is down.
            view.last_failure = Some((now, failure));
        }
    }

    fn get(&self, source: Source) -> Option<&SourceView> {
        self.views.iter().find(|view| view.source == source)
    }

    fn get_mut(&mut self, source: Source) -> Option<&mut SourceView> {
        Arc::make_mut(&mut self.views)
            .iter_mut()
            .find(|view| view.source == source)
    }
}
