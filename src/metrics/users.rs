//! The families of IAM users: counts for each account, and single users where the configuration asks
//! for them.

use super::family::{Family, Samples, Stability};
use crate::views::UserDetail;

/// What the families of each IAM user have in common.
const USER: Family = Family {
    labels: &["account", "user"],
    stability: Stability::Experimental,
    ..Family::PER_ACCOUNT
};

/// What the families of each IAM user's access keys have in common.
const USER_KEY: Family = Family {
    labels: &["account", "user", "key"],
    ..USER
};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "aws_iam_users",
        help: "IAM users in the credential report, which AWS renews at most once in 4 hours. The root user is not counted.",
        samples: Samples::Value(|of| Some(of.users()?.users.users.into())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_users_password_enabled",
        help: "IAM users with a console password, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.users()?.users.password_enabled.into())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_users_password_enabled_without_mfa",
        help: "IAM users with a console password and without MFA, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.users()?.users.password_enabled_without_mfa.into())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_user_access_keys_active",
        help: "Active access keys of all IAM users, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.users()?.users.access_keys_active.into())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_user_access_keys_active_older_than",
        help: "Active access keys of IAM users that were last rotated at least that many days before now, by the credential report, which AWS renews at most once in 4 hours.",
        labels: &["account", "days"],
        samples: Samples::PerAccount(|of, out| {
            let Some(report) = of.users() else {
                return Ok(());
            };
            of.all.key_age_days.iter().try_for_each(|(days, text)| {
                out.gauge(
                    [of.id, text],
                    report.users.keys_older_than(*days, of.all.now()),
                )
            })
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_user_credentials_unused_for",
        help: "Enabled passwords and active access keys of IAM users that were not used for at least that many days before now (never used counts from creation), by the credential report, which AWS renews at most once in 4 hours.",
        labels: &["account", "days"],
        samples: Samples::PerAccount(|of, out| {
            let Some(report) = of.users() else {
                return Ok(());
            };
            of.all.unused_days.iter().try_for_each(|(days, text)| {
                let unused = report.users.credentials_unused_for(*days, of.all.now());
                out.gauge([of.id, text], unused)
            })
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_user_signing_certificates_active",
        help: "Active signing certificates of all IAM users, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.users()?.users.signing_certificates_active.into())),
        ..Family::PER_ACCOUNT
    },
];

pub(super) const DETAIL_FAMILIES: &[Family] = &[
    Family {
        name: "aws_iam_user_access_key_active",
        help: "Whether the IAM user's access key in this slot is active (1), or inactive or missing (0), by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerAccount(|of, out| {
            of.user_keys().try_for_each(|(user, slot, key)| {
                out.gauge([of.id, user, slot.as_str()], u32::from(key.active))
            })
        }),
        ..USER_KEY
    },
    Family {
        name: "aws_iam_user_access_key_last_rotated_timestamp_seconds",
        help: "When the IAM user's access key in this slot was created or last changed, as a Unix timestamp, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerAccount(|of, out| {
            of.user_keys().try_for_each(|(user, slot, key)| {
                out.time([of.id, user, slot.as_str()], key.last_rotated)
            })
        }),
        ..USER_KEY
    },
    Family {
        name: "aws_iam_user_access_key_last_used_timestamp_seconds",
        help: "When the IAM user's access key in this slot was last used, as a Unix timestamp, by the credential report, which AWS renews at most once in 4 hours. Absent for a key that was never used.",
        samples: Samples::PerAccount(|of, out| {
            of.user_keys().try_for_each(|(user, slot, key)| {
                out.time([of.id, user, slot.as_str()], key.last_used)
            })
        }),
        ..USER_KEY
    },
    Family {
        name: "aws_iam_user_mfa_enabled",
        help: "Whether the IAM user has MFA (1) or not (0), by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerAccount(|of, out| {
            of.user_rows()
                .iter()
                .try_for_each(|user| out.gauge([of.id, &user.name], u32::from(user.mfa_active)))
        }),
        ..USER
    },
    Family {
        name: "aws_iam_user_password_enabled",
        help: "Whether the IAM user has a console password (1) or not (0), by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerAccount(|of, out| {
            of.user_rows().iter().try_for_each(|user| {
                out.gauge([of.id, &user.name], u32::from(user.password_enabled))
            })
        }),
        ..USER
    },
    Family {
        name: "aws_iam_user_password_last_used_timestamp_seconds",
        help: "When the IAM user last signed in with a password, as a Unix timestamp, by the credential report, which AWS renews at most once in 4 hours. Absent where AWS reports no use.",
        samples: Samples::PerAccount(|of, out| {
            of.user_rows()
                .iter()
                .try_for_each(|user| out.time([of.id, &user.name], user.password_last_used))
        }),
        ..USER
    },
    Family {
        name: "aws_root_exporter_user_detail_dropped",
        help: "Whether the account's IAM users are left out of the detail (1) because it would have passed users.max_detail_series, or not (0), as of the credential report in use.",
        labels: &["account"],
        samples: Samples::Value(|of| match of.report()?.detail {
            UserDetail::Off => None,
            UserDetail::Kept(_) => Some(0),
            UserDetail::Dropped => Some(1),
        }),
        ..USER
    },
];
