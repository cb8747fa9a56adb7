//! An account written as a credential report.
//!
//! It shares nothing with the parser that it tests.

use crate::calendar;
use crate::id::AccountId;
use crate::model::{Account, Content, ROOT, Report, User};

/// AWS's columns in AWS's order.
pub const COLUMNS: [&str; 22] = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
];

// Here and not beside the type, because the model must not depend on how it is written.
impl Account {
    /// Stores a report of the account as it is now, dated `generated_at`.
    pub fn store_report(&mut self, generated_at: i64) {
        let content = content(self);
        self.report.store(content, generated_at);
    }
}

/// The account's report.
pub(crate) fn content(account: &Account) -> Content {
    let Report { rewrite, raw, .. } = &account.report;
    let bytes = match (raw, rewrite) {
        (Some(raw), _) => raw.clone(),
        (None, Some(rewrite)) => rewrite(&text(account)).into_bytes(),
        (None, None) => text(account).into_bytes(),
    };
    Content {
        bytes,
        root: account.root.inventory(),
    }
}

fn text(account: &Account) -> String {
    let mut users: Vec<&User> = account.users.iter().collect();
    users.sort_by_cached_key(|user| user.name.to_lowercase());
    let rows = std::iter::once(&account.root).chain(users);
    let rows = rows.map(|user| {
        let values = values(account.id(), user);
        values
            .iter()
            .map(|value| quoted(value))
            .collect::<Vec<_>>()
            .join(",")
    });
    let header = std::iter::once(COLUMNS.join(","));
    header.chain(rows).collect::<Vec<_>>().join("\n")
}

const NOT_APPLICABLE: &str = "N/A";

/// The values of a user in the order of [`COLUMNS`].
fn values(id: AccountId, user: &User) -> Vec<String> {
    let is_root = user.name == ROOT;
    let resource = if is_root {
        "root".to_owned()
    } else {
        format!("user/{}", user.name)
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NOT_APPLICABLE.to_owned());
    let time = |unix: Option<i64>| or_none(unix.map(calendar::iso));
    let mut values = vec![
        user.name.clone(),
        format!("arn:aws:iam::{id}:{resource}"),
        calendar::iso(user.created),
        user.password.to_string(),
        match user.password_last_used {
            None if user.password => "no_information".to_owned(),
            last_used => time(last_used),
        },
        time(user.password_last_changed),
        if is_root {
            "not_supported"
        } else {
            NOT_APPLICABLE
        }
        .to_owned(),
        user.mfa.to_string(),
    ];
    for key in user.keys.each_ref().map(Option::as_ref) {
        let last = key.and_then(|key| key.last_used.as_ref());
        values.extend([
            key.is_some_and(|key| key.active).to_string(),
            time(key.map(|key| key.created)),
            time(last.map(|last| last.at)),
            or_none(last.map(|last| last.region.clone())),
            or_none(last.map(|last| last.service.clone())),
        ]);
    }
    for certificate in user.certificates.each_ref().map(Option::as_ref) {
        values.extend([
            certificate.is_some_and(|it| it.active).to_string(),
            time(certificate.map(|it| it.uploaded)),
        ]);
    }
    values
}

/// RFC 4180, section 2: quotes around what would otherwise end the field.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let mut account = Account::new("000000000042".parse().unwrap(), "ledger", 0);
        account.root.create_key(86_400);
        account.root.use_key(0, 90_000, "us-east-1", "s3");
        account.users.push(User::new("bob", 10));
        account.users.push(User::new("Alice, \"the\" CFO", 20));
        account
    }

    fn lines(account: &Account) -> Vec<String> {
        text(account).split('\n').map(str::to_owned).collect()
    }

    #[test]
    fn the_root_row_precedes_the_users_in_alphabetical_order() {
        let lines = lines(&account());
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "<root_account>,arn:aws:iam::000000000042:root,1970-01-01T00:00:00Z,true,\
             no_information,1970-01-01T00:00:00Z,not_supported,true,true,1970-01-02T00:00:00Z,\
             1970-01-02T01:00:00Z,us-east-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
        );
        assert!(lines[2].starts_with("\"Alice, \"\"the\"\" CFO\","));
        assert!(lines[3].starts_with("bob,arn:aws:iam::000000000042:user/bob,"));
        assert_eq!(lines.len(), 4, "no final newline");
    }

    #[test]
    fn an_inactive_key_keeps_its_rotation_time() {
        let mut account = account();
        account.root.deactivate_keys();
        assert!(lines(&account)[1].contains(",false,1970-01-02T00:00:00Z,1970-01-02T01:00:00Z,"));
    }
}
