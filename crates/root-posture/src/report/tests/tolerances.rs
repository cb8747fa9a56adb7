//! Reports that are accepted although they differ from the usual form, and bad rows of IAM users.

use super::*;
use crate::Counts;
use crate::Timestamp;
use crate::report::{CertificateSlot, KeySlot, RootRow};

#[expect(
    clippy::unnecessary_wraps,
    reason = "the fields it is compared with are optional"
)]
fn time(text: &str) -> Option<Timestamp> {
    Some(Timestamp::parse(text).unwrap())
}

#[test]
fn every_field_of_the_root_row_is_read() {
    let report = Table::usual()
        .with(ROOT, "cert_2_active", "true")
        .with(ROOT, "cert_2_last_rotated", "2019-05-05T05:05:05Z")
        .parse()
        .unwrap();
    assert_eq!(report.account, account());
    assert_eq!(report.partition, Partition::Aws);
    assert_eq!(
        report.root,
        Some(RootRow {
            created: time("2018-01-01T00:00:00Z"),
            password_enabled: Some(true),
            password_last_used: time("2026-08-01T09:30:00Z"),
            password_last_changed: time("2020-02-02T00:00:00Z"),
            mfa_active: true,
            access_keys: [
                KeySlot {
                    active: true,
                    last_rotated: time("2026-09-11T13:14:52Z"),
                    last_used: time("2026-09-11T14:00:00Z"),
                    last_used_region: Some("us-east-1".to_owned()),
                    last_used_service: Some("iam".to_owned()),
                },
                KeySlot::default(),
            ],
            certificates: Some([
                CertificateSlot::default(),
                CertificateSlot {
                    active: true,
                    last_rotated: time("2019-05-05T05:05:05Z"),
                },
            ]),
            has_more_keys: false,
        })
    );
    assert_eq!(names(&report), ["alice", "bob"]);
    assert_eq!(report.rows_skipped, 0);
}

#[test]
fn a_key_exists_when_it_is_active_or_was_ever_rotated() {
    for (is_active, rotated, present, active) in [
        ("true", "2026-09-11T13:14:52Z", 1, 1),
        ("false", "2026-09-11T13:14:52Z", 1, 0),
        ("true", "N/A", 1, 1),
        ("false", "N/A", 0, 0),
    ] {
        let mut table = Table::usual();
        for slot in ["access_key_1", "cert_1"] {
            table = table.with(ROOT, &format!("{slot}_active"), is_active).with(
                ROOT,
                &format!("{slot}_last_rotated"),
                rotated,
            );
        }
        let root = table.parse().unwrap().root.unwrap();
        let counts = Counts { present, active };
        assert_eq!(root.keys(), counts);
        assert_eq!(root.certificate_counts(), Some(counts));
    }
}

#[test]
fn both_keys_count() {
    let root = Table::usual()
        .with(ROOT, "access_key_2_active", "true")
        .with(ROOT, "access_key_2_last_rotated", "2026-09-11T13:14:52Z")
        .parse()
        .unwrap()
        .root
        .unwrap();
    let both = Counts {
        active: 2,
        present: 2,
    };
    assert_eq!(root.keys(), both);
}

#[test]
fn equivalent_spellings_give_the_same_report() {
    let usual = Table::usual();
    let expected = usual.parse().unwrap();
    let text = usual.text();
    let reversed = Table(
        usual
            .0
            .iter()
            .map(|row| row.iter().rev().cloned().collect())
            .collect(),
    );
    let mut wider = usual.clone();
    for (at, row) in wider.0.iter_mut().enumerate() {
        row.insert(3, format!("unknown {at}"));
        row.push(
            if at == 0 {
                "additional_credentials_info"
            } else {
                ""
            }
            .to_owned(),
        );
    }
    let quoted = usual
        .0
        .iter()
        .map(|row| format!("\"{}\"", row.join("\",\"")));
    for (way, content) in [
        ("columns in another order", reversed.text()),
        ("unknown columns", wider.text()),
        ("CRLF", text.replace('\n', "\r\n")),
        ("CR", text.replace('\n', "\r")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("a final newline", format!("{text}\n")),
        ("a final CRLF", text.replace('\n', "\r\n") + "\r\n"),
        (
            "blank lines",
            format!("\n{}\n\n", text.replace('\n', "\n\n")),
        ),
        ("quoted fields", quoted.collect::<Vec<_>>().join("\n")),
        (
            "TRUE and FALSE",
            text.replace("true", "TRUE").replace("false", "FALSE"),
        ),
        (
            "True and False",
            text.replace("true", "True").replace("false", "False"),
        ),
        (
            "+00:00",
            text.replace("00Z", "00+00:00").replace("52Z", "52+00:00"),
        ),
        ("fractions of a second", text.replace("52Z", "52.25Z")),
        (
            "another offset",
            text.replace("13:14:52Z", "15:14:52+02:00"),
        ),
        ("no_information", text.replace("N/A", "no_information")),
        ("not_supported", text.replace("N/A", "not_supported")),
        ("trailing commas", text.replace('\n', ",\n") + ","),
    ] {
        assert_eq!(read(content).as_ref(), Ok(&expected), "{way}");
    }
}

#[test]
fn an_empty_field_means_the_same_as_n_a() {
    let usual = Table::usual();
    let text = usual.text().replace("N/A", "") + "\n";
    assert_eq!(read(text), usual.parse());
}

#[test]
fn root_s_password_may_be_not_supported() {
    for (text, expected) in [
        ("true", Some(true)),
        ("FALSE", Some(false)),
        ("not_supported", None),
        ("N/A", None),
    ] {
        let report = Table::usual().with(ROOT, "password_enabled", text).parse();
        assert_eq!(report.unwrap().root.unwrap().password_enabled, expected);
    }
}

#[test]
fn columns_that_only_add_a_time_or_a_place_or_a_certificate_may_be_missing() {
    let needed = [
        "user",
        "arn",
        "password_enabled",
        "mfa_active",
        "access_key_1_active",
        "access_key_1_last_rotated",
        "access_key_2_active",
        "access_key_2_last_rotated",
    ];
    let mut table = Table::usual();
    for column in COLUMNS.iter().filter(|column| !needed.contains(column)) {
        table = table.without_column(column);
    }
    let root = table.parse().unwrap().root.unwrap();
    let expected = RootRow {
        password_enabled: Some(true),
        mfa_active: true,
        access_keys: [
            KeySlot {
                active: true,
                last_rotated: time("2026-09-11T13:14:52Z"),
                ..KeySlot::default()
            },
            KeySlot::default(),
        ],
        ..RootRow::default()
    };
    assert_eq!(root, expected);
}

#[test]
fn a_user_may_have_any_name() {
    for name in [
        "Jürgen",
        "山田",
        "🦀",
        "a,b",
        "say \"hi\"",
        " ",
        "N/A",
        "user",
    ] {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let report = Table::usual().with(ALICE, "user", &quoted).parse().unwrap();
        assert_eq!(names(&report), [name, "bob"]);
        assert_eq!(report.rows_skipped, 0, "{name:?}");
    }
}

#[test]
fn a_quote_within_an_unquoted_name_is_part_of_the_name() {
    let report = Table::usual().with(ALICE, "user", "o\"brien").parse();
    assert_eq!(names(&report.unwrap()), ["o\"brien", "bob"]);
}

#[test]
fn the_root_row_may_stand_anywhere() {
    let usual = Table::usual();
    for order in [[0, 1, 2, 3], [0, 2, 1, 3], [0, 2, 3, 1]] {
        let report = usual.clone().in_order(&order).parse();
        assert_eq!(report, usual.parse(), "{order:?}");
    }
}

/// What makes the row of an IAM user unreadable.
fn bad_rows() -> Vec<(&'static str, Vec<u8>)> {
    let alice = |column: &str, text: &str| {
        let table = Table::usual().with(ALICE, column, text);
        table.lines()[ALICE].clone().into_bytes()
    };
    let usual = Table::usual().lines()[ALICE].clone();
    let mut invalid_name = b"al\xffce".to_vec();
    invalid_name.extend_from_slice(&usual.as_bytes()["alice".len()..]);
    vec![
        ("a boolean that is not one", alice("mfa_active", "yes")),
        ("a key that is neither", alice("access_key_1_active", "N/A")),
        (
            "a password that is neither",
            alice("password_enabled", "not_supported"),
        ),
        (
            "a time that is not one",
            alice("access_key_1_last_rotated", "yesterday"),
        ),
        (
            "a day that is not one",
            alice("user_creation_time", "2026-02-30T00:00:00Z"),
        ),
        (
            "a time without an offset",
            alice("user_creation_time", "2026-02-03T00:00:00"),
        ),
        ("an unquoted comma in the name", alice("user", "alice,x")),
        ("no name", alice("user", "")),
        ("invalid UTF-8 in the name", invalid_name),
        ("no ARN", alice("arn", "N/A")),
        (
            "another account's ARN",
            alice("arn", "arn:aws:iam::999999999999:user/alice"),
        ),
        (
            "an ARN of 11 digits",
            alice("arn", "arn:aws:iam::12345678901:user/alice"),
        ),
        (
            "an ARN of a role",
            alice("arn", "arn:aws:iam::012345678901:role/alice"),
        ),
        (
            "the root user's ARN",
            alice("arn", "arn:aws:iam::012345678901:root"),
        ),
        ("too few fields", usual.rsplit_once(',').unwrap().0.into()),
        ("one field", b"alice".to_vec()),
        ("too many fields", format!("{usual},garbage").into()),
        ("a quote that is not closed", format!("\"{usual}").into()),
        (
            "a quote that is not closed, at the end",
            usual.replace("false,N/A", "false,\"N/A").into(),
        ),
        (
            "text after a closing quote",
            usual.replacen("alice", "\"alice\"x", 1).into(),
        ),
        ("zero bytes", vec![0; 40]),
        ("commas", b",,,,,,,,,,,,,,,,,,,,,".to_vec()),
    ]
}

#[test]
fn a_bad_row_of_a_user_affects_only_itself() {
    let usual = Table::usual();
    let root = usual.parse().unwrap().root;
    let lines: Vec<Vec<u8>> = usual.lines().into_iter().map(String::into_bytes).collect();
    let (header, root_line, bob) = (&lines[0], &lines[ROOT], &lines[BOB]);
    for (what, bad) in bad_rows() {
        for rows in [
            [header, root_line, &bad, bob],
            [header, &bad, root_line, bob],
            [header, &bad, bob, root_line],
            [header, root_line, bob, &bad],
        ] {
            let report = read(rows.map(Clone::clone).join(&b'\n')).unwrap();
            assert_eq!(report.root, root, "{what}");
            assert_eq!(names(&report), ["bob"], "{what}");
            assert_eq!(report.rows_skipped, 1, "{what}");
        }
    }
}

#[test]
fn two_broken_quotes_around_the_root_row_do_not_hide_it() {
    let mut table = Table::usual();
    table.add_user("carol");
    let usual = table.parse().unwrap();
    // Read as one field, `alice … carol` would be a name of several lines.
    let report = table
        .with(ALICE, "user", "\"alice")
        .with(4, "user", "carol\"")
        .in_order(&[0, ALICE, ROOT, BOB, 4])
        .parse()
        .unwrap();
    assert_eq!(report.root, usual.root);
    assert!(names(&report).contains(&"bob"));
}

#[test]
fn a_broken_quote_before_a_quoted_field_affects_no_other_row() {
    let mut table = Table::usual();
    table.add_user("carol");
    let report = table
        .with(ALICE, "user", "\"alice")
        .with(4, "password_next_rotation", "\",x\"")
        .parse()
        .unwrap();
    assert_eq!(names(&report), ["bob", "carol"]);
    assert_eq!(report.rows_skipped, 1);
}

#[test]
fn a_report_that_was_cut_off_in_a_user_s_row_loses_that_row() {
    let text = Table::usual().text();
    let bob = text.rfind("\nbob").unwrap();
    for end in bob + 2..text.len() {
        let report = read(&text[..end]).unwrap();
        assert_eq!(names(&report), ["alice"], "…{}", &text[bob..end]);
        assert_eq!(report.rows_skipped, 1);
        assert!(report.root.is_some());
    }
}

#[test]
fn the_partition_is_the_one_that_the_arns_name() {
    let china = read(Table::usual().text().replace("arn:aws:", "arn:aws-cn:")).unwrap();
    assert_eq!(china.partition, Partition::AwsCn);
    let new = read(Table::usual().text().replace("arn:aws:", "arn:aws-mars:")).unwrap();
    assert_eq!(new.partition, Partition::Aws, "one that is not known yet");
}

#[test]
fn in_china_a_report_without_a_root_row_is_whole() {
    let table = Table::usual().without_row(ROOT);
    let china = table.text().replace("arn:aws:", "arn:aws-cn:");
    for (content, expected, partition) in [
        (&china, Some(account()), Partition::AwsCn),
        (&china, None, Partition::AwsCn),
        (&china, Some(account()), Partition::Aws),
        (&table.text(), Some(account()), Partition::AwsCn),
    ] {
        let report = parse(content.as_bytes(), expected, partition).unwrap();
        assert_eq!(report.account, account());
        assert_eq!(report.root, None);
        assert_eq!(names(&report), ["alice", "bob"]);
    }
}

#[test]
fn in_china_an_account_without_users_has_a_report_without_rows() {
    let content = Table::header().text();
    let report = parse(content.as_bytes(), Some(account()), Partition::AwsCn).unwrap();
    assert_eq!(report.account, account());
    assert_eq!((report.root, report.users.len()), (None, 0));
}

#[test]
fn any_account_s_report_is_read_when_none_is_expected() {
    let report = parse(Table::usual().text().as_bytes(), None, Partition::Aws).unwrap();
    assert_eq!(report.account, account());
}

#[test]
fn times_at_the_edges_of_the_calendar_are_times() {
    for text in [
        "0000-01-01T00:00:00+23:59",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
    ] {
        let table = Table::usual().with(ROOT, "access_key_1_last_rotated", text);
        let report = table.with(ALICE, "access_key_1_last_rotated", text).parse();
        let report = report.unwrap();
        let [key, _] = report.root.unwrap().access_keys;
        assert!(!key.last_rotated.unwrap().to_string().is_empty());
        let counts = crate::report::UserCounts::of(&report.users);
        for now in [i64::MIN, 0, i64::MAX] {
            assert!(counts.keys_older_than(u32::MAX, Timestamp::from_unix(now)) <= 2);
        }
    }
}
