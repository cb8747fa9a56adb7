//! An account written down as a credential report, in all the ways AWS has written and may write
//! one. It shares nothing with the reader it is there to test.

use bytes::Bytes;

use super::account::{Account, Password, User};
use super::{calendar, report};
use crate::account::AccountId;

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

/// How a report is written.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// `true` and `false`, or in capitals as older documents show them.
    pub booleans: Booleans,
    /// How times end.
    pub zone: Zone,
    /// How lines end.
    pub line_end: LineEnd,
    /// Whether the last line ends too; AWS's does not.
    pub final_line_end: bool,
    /// Whether the text opens with a byte order mark.
    pub byte_order_mark: bool,
    /// The columns and their order; [`COLUMNS`] when `None`. A name that is unknown gets the value
    /// `N/A`.
    pub columns: Option<Vec<&'static str>>,
    /// What the column `additional_credentials_info` says in the root row; `N/A` when `None`.
    pub additional_credentials: Option<&'static str>,
    /// How many rows of the root user there are: 1 unless something is wrong (or in China, 0).
    pub root_rows: usize,
    /// The account that the ARNs name, when it is not the account itself.
    pub arn_account: Option<AccountId>,
    /// These bytes instead of a report.
    pub raw: Option<Bytes>,
}

impl Default for Rendering {
    fn default() -> Self {
        Self {
            booleans: Booleans::Lower,
            zone: Zone::Z,
            line_end: LineEnd::Lf,
            final_line_end: false,
            byte_order_mark: false,
            columns: None,
            additional_credentials: None,
            root_rows: 1,
            arn_account: None,
            raw: None,
        }
    }
}

/// How a boolean is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booleans {
    /// `true`
    Lower,
    /// `TRUE`
    Upper,
}

/// How a time ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// `Z`
    Z,
    /// `+00:00`
    Offset,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// `\n`
    Lf,
    /// `\r\n`
    CrLf,
}

/// The account's report as `Content` carries it.
pub(super) fn content(account: &Account) -> report::Content {
    let rendering = &account.report.rendering;
    let base64 = match &rendering.raw {
        Some(raw) => report::encode(raw),
        None => report::encode(text(account, rendering).as_bytes()),
    };
    report::Content {
        base64,
        root: account.root.inventory(),
    }
}

fn text(account: &Account, rendering: &Rendering) -> String {
    let columns = rendering.columns.as_deref().unwrap_or(&COLUMNS);
    let mut users: Vec<&User> = account.users.iter().collect();
    users.sort_by_cached_key(|user| user.name.to_lowercase());

    let mut lines = vec![columns.join(",")];
    let rows = std::iter::repeat_n((&account.root, true), rendering.root_rows)
        .chain(users.into_iter().map(|user| (user, false)));
    for (user, is_root) in rows {
        let row = Row {
            account,
            rendering,
            user,
            is_root,
        };
        let fields: Vec<String> = columns.iter().map(|name| quoted(row.field(name))).collect();
        lines.push(fields.join(","));
    }
    let end = match rendering.line_end {
        LineEnd::Lf => "\n",
        LineEnd::CrLf => "\r\n",
    };
    let mut text = if rendering.byte_order_mark {
        "\u{feff}".to_owned()
    } else {
        String::new()
    };
    text.push_str(&lines.join(end));
    if rendering.final_line_end {
        text.push_str(end);
    }
    text
}

/// RFC 4180, section 2: quotes around what would otherwise end the field.
fn quoted(field: String) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

struct Row<'a> {
    account: &'a Account,
    rendering: &'a Rendering,
    user: &'a User,
    is_root: bool,
}

impl Row<'_> {
    fn field(&self, column: &str) -> String {
        let user = self.user;
        match column {
            "user" => user.name.clone(),
            "arn" => self.arn(),
            "user_creation_time" => self.time(user.created),
            "mfa_active" => self.boolean(user.mfa),
            "additional_credentials_info" if self.is_root => {
                let info = self.rendering.additional_credentials;
                info.map_or_else(not_applicable, str::to_owned)
            }
            _ => self
                .password_field(column)
                .or_else(|| self.key_field(column))
                .or_else(|| self.certificate_field(column))
                .unwrap_or_else(not_applicable),
        }
    }

    fn arn(&self) -> String {
        let partition = self.account.partition;
        let id = self.rendering.arn_account.unwrap_or(self.account.id());
        if self.is_root {
            format!("arn:{partition}:iam::{id}:root")
        } else {
            format!("arn:{partition}:iam::{id}:user/{}", self.user.name)
        }
    }

    fn password_field(&self, column: &str) -> Option<String> {
        let user = self.user;
        let text = match column {
            "password_enabled" => match user.password {
                Password::Absent => self.boolean(false),
                Password::Present => self.boolean(true),
                Password::NotSupported => "not_supported".to_owned(),
            },
            "password_last_used" => match user.password_last_used {
                Some(at) => self.time(at),
                None if user.password == Password::Absent => not_applicable(),
                None => "no_information".to_owned(),
            },
            "password_last_changed" => match user.password_last_changed {
                _ if user.password == Password::NotSupported => "not_supported".to_owned(),
                Some(at) => self.time(at),
                None => not_applicable(),
            },
            "password_next_rotation" if self.is_root => "not_supported".to_owned(),
            "password_next_rotation" => not_applicable(),
            _ => return None,
        };
        Some(text)
    }

    fn key_field(&self, column: &str) -> Option<String> {
        let (slot, field) = match column.strip_prefix("access_key_")?.split_once('_')? {
            ("1", field) => (0, field),
            ("2", field) => (1, field),
            _ => return None,
        };
        let key = self.user.keys[slot].as_ref();
        let used = key.and_then(|key| key.last_used.as_ref());
        match field {
            "active" => Some(self.boolean(key.is_some_and(|key| key.active))),
            "last_rotated" => key.map(|key| self.time(key.created)),
            "last_used_date" => used.map(|used| self.time(used.at)),
            "last_used_region" => used.map(|used| used.region.to_string()),
            "last_used_service" => used.map(|used| used.service.to_string()),
            _ => None,
        }
    }

    fn certificate_field(&self, column: &str) -> Option<String> {
        let (slot, field) = match column.strip_prefix("cert_")?.split_once('_')? {
            ("1", field) => (0, field),
            ("2", field) => (1, field),
            _ => return None,
        };
        let certificate = self.user.certificates[slot].as_ref();
        match field {
            "active" => Some(self.boolean(certificate.is_some_and(|it| it.active))),
            "last_rotated" => certificate.map(|it| self.time(it.uploaded)),
            _ => None,
        }
    }

    fn boolean(&self, value: bool) -> String {
        match self.rendering.booleans {
            Booleans::Lower => value.to_string(),
            Booleans::Upper => value.to_string().to_uppercase(),
        }
    }

    fn time(&self, unix: i64) -> String {
        let zone = match self.rendering.zone {
            Zone::Z => "Z",
            Zone::Offset => "+00:00",
        };
        calendar::iso(unix, zone)
    }
}

fn not_applicable() -> String {
    "N/A".to_owned()
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
    fn the_root_row_comes_first_and_then_users_without_regard_to_case() {
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
    fn every_older_spelling_can_be_had() {
        let mut account = account();
        account.root.password = Password::NotSupported;
        *account.report.rendering = Rendering {
            booleans: Booleans::Upper,
            zone: Zone::Offset,
            line_end: LineEnd::CrLf,
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
        let root = "TRUE,<root_account>,not_supported,1970-01-01T00:00:00+00:00\r\n";
        assert_eq!(
            text(&account, &account.report.rendering),
            format!("\u{feff}mfa_active,user,password_enabled,user_creation_time\r\n{root}{root}")
        );
    }

    #[test]
    fn another_accounts_arns_and_no_root_row_can_be_had() {
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
