//! What the log says when a judgement changes: each change once.

use root_posture::{Metric, Posture};
use tracing::{debug, info, warn};

use crate::account::Account;

/// Logs what is different from the judgement before.
pub(super) fn log_changes(account: &Account, before: &Posture, after: &Posture) {
    let log = |metric, pick: fn(&Posture) -> Option<Metric>, fine| {
        log_change(account, metric, pick(before), pick(after), fine);
    };
    log("root_access_keys_active", |it| it.keys_active, 0);
    log("root_access_keys_present", |it| it.keys_present, 0);
    log(
        "root_signing_certificates_active",
        |it| it.certificates_active,
        0,
    );
    log("root_mfa_enabled", |it| it.mfa_enabled, 1);
}

fn log_change(
    account: &Account,
    metric: &str,
    before: Option<Metric>,
    after: Option<Metric>,
    fine: u8,
) {
    let Some(after) = after else { return };
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
