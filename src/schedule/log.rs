//! Logs each change of a judged value and each event of root, once.

use std::time::Duration;

use root_posture::{Metric, Moment, Posture, Timestamp};
use tracing::{debug, info, warn};

use crate::account::Account;
use crate::activity::Activity;
use crate::views::AccountView;

/// Logs the values that differ from the judgement before, in one line for each event: where the number of
/// active keys changes, a line about the number of keys would say the same again.
pub(super) fn log_changes(view: &AccountView, before: &Posture) {
    let (account, after) = (&*view.account, &view.posture);
    let keys: Vec<_> = view.root_keys().filter_map(|key| key.id).collect();
    let value = |metric: Option<Metric>| metric.map(|metric| metric.value);
    let log = |metric, before, after: Option<Metric>, fine, keys: &[&str]| {
        if let Some(after) = after
            && value(before) != Some(after.value)
        {
            log_change(account, metric, before, after, fine, keys);
        }
    };
    let (was, is) = (before.keys_active, after.keys_active);
    let is_active_changed = value(was).unwrap_or_default() != value(is).unwrap_or_default();
    if is_active_changed {
        log("root_access_keys_active", was, is, 0, &keys);
    } else {
        let (was, is) = (before.keys_present, after.keys_present);
        log("root_access_keys_present", was, is, 0, &keys);
    }
    let (was, is) = (before.certificates_active, after.certificates_active);
    log("root_signing_certificates_active", was, is, 0, &[]);
    log(
        "root_mfa_enabled",
        before.mfa_enabled,
        after.mfa_enabled,
        1,
        &[],
    );
}

fn log_change(
    account: &Account,
    metric: &str,
    before: Option<Metric>,
    after: Metric,
    fine: u8,
    keys: &[&str],
) {
    let name = Some(account.name.as_str()).filter(|name| !name.is_empty());
    let account = account.id;
    let was = before.map_or_else(|| "unknown".to_owned(), |before| before.value.to_string());
    let (value, evidence, observed) = (after.value, after.source, after.observed);
    let keys = (!keys.is_empty()).then(|| keys.join(","));
    if value != fine {
        warn!(%account, name, metric, value, was, keys, %evidence, %observed, "root finding");
    } else if before.is_none() {
        debug!(%account, name, metric, value, was, %evidence, %observed, "learned");
    } else {
        info!(%account, name, metric, value, was, %evidence, %observed, "root finding is gone");
    }
}

/// How many lines about an account's events are logged in a minute: whoever may send to the queue could
/// cause any number.
const LINES: u32 = 10;

/// The lines about an account's events in the current minute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogQuota {
    since: Option<Moment>,
    lines: u32,
}

impl LogQuota {
    /// Counts a line. Returns whether it is one too many.
    pub fn is_full(&mut self, now: Moment) -> bool {
        let is_over = |since: Moment| now >= since + Duration::from_secs(60);
        if self.since.is_none_or(is_over) {
            (self.since, self.lines) = (Some(now), 0);
        }
        self.lines += 1;
        self.lines > LINES
    }
}

/// Logs something that root did, as a warning unless `is_quiet`.
pub(super) fn log_activity(account: &Account, activity: &Activity, is_quiet: bool) {
    let name = Some(account.name.as_str()).filter(|name| !name.is_empty());
    let account = account.id;
    let Activity {
        id,
        at,
        name: event,
        address,
        ..
    } = activity;
    let (key, error) = (activity.key.as_deref(), activity.error.as_deref());
    if is_quiet {
        debug!(%account, name, event, %at, address, key, error, event_id = id, "root activity");
    } else {
        warn!(%account, name, event, %at, address, key, error, event_id = id, "root activity");
    }
}

/// Logs a change of a trail or of a rule of ours.
pub(super) fn log_tampering(account: &Account, at: Timestamp) {
    warn!(
        account = %account.id, %at,
        "a trail or a rule that carries the account's events was changed: it is polled at \
         refresh.interval until its events are verified again"
    );
}
