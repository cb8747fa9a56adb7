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
        samples: Samples::Value(|of| Some(of.users()?.users.into())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_users_password_enabled",
        help: "IAM users with a console password, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.users()?.password_enabled.into())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_users_password_enabled_without_mfa",
        help: "IAM users with a console password and without MFA, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.users()?.password_enabled_without_mfa.into())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_user_access_keys_active",
        help: "Active access keys of all IAM users, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.users()?.access_keys_active.into())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_user_access_keys_active_older_than",
        help: "Active access keys of IAM users that were last rotated at least that many days before now, by the credential report, which AWS renews at most once in 4 hours.",
        labels: &["account", "days"],
        samples: Samples::PerAccount(|of, out| {
            let mut counts = of.keys_by_age();
            counts.try_for_each(|(days, count)| out.gauge([of.id, days], count))
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_user_credentials_unused_for",
        help: "Enabled passwords and active access keys of IAM users that were not used for at least that many days before now (never used counts from creation), by the credential report, which AWS renews at most once in 4 hours.",
        labels: &["account", "days"],
        samples: Samples::PerAccount(|of, out| {
            let mut counts = of.unused_credentials();
            counts.try_for_each(|(days, count)| out.gauge([of.id, days], count))
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_iam_user_signing_certificates_active",
        help: "Active signing certificates of all IAM users, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.users()?.signing_certificates_active.into())),
        ..Family::PER_ACCOUNT
    },
];

pub(super) const DETAIL_FAMILIES: &[Family] = &[
    Family {
        name: "aws_iam_user_access_key_active",
        help: "Whether the IAM user's access key in this slot is active (1), or inactive or missing (0), by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerUserKey(|key| Some(key.active.into())),
        ..USER_KEY
    },
    Family {
        name: "aws_iam_user_access_key_last_rotated_timestamp_seconds",
        help: "When the IAM user's access key in this slot was created or last changed, as a Unix timestamp, by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerUserKey(|key| Some(key.last_rotated?.unix())),
        ..USER_KEY
    },
    Family {
        name: "aws_iam_user_access_key_last_used_timestamp_seconds",
        help: "When the IAM user's access key in this slot was last used, as a Unix timestamp, by the credential report, which AWS renews at most once in 4 hours. Absent for a key that was never used.",
        samples: Samples::PerUserKey(|key| Some(key.last_used?.unix())),
        ..USER_KEY
    },
    Family {
        name: "aws_iam_user_mfa_enabled",
        help: "Whether the IAM user has MFA (1) or not (0), by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerUser(|user| Some(user.mfa_active.into())),
        ..USER
    },
    Family {
        name: "aws_iam_user_password_enabled",
        help: "Whether the IAM user has a console password (1) or not (0), by the credential report, which AWS renews at most once in 4 hours.",
        samples: Samples::PerUser(|user| Some(user.password_enabled.into())),
        ..USER
    },
    Family {
        name: "aws_iam_user_password_last_used_timestamp_seconds",
        help: "When the IAM user last signed in with a password, as a Unix timestamp, by the credential report, which AWS renews at most once in 4 hours. Absent where AWS reports no use.",
        samples: Samples::PerUser(|user| Some(user.password_last_used?.unix())),
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
