//! The families of the root user. `root_posture` judges their values; here they only get names.

use super::family::{Family, Samples};

/// What the families of an access key slot have in common.
const SLOT: Family = Family {
    labels: &["account", "key"],
    ..Family::PER_ACCOUNT
};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "aws_root_access_keys_active",
        help: "Root access keys that are active (0, 1 or 2), by the newest evidence: a live source where one is in use, else the credential report, which AWS renews at most once in 4 hours. A 0 is withdrawn when its evidence is too old, a 1 or 2 is not.",
        samples: Samples::Value(|of| of.value(of.view.posture.keys_active)),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_access_keys_present",
        help: "Root access keys that exist, active or not (0, 1 or 2), by the newest evidence: a live source where one is in use, else the credential report, which AWS renews at most once in 4 hours. A 0 is withdrawn when its evidence is too old, a 1 or 2 is not.",
        samples: Samples::Value(|of| of.value(of.view.posture.keys_present)),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_access_keys_accepted",
        help: "Active root access keys that an exception in force in the configuration accepts (0, 1 or 2). Absent without such an exception, and where aws_root_access_keys_active is. Without a root session the only key counts as the accepted one, and of two keys none.",
        samples: Samples::Value(|of| of.keys_accepted().map(i64::from)),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_access_key_slot_active",
        help: "Whether the root access key in this slot is active (1), or inactive or missing (0), by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerAccount(|of, out| {
            of.root_slots().try_for_each(|(slot, key)| {
                out.gauge([of.id, slot.as_str()], u32::from(key.active))
            })
        }),
        ..SLOT
    },
    Family {
        name: "aws_root_access_key_last_rotated_timestamp_seconds",
        help: "When the root access key in this slot was created or last changed, as a Unix timestamp, by a root session where one is in use, else by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerAccount(|of, out| {
            of.view
                .root_keys()
                .try_for_each(|key| out.time([of.id, key.slot.as_str()], key.last_rotated))
        }),
        ..SLOT
    },
    Family {
        name: "aws_root_access_key_last_used_timestamp_seconds",
        help: "When the root access key in this slot was last used, as a Unix timestamp, by a root session where one is in use, else by the credential report, which AWS renews at most once in 4 hours. Absent for a key that was never used.",
        samples: Samples::PerAccount(|of, out| {
            of.view
                .root_keys()
                .try_for_each(|key| out.time([of.id, key.slot.as_str()], key.last_used))
        }),
        ..SLOT
    },
    Family {
        name: "aws_root_access_key_last_used_info",
        help: "Always 1. Names the Region and the service where the root access key in this slot was last used, by a root session where one is in use, else by the credential report, which AWS renews at most once in 4 hours. Empty where AWS does not report it.",
        labels: &["account", "key", "aws_region", "aws_service"],
        samples: Samples::PerAccount(|of, out| {
            of.view.root_keys().try_for_each(|key| {
                let (region, service) = (key.last_used_region, key.last_used_service);
                if region.is_none() && service.is_none() {
                    return Ok(());
                }
                let (region, service) = (region.unwrap_or_default(), service.unwrap_or_default());
                out.gauge([of.id, key.slot.as_str(), region, service], 1)
            })
        }),
        ..SLOT
    },
    Family {
        name: "aws_root_mfa_enabled",
        help: "Whether the root user has MFA (1) or not (0), by the newest evidence: a live source where one is in use, else the credential report, which AWS renews at most once in 4 hours. A 1 is withdrawn when its evidence is too old, a 0 is not.",
        samples: Samples::Value(|of| of.value(of.view.posture.mfa_enabled)),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_password_enabled",
        help: "Whether the root user has a console password (1) or not (0), where AWS reports it, by the newest evidence: a live source where one is in use, else the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| of.value(of.view.posture.password_enabled)),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_password_last_used_timestamp_seconds",
        help: "When root last signed in with its password, as a Unix timestamp, by the credential report, which AWS renews at most once in 4 hours. Absent where AWS reports no use.",
        samples: Samples::Value(|of| Some(of.root()?.password_last_used?.unix())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_password_last_changed_timestamp_seconds",
        help: "When root's password was last changed, as a Unix timestamp, by the credential report, which AWS renews at most once in 4 hours. Absent where AWS does not report it.",
        samples: Samples::Value(|of| Some(of.root()?.password_last_changed?.unix())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_signing_certificates_active",
        help: "Root signing certificates that are active (0, 1 or 2), by the newest evidence: a live source where one is in use, else the credential report, which AWS renews at most once in 4 hours. A 0 is withdrawn when its evidence is too old, a 1 or 2 is not.",
        samples: Samples::Value(|of| of.value(of.view.posture.certificates_active)),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_access_keys_observed_timestamp_seconds",
        help: "When the newest evidence behind aws_root_access_keys_active was true, as a Unix timestamp by AWS's clock: the moment of a live answer, or the GeneratedTime of the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.keys_active()?.observed.unix())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_access_keys_evidence_info",
        help: "Always 1. Names the source of the newest evidence behind aws_root_access_keys_active: account_summary and root_session are live, a credential_report is renewed by AWS at most once in 4 hours.",
        labels: &["account", "source"],
        samples: Samples::PerAccount(|of, out| match of.keys_active() {
            Some(metric) => out.gauge([of.id, metric.source.as_str()], 1),
            None => Ok(()),
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_root_activity_last_timestamp_seconds",
        help: "When root last did this, as a Unix timestamp by CloudTrail, for a fixed list of events and other. Failed calls and calls about IAM users are other. Absent where no event says so.",
        labels: &["account", "event"],
        samples: Samples::PerAccount(|of, out| {
            let mut last = of.view.activities.last();
            last.try_for_each(|(event, at)| out.time([of.id, event.as_str()], Some(at)))
        }),
        ..Family::PER_ACCOUNT
    },
];
