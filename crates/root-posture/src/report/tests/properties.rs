//! What holds for every report, and for every content that is not one.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::Timestamp;
use crate::report::{CertificateSlot, KeySlot, RootRow, UserRow};

/// The last second of the year 9999, the last that RFC 3339 can write.
const LAST: i64 = 253_402_300_799;

/// How a report is written down.
#[derive(Clone, Debug)]
struct Style {
    line_end: &'static str,
    final_line_end: bool,
    /// A byte order mark, or nothing.
    start: &'static str,
    quote_all: bool,
    upper_case: bool,
    offset: &'static str,
    nothing: &'static str,
}

fn styles() -> impl Strategy<Value = Style> {
    (
        prop::sample::select(vec!["\n", "\r\n"]),
        prop::array::uniform4(any::<bool>()),
        prop::sample::select(vec!["Z", "+00:00", "-00:00"]),
        prop::sample::select(vec!["N/A", "no_information", "not_supported"]),
    )
        .prop_map(|(line_end, flags, offset, nothing)| Style {
            line_end,
            final_line_end: flags[0],
            start: if flags[1] { "\u{feff}" } else { "" },
            quote_all: flags[2],
            upper_case: flags[3],
            offset,
            nothing,
        })
}

impl Style {
    fn boolean(&self, value: bool) -> String {
        let text = value.to_string();
        if self.upper_case {
            text.to_uppercase()
        } else {
            text
        }
    }

    fn time(&self, time: Option<Timestamp>) -> String {
        time.map_or(self.nothing.to_owned(), |time| {
            time.to_string().replace('Z', self.offset)
        })
    }

    fn place(&self, text: Option<&String>) -> String {
        text.map_or(self.nothing.to_owned(), Clone::clone)
    }

    fn slots(&self, keys: &[KeySlot; 2], certificates: &[CertificateSlot; 2]) -> Vec<String> {
        let keys = keys.iter().flat_map(|key| {
            [
                self.boolean(key.active),
                self.time(key.last_rotated),
                self.time(key.last_used),
                self.place(key.last_used_region.as_ref()),
                self.place(key.last_used_service.as_ref()),
            ]
        });
        let certificates = certificates
            .iter()
            .flat_map(|slot| [self.boolean(slot.active), self.time(slot.last_rotated)]);
        keys.chain(certificates).collect()
    }

    fn root(&self, root: &RootRow) -> Vec<String> {
        let mut row = vec![
            "<root_account>".to_owned(),
            format!("arn:aws:iam::{ACCOUNT}:root"),
            self.time(root.created),
            root.password_enabled
                .map_or("not_supported".to_owned(), |enabled| self.boolean(enabled)),
            self.time(root.password_last_used),
            self.time(root.password_last_changed),
            "N/A".to_owned(),
            self.boolean(root.mfa_active),
        ];
        row.extend(self.slots(
            &root.access_keys,
            &root.certificates.clone().unwrap_or_default(),
        ));
        row
    }

    fn user(&self, user: &UserRow) -> Vec<String> {
        let mut row = vec![
            user.name.clone(),
            format!("arn:aws:iam::{ACCOUNT}:user/{}", user.name),
            self.time(user.created),
            self.boolean(user.password_enabled),
            self.time(user.password_last_used),
            self.time(user.password_last_changed),
            "N/A".to_owned(),
            self.boolean(user.mfa_active),
        ];
        row.extend(self.slots(&user.access_keys, &user.certificates));
        row
    }

    fn field(&self, text: &str) -> String {
        if self.quote_all || text.contains(['"', ',']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    }

    fn rows(&self, report: &Known) -> Vec<Vec<String>> {
        let mut rows: Vec<_> = report.users.iter().map(|user| self.user(user)).collect();
        rows.insert(
            report.root_at.index(rows.len() + 1),
            self.root(&report.root),
        );
        rows.insert(0, COLUMNS.map(str::to_owned).to_vec());
        rows
    }

    fn lines(&self, rows: &[Vec<String>]) -> Vec<String> {
        let line = |row: &Vec<String>| {
            let fields: Vec<_> = row.iter().map(|text| self.field(text)).collect();
            fields.join(",")
        };
        rows.iter().map(line).collect()
    }

    fn text(&self, lines: &[String]) -> String {
        let mut text = lines.join(self.line_end);
        if self.final_line_end {
            text.push_str(self.line_end);
        }
        text.insert_str(0, self.start);
        text
    }
}

/// What a generated report says.
#[derive(Clone, Debug)]
struct Known {
    root: RootRow,
    /// Where among the users the root row stands.
    root_at: Index,
    users: Vec<UserRow>,
}

fn times() -> impl Strategy<Value = Option<Timestamp>> {
    prop::option::of((0..=LAST).prop_map(Timestamp::from_unix))
}

fn keys() -> impl Strategy<Value = KeySlot> {
    let place = || prop::option::of("[a-z][a-z0-9-]{0,12}");
    (any::<bool>(), times(), times(), place(), place()).prop_map(
        |(active, last_rotated, last_used, last_used_region, last_used_service)| KeySlot {
            active,
            last_rotated,
            last_used,
            last_used_region,
            last_used_service,
        },
    )
}

fn certificates() -> impl Strategy<Value = CertificateSlot> {
    (any::<bool>(), times()).prop_map(|(active, last_rotated)| CertificateSlot {
        active,
        last_rotated,
    })
}

fn roots() -> impl Strategy<Value = RootRow> {
    (
        prop::array::uniform3(times()),
        prop::option::of(any::<bool>()),
        any::<bool>(),
        prop::array::uniform2(keys()),
        prop::array::uniform2(certificates()),
    )
        .prop_map(
            |(times, password_enabled, mfa_active, access_keys, certificates)| RootRow {
                created: times[0],
                password_enabled,
                password_last_used: times[1],
                password_last_changed: times[2],
                mfa_active,
                access_keys,
                certificates: Some(certificates),
                has_more_keys: false,
            },
        )
}

fn users() -> impl Strategy<Value = UserRow> {
    // IAM's own alphabet, every character but line ends, and those that mean something to CSV.
    let name = prop_oneof!["[a-zA-Z0-9+=,.@_-]{1,64}", "[^\r\n]{1,20}", "[\", a]{1,12}"];
    (name, roots()).prop_map(|(name, like)| UserRow {
        name,
        created: like.created,
        password_enabled: like.password_enabled.unwrap_or(false),
        password_last_used: like.password_last_used,
        password_last_changed: like.password_last_changed,
        mfa_active: like.mfa_active,
        access_keys: like.access_keys,
        certificates: like.certificates.clone().unwrap_or_default(),
    })
}

fn reports() -> impl Strategy<Value = Known> {
    reports_of(0)
}

/// Reports of at least so many users.
fn reports_of(least: usize) -> impl Strategy<Value = Known> {
    (
        roots(),
        any::<Index>(),
        prop::collection::vec(users(), least..6),
    )
        .prop_map(|(root, root_at, users)| Known {
            root,
            root_at,
            users,
        })
}

/// Bytes, mostly those that mean something to CSV or to a report.
fn junk() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => prop::sample::select(b"\",\n\r<>tN/A:0".to_vec()),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..8)
}

proptest! {
    #[test]
    fn a_written_report_is_read_back(known in reports(), style in styles()) {
        let text = style.text(&style.lines(&style.rows(&known)));
        let report = read(&text).unwrap();
        prop_assert_eq!(report.root, Some(known.root));
        prop_assert_eq!(report.users, known.users);
        prop_assert_eq!(report.rows_skipped, 0);
        prop_assert_eq!(report.account, account());
    }

    #[test]
    fn the_order_of_the_columns_makes_no_difference(
        known in reports(),
        style in styles(),
        order in Just((0..COLUMNS.len()).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let rows: Vec<Vec<String>> = style
            .rows(&known)
            .into_iter()
            .map(|row| order.iter().map(|column| row[*column].clone()).collect())
            .collect();
        let report = read(style.text(&style.lines(&rows))).unwrap();
        prop_assert_eq!(report.root, Some(known.root));
        prop_assert_eq!(report.users, known.users);
    }

    #[test]
    fn no_bytes_make_it_panic(content in prop::collection::vec(any::<u8>(), 0..600)) {
        let _: Result<_, _> = read(content);
    }

    #[test]
    fn no_bytes_after_a_header_make_it_panic_or_give_a_value(
        content in prop::collection::vec(junk(), 0..80),
    ) {
        let content = [Table::header().text().into_bytes(), content.concat()].join(&b'\n');
        prop_assert!(read(content).is_err(), "no root row was written");
    }

    #[test]
    fn damage_in_a_user_s_row_never_changes_the_root_row(
        known in reports_of(1),
        style in styles(),
        damaged in any::<Index>(),
        from in any::<Index>(),
        to in any::<Index>(),
        junk in junk(),
    ) {
        let rows = style.rows(&known);
        let of_users: Vec<usize> =
            (1..rows.len()).filter(|row| rows[*row][0] != "<root_account>").collect();
        let mut lines: Vec<_> = style.lines(&rows).into_iter().map(String::into_bytes).collect();
        let line = &mut lines[*damaged.get(&of_users)];
        let (from, to) = (from.index(line.len() + 1), to.index(line.len() + 1));
        line.splice(from.min(to)..from.max(to), junk);
        let content = lines.join(style.line_end.as_bytes());
        let report = read(&content);
        prop_assert!(report.is_ok(), "{:?} of {:?}", report, String::from_utf8_lossy(&content));
        prop_assert_eq!(report.unwrap().root, Some(known.root));
    }

    #[test]
    fn a_report_cut_off_anywhere_gives_its_own_rows_or_an_error(
        known in reports(),
        style in styles(),
        end in any::<Index>(),
    ) {
        let text = style.text(&style.lines(&style.rows(&known)));
        let end = end.index(text.len() + 1);
        if let Ok(report) = read(&text.as_bytes()[..end]) {
            prop_assert_eq!(report.root, Some(known.root));
            prop_assert!(known.users.starts_with(&report.users), "{:?}", report.users);
        }
    }

    #[test]
    fn damage_anywhere_does_not_make_it_panic(
        known in reports(),
        style in styles(),
        damage in prop::collection::vec((any::<Index>(), any::<Index>(), junk()), 1..5),
    ) {
        let mut content = style.text(&style.lines(&style.rows(&known))).into_bytes();
        for (from, to, junk) in damage {
            let (from, to) = (from.index(content.len() + 1), to.index(content.len() + 1));
            content.splice(from.min(to)..from.max(to), junk);
        }
        let _: Result<_, _> = read(&content);
        let _: Result<_, _> = parse(&content, None, Partition::AwsCn);
    }
}
