//! An account written as a credential report, in all the ways AWS has written and may write one.
//!
//! It shares nothing with the parser that it tests.

use crate::calendar;
use crate::model::{Account, Content, Password, Rendering, User};

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
    let rendering = &account.report.rendering;
    Content {
        bytes: match &rendering.raw {
            Some(raw) => raw.clone(),
            None => text(account, rendering).into_bytes(),
        },
        root: account.root.inventory(),
    }
}

fn text(account: &Account, rendering: &Rendering) -> String {
    let columns = rendering.columns.as_deref().unwrap_or(&COLUMNS);
    let mut users: Vec<&User> = account.users.iter().collect();
    users.sort_by_cached_key(|user| user.name.to_lowercase());

    let mut lines = vec![columns.join(",")];
    let roots = std::iter::repeat_n((&account.root, true), rendering.root_rows);
    for (user, is_root) in roots.chain(users.into_iter().map(|user| (user, false))) {
        let values = values(account, rendering, user, is_root);
        let fields = columns.iter().map(|column| {
            let place = COLUMNS.iter().position(|known| known == column);
            let value = match (place, rendering.additional_credentials) {
                (Some(place), _) => &values[place],
                (None, Some(info)) if is_root && *column == "additional_credentials_info" => info,
                (None, _) => NOT_APPLICABLE,
            };
            quoted(value)
        });
        lines.push(fields.collect::<Vec<_>>().join(","));
    }
    let mark = if rendering.byte_order_mark {
        "\u{feff}"
    } else {
        ""
    };
    let end = if rendering.final_line_end {
        rendering.line_end
    } else {
        ""
    };
    format!("{mark}{}{end}", lines.join(rendering.line_end))
}

const NOT_APPLICABLE: &str = "N/A";

/// The values of a user in the order of [`COLUMNS`].
fn values(account: &Account, rendering: &Rendering, user: &User, is_root: bool) -> Vec<String> {
    let id = rendering.arn_account.unwrap_or(account.id());
    let resource = if is_root {
        "root".to_owned()
    } else {
        format!("user/{}", user.name)
    };
    let boolean = |value: bool| rendering.booleans[usize::from(value)].to_owned();
    let time = |unix: i64| calendar::iso(unix).replace('Z', rendering.zone);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NOT_APPLICABLE.to_owned());
    let never_used = match user.password {
        Password::Absent => NOT_APPLICABLE,
        Password::Present => "no_information",
    };
    let mut values = vec![
        user.name.clone(),
        format!("arn:aws:iam::{id}:{resource}"),
        time(user.created),
        boolean(user.password == Password::Present),
        user.password_last_used
            .map_or_else(|| never_used.to_owned(), time),
        or_none(user.password_last_changed.map(time)),
        if is_root {
            "not_supported"
        } else {
            NOT_APPLICABLE
        }
        .to_owned(),
        boolean(user.mfa),
    ];
    for key in &user.keys {
        let key = key.as_ref();
        let last = key.and_then(|key| key.last_used.as_ref());
        values.extend([
            boolean(key.is_some_and(|key| key.active)),
            or_none(key.map(|key| time(key.created))),
            or_none(last.map(|last| time(last.at))),
            or_none(last.map(|last| last.region.clone())),
            or_none(last.map(|last| last.service.clone())),
        ]);
    }
    for certificate in &user.certificates {
        let certificate = certificate.as_ref();
        values.extend([
            boolean(certificate.is_some_and(|it| it.active)),
            or_none(certificate.map(|it| time(it.uploaded))),
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
        text(account, &account.report.rendering)
            .split('\n')
            .map(str::to_owned)
            .collect()
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

    #[test]
    fn every_older_spelling_can_be_rendered() {
        let mut account = account();
        *account.report.rendering = Rendering {
            booleans: ["FALSE", "TRUE"],
            zone: "+00:00",
            line_end: "\r\n",
            final_line_end: true,
            byte_order_mark: true,
            columns: Some(vec![
                "mfa_active",
                "user",
                "password_enabled",
                "user_creation_time",
            ]),
            root_rows: 2,
            ..Rendering::default()
        };
        account.users.clear();
        let root = "TRUE,<root_account>,TRUE,1970-01-01T00:00:00+00:00\r\n";
        assert_eq!(
            text(&account, &account.report.rendering),
            format!("\u{feff}mfa_active,user,password_enabled,user_creation_time\r\n{root}{root}")
        );
    }

    #[test]
    fn arns_can_name_another_account_and_the_root_row_can_be_missing() {
        let mut account = account();
        account.users.truncate(1);
        *account.report.rendering = Rendering {
            columns: Some(vec!["arn", "invented"]),
            root_rows: 0,
            arn_account: Some("111122223333".parse().unwrap()),
            ..Rendering::default()
        };
        assert_eq!(
            lines(&account)[1..],
            ["arn:aws:iam::111122223333:user/bob,N/A"]
        );
    }

    #[test]
    fn the_newest_column_names_more_credentials_of_the_root_user() {
        let mut account = account();
        account.users.truncate(1);
        *account.report.rendering = Rendering {
            columns: Some(vec!["user", "additional_credentials_info"]),
            additional_credentials: Some("1 more, see ListAccessKeys"),
            ..Rendering::default()
        };
        assert_eq!(
            lines(&account)[1..],
            ["<root_account>,\"1 more, see ListAccessKeys\"", "bob,N/A"]
        );
    }
}
