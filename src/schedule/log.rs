//! Logs each change of a judged value, once.

use root_posture::{Metric, Posture};
use tracing::{debug, info, warn};

use crate::account::Account;

/// Logs the values that differ from the judgement before.
pub(super) fn log_changes(account: &Account, before: &Posture, after: &Posture) {
    let metrics = |it: &Posture| {
        [
            ("root_access_keys_active", it.keys_active, 0),
            ("root_access_keys_present", it.keys_present, 0),
            (
                "root_signing_certificates_active",
                it.certificates_active,
                0,
            ),
            ("root_mfa_enabled", it.mfa_enabled, 1),
        ]
    };
    for ((metric, after, fine), (_, before, _)) in metrics(after).into_iter().zip(metrics(before)) {
        if let Some(after) = after {
            log_change(account, metric, before, after, fine);
        }
    }
}

fn log_change(account: &Account, metric: &str, before: Option<Metric>, after: Metric, fine: u8) {
    if before.is_some_and(|before| before.value == after.value) {
        return;
    }
    let account = account.id;
    let was = before.map_or_else(|| "unknown".to_owned(), |before| before.value.to_string());
    let (value, evidence, observed) = (after.value, after.source, after.observed);
    if value != fine {
        warn!(%account, metric, value, was, %evidence, %observed, "root finding");
    } else if before.is_none() {
        debug!(%account, metric, value, was, %evidence, %observed, "learned");
    } else {
        info!(%account, metric, value, was, %evidence, %observed, "root finding is gone");
    }
}
