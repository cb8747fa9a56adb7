//! The IAM users of a report in numbers.

use super::Table;
use crate::Timestamp;
use crate::report::{CertificateSlot, KeySlot, UserCounts, UserRow};

const NOW: Timestamp = Timestamp::from_unix(1_000 * 86_400);

#[expect(clippy::unnecessary_wraps, reason = "the fields it fills are optional")]
fn days_ago(days: i64) -> Option<Timestamp> {
    Some(Timestamp::from_unix((1_000 - days) * 86_400))
}

fn key(rotated: Option<Timestamp>, used: Option<Timestamp>) -> KeySlot {
    KeySlot {
        active: true,
        last_rotated: rotated,
        last_used: used,
        ..KeySlot::default()
    }
}

fn with_keys(access_keys: [KeySlot; 2]) -> UserRow {
    UserRow {
        created: days_ago(500),
        access_keys,
        ..UserRow::default()
    }
}

fn with_password(used: Option<Timestamp>, changed: Option<Timestamp>) -> UserRow {
    UserRow {
        created: days_ago(500),
        password_enabled: true,
        password_last_used: used,
        password_last_changed: changed,
        ..UserRow::default()
    }
}

#[test]
fn no_users_count_as_zero() {
    assert_eq!(UserCounts::of(&[]), UserCounts::default());
}

#[test]
fn the_root_row_is_not_counted_as_a_user() {
    assert_eq!(
        UserCounts::of(&Table::usual().parse().unwrap().users).users,
        2
    );
}

#[test]
fn passwords_count_where_they_are_enabled_and_mfa_only_with_them() {
    let guarded = UserRow {
        mfa_active: true,
        ..with_password(None, None)
    };
    let without_password = UserRow::default();
    let counts = UserCounts::of(&[guarded, with_password(None, None), without_password]);
    assert_eq!(counts.users, 3);
    assert_eq!(counts.password_enabled, 2);
    assert_eq!(counts.password_enabled_without_mfa, 1);
}

#[test]
fn only_active_keys_and_certificate_counts() {
    let inactive = KeySlot {
        active: false,
        ..key(days_ago(900), days_ago(900))
    };
    let mut user = with_keys([inactive, key(days_ago(10), None)]);
    user.certificates = [true, false].map(|active| CertificateSlot {
        active,
        last_rotated: days_ago(1),
    });
    let counts = UserCounts::of(&[user]);
    assert_eq!(counts.access_keys_active, 1);
    assert_eq!(counts.signing_certificates_active, 1);
    assert_eq!(counts.keys_older_than(90, NOW), 0);
    assert_eq!(counts.credentials_unused_for(90, NOW), 0);
}

#[test]
fn a_key_is_old_from_exactly_that_many_days_on() {
    let users = [
        with_keys([key(days_ago(89), None), key(days_ago(91), None)]),
        with_keys([key(days_ago(400), None), key(days_ago(90), None)]),
    ];
    let counts = UserCounts::of(&users);
    assert_eq!(counts.keys_older_than(90, NOW), 3);
    assert_eq!(counts.keys_older_than(91, NOW), 2);
    assert_eq!(counts.keys_older_than(365, NOW), 1);
}

#[test]
fn a_key_without_a_known_rotation_is_active_but_not_old() {
    let counts = UserCounts::of(&[with_keys([key(None, None), KeySlot::default()])]);
    assert_eq!(counts.access_keys_active, 1);
    assert_eq!(counts.keys_older_than(0, NOW), 0);
}

#[test]
fn a_credential_is_unused_since_its_last_use_or_since_it_exists() {
    for (rule, user, since) in [
        (
            "a used password",
            with_password(days_ago(45), days_ago(300)),
            45,
        ),
        (
            "a password never used",
            with_password(None, days_ago(300)),
            300,
        ),
        ("a password of unknown age", with_password(None, None), 500),
        (
            "a used key",
            with_keys([key(days_ago(300), days_ago(45)), KeySlot::default()]),
            45,
        ),
        (
            "a key never used",
            with_keys([key(days_ago(300), None), KeySlot::default()]),
            300,
        ),
        (
            "a key of unknown age",
            with_keys([key(None, None), KeySlot::default()]),
            500,
        ),
    ] {
        let counts = UserCounts::of(&[user]);
        assert_eq!(counts.credentials_unused_for(since, NOW), 1, "{rule}");
        assert_eq!(counts.credentials_unused_for(since + 1, NOW), 0, "{rule}");
    }
}

#[test]
fn a_credential_without_a_known_time_is_not_unused() {
    let user = UserRow {
        created: None,
        ..with_password(None, None)
    };
    assert_eq!(UserCounts::of(&[user]).credentials_unused_for(0, NOW), 0);
}

#[test]
fn passwords_and_keys_are_counted_together_as_credentials() {
    let mut user = with_keys([key(days_ago(100), None), key(days_ago(50), days_ago(2))]);
    user.password_enabled = true;
    user.password_last_used = days_ago(95);
    let counts = UserCounts::of(&[user]);
    assert_eq!(counts.credentials_unused_for(90, NOW), 2);
    assert_eq!(counts.credentials_unused_for(1, NOW), 3);
}

#[test]
fn the_order_of_the_users_makes_no_difference() {
    let one = with_keys([key(days_ago(1), None), key(days_ago(300), days_ago(7))]);
    let two = with_password(days_ago(20), None);
    assert_eq!(
        UserCounts::of(&[one.clone(), two.clone()]),
        UserCounts::of(&[two, one])
    );
}
