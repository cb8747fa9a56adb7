//! How an account's sources fare and what its evidence settles to, with what the log says of it: each
//! change once.

use tracing::{debug, info, warn};

use super::{Now, Watched};
use crate::evidence::{Failure, Source};
use crate::posture::Figure;
use crate::refresh::Settings;

impl Watched {
    pub(super) fn worked(&mut self, source: Source, now: Now) {
        let id = self.account.id;
        let Some(view) = self.source(source) else {
            return;
        };
        if view.up == Some(false) {
            info!(account = %id, %source, "works again");
        }
        view.worked(now.wall);
    }

    pub(super) fn failed(&mut self, source: Source, failure: Failure, now: Now) {
        let id = self.account.id;
        let Some(view) = self.source(source) else {
            return;
        };
        let known = view.up == Some(false)
            && view
                .last_failure
                .as_ref()
                .is_some_and(|(_, last)| last.reason == failure.reason);
        let (reason, message) = (failure.reason, &failure.message);
        if known {
            debug!(account = %id, %source, %reason, error = message, "refresh failed again");
        } else {
            warn!(account = %id, %source, %reason, error = message, "refresh failed");
        }
        view.failed(now.wall, failure);
    }

    /// Lets the evidence settle, and logs what became different.
    pub(super) fn settle(&mut self, now: Now, settings: &Settings) {
        self.record.settle(now.moment);
        let posture = self.record.posture(settings.limits);
        let before = std::mem::replace(&mut self.told, posture);
        self.tell(
            "root_access_keys_active",
            before.keys_active,
            posture.keys_active,
            0,
        );
        self.tell(
            "root_access_keys_present",
            before.keys_present,
            posture.keys_present,
            0,
        );
        self.tell(
            "root_signing_certificates_active",
            before.certificates_active,
            posture.certificates_active,
            0,
        );
        self.tell(
            "root_mfa_enabled",
            before.mfa_enabled,
            posture.mfa_enabled,
            1,
        );
    }

    fn tell(&self, figure: &str, before: Option<Figure>, after: Option<Figure>, fine: u8) {
        let Some(after) = after else { return };
        if before.is_some_and(|before| before.value == after.value) {
            return;
        }
        let account = &self.account;
        let was = before.map_or_else(|| "unknown".to_owned(), |before| before.value.to_string());
        if after.value == fine && before.is_none() {
            debug!(
                account = %account.id, figure, value = after.value, was,
                evidence = %after.source, observed = %after.observed, "learnt"
            );
        } else if after.value == fine {
            info!(
                account = %account.id, figure, value = after.value, was,
                evidence = %after.source, observed = %after.observed, "root finding is gone"
            );
        } else {
            warn!(
                account = %account.id, figure, value = after.value, was,
                evidence = %after.source, observed = %after.observed, "root finding"
            );
        }
    }
}
