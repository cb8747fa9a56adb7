//! What makes a report malformed, and that the error says where and what was expected.

use super::*;
use crate::report::Flaw;

/// The error's text; panics when there is none.
fn refusal(content: impl AsRef<[u8]>) -> String {
    read(content).unwrap_err().to_string()
}

#[test]
fn other_content_is_malformed() {
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let utf16: Vec<u8> = Table::usual()
        .text()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let empty = "line 1: the report is empty, expected a header and a row `<root_account>`";
    let binary = "line 1: this is not text, expected CSV in UTF-8 that starts with a header";
    let no_header = "line 1: column user: it is missing from the header";
    for (content, expected) in [
        (&b""[..], empty),
        (b"\xEF\xBB\xBF", empty),
        (b"\r\n\n", empty),
        (&gzip, binary),
        (&utf16, binary),
        (b"\0", binary),
        (b"<html><body>503</body></html>", no_header),
        (b"dXNlcixhcm4=", no_header),
    ] {
        assert_eq!(refusal(content), expected);
    }
}

#[test]
fn a_report_without_a_header_is_malformed() {
    let headless = Table::usual().without_row(0).text();
    assert_eq!(
        refusal(headless),
        "line 1: column user: it is missing from the header"
    );
}

#[test]
fn a_header_without_rows_is_malformed() {
    for content in [Table::header().text(), Table::header().text() + "\n"] {
        let Err(ReportError::Malformed { flaw, .. }) = read(&content) else {
            panic!("{content:?} was read");
        };
        assert_eq!(flaw, Flaw::NoRootRow);
    }
    let none_expected = parse(Table::header().text().as_bytes(), None, Partition::AwsCn);
    assert_eq!(none_expected, Err(Flaw::NoAccount.on(1)));
}

#[test]
fn a_missing_required_column_is_named() {
    for column in [
        "user",
        "arn",
        "password_enabled",
        "mfa_active",
        "access_key_1_active",
        "access_key_1_last_rotated",
        "access_key_2_active",
        "access_key_2_last_rotated",
    ] {
        let table = Table::usual().without_column(column);
        assert_eq!(table.parse(), Err(Flaw::MissingColumn(column).on(1)));
    }
}

#[test]
fn a_duplicate_column_is_named() {
    for column in COLUMNS {
        if column == "password_next_rotation" {
            continue;
        }
        let mut table = Table::usual();
        for row in &mut table.0 {
            row.push("true".to_owned());
        }
        column.clone_into(table.0[0].last_mut().unwrap());
        assert_eq!(table.parse(), Err(Flaw::DuplicateColumn(column).on(1)));
    }
}

#[test]
fn a_header_with_a_broken_quote_is_malformed() {
    let text = Table::usual().text();
    let unclosed = text.replacen("cert_2_last_rotated", "\"cert_2_last_rotated", 1);
    assert_eq!(read(unclosed), Err(Flaw::Quotes.on(1)));
}

#[test]
fn no_root_row_is_malformed() {
    let table = Table::usual().without_row(ROOT);
    assert_eq!(
        table.parse().unwrap_err().to_string(),
        "line 3: column user: there is no row `<root_account>`"
    );
}

#[test]
fn a_second_root_row_is_malformed_even_an_invalid_one() {
    let expected =
        "line 5: column user: this is a second row `<root_account>`, the first is on line 2";
    let table = Table::usual();
    let twice = table.clone().in_order(&[0, ROOT, ALICE, BOB, ROOT]);
    assert_eq!(refusal(twice.text()), expected);
    assert_eq!(refusal(table.text() + "\n<root_account>,x"), expected);
}

#[test]
fn an_invalid_boolean_of_the_root_row_is_malformed() {
    for column in [
        "password_enabled",
        "mfa_active",
        "access_key_1_active",
        "access_key_2_active",
        "cert_1_active",
        "cert_2_active",
    ] {
        for text in ["yes", "1", "truetrue", "tru", " true"] {
            let error = Table::usual().with(ROOT, column, text).parse();
            let error = error.unwrap_err().to_string();
            let start = format!("line 2: column {column}: {text:?} is not a boolean (true");
            assert!(error.starts_with(&start), "{error}");
        }
        for text in ["N/A", "no_information", "not_supported"] {
            let report = Table::usual().with(ROOT, column, text).parse();
            assert_eq!(report.is_ok(), column == "password_enabled", "{column}");
        }
    }
}

#[test]
fn an_invalid_time_of_the_root_row_is_malformed() {
    for column in [
        "user_creation_time",
        "password_last_used",
        "password_last_changed",
        "access_key_1_last_rotated",
        "access_key_1_last_used_date",
        "access_key_2_last_rotated",
        "access_key_2_last_used_date",
        "cert_1_last_rotated",
        "cert_2_last_rotated",
    ] {
        for text in [
            "yesterday",
            "2026-09-11",
            "2026-09-11T13:14:52",
            "2026-13-01T00:00:00Z",
            "0",
        ] {
            let error = Table::usual().with(ROOT, column, text).parse();
            assert_eq!(
                error.unwrap_err().to_string(),
                format!("line 2: column {column}: {text:?} is not a time (RFC 3339, or N/A)")
            );
        }
    }
}

#[test]
fn an_arn_that_is_not_the_root_user_s_is_malformed() {
    for arn in [
        "",
        "N/A",
        "arn:aws:iam::012345678901:user/root",
        "arn:aws:iam::12345678901:root",
        "arn:aws:iam::0123456789012:root",
        "arn:aws:iam::012345678901:root/",
        "arn:aws:iam::012345678901",
        "arn:aws:iam:us-east-1:012345678901:root",
        "arn:aws:sts::012345678901:root",
        "arn::iam::012345678901:root",
        "ARN:aws:iam::012345678901:root",
    ] {
        let error = Table::usual().with(ROOT, "arn", arn).parse().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "line 2: column arn: {arn:?} is not the ARN of a root user \
                 (arn:<partition>:iam::<12 digits>:root)"
            )
        );
    }
}

#[test]
fn invalid_utf_8_in_a_needed_field_of_the_root_row_is_malformed() {
    for (column, place) in [("arn", "root"), ("mfa_active", "true")] {
        let text = Table::usual()
            .with(ROOT, column, &format!("#{place}"))
            .text();
        let content: Vec<u8> = text
            .bytes()
            .map(|byte| if byte == b'#' { 0xff } else { byte })
            .collect();
        let error = refusal(content);
        assert!(
            error.starts_with(&format!("line 2: column {column}: ")),
            "{error}"
        );
    }
}

#[test]
fn a_root_row_that_is_too_short_or_too_long_is_malformed() {
    let table = Table::usual().in_order(&[0, ROOT]);
    let text = table.text();
    for (content, found) in [
        (text.rsplit_once(',').unwrap().0.to_owned(), 21),
        (format!("{text},garbage"), 23),
        (format!("{}\n<root_account>", Table::header().text()), 1),
    ] {
        let flaw = Flaw::FieldCount {
            found,
            expected: 22,
        };
        assert_eq!(read(content), Err(flaw.on(2)));
    }
}

#[test]
fn a_root_row_with_a_broken_quote_is_malformed() {
    let text = Table::usual().text();
    let unclosed = text.replacen("us-east-1", "\"us-east-1", 1);
    assert_eq!(read(unclosed), Err(Flaw::Quotes.on(2)));
    let continued = text.replacen("us-east-1", "\"us-east-1\"x", 1);
    assert_eq!(read(continued), Err(Flaw::Quotes.on(2)));
}

#[test]
fn a_report_that_was_cut_off_before_the_root_row_is_whole_is_malformed() {
    let text = Table::usual().in_order(&[0, ROOT]).text();
    for end in 0..text.len() {
        let report = read(&text[..end]);
        assert!(
            matches!(report, Err(ReportError::Malformed { .. })),
            "{:?} gave {report:?}",
            &text[..end]
        );
    }
}

#[test]
fn another_account_s_report_is_a_mismatch_and_not_malformed() {
    let other: AccountId = "999999999999".parse().unwrap();
    let root_of_other = Table::usual().with(ROOT, "arn", "arn:aws:iam::999999999999:root");
    let error = root_of_other.parse().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the report is of account 999999999999, not of 012345678901"
    );
    let users_of_other = Table::usual().without_row(ROOT).text();
    assert_eq!(
        parse(users_of_other.as_bytes(), Some(other), Partition::AwsCn),
        Err(ReportError::AccountMismatch {
            expected: other,
            found: account()
        })
    );
}

#[test]
fn the_line_is_that_of_the_text_whatever_ends_the_lines() {
    let table = Table::usual().with(ROOT, "mfa_active", "maybe");
    let text = table.in_order(&[0, ALICE, BOB, ROOT]).text();
    for (content, line) in [
        (text.clone(), 4),
        (text.replace('\n', "\r\n"), 4),
        (text.replace('\n', "\r"), 4),
        (text.replace('\n', "\n\n"), 7),
        (text.replacen("alice", "\"al\nice\"", 1), 5),
    ] {
        let error = refusal(content);
        assert!(
            error.starts_with(&format!("line {line}: column mfa_active")),
            "{error}"
        );
    }
}

#[test]
fn a_long_or_unprintable_value_is_cut_and_escaped() {
    let table = Table::usual().with(
        ROOT,
        "mfa_active",
        &format!("\u{1b}[31m{}", "x".repeat(500)),
    );
    let error = refusal(table.text());
    assert!(
        error.contains(r#""\u{1b}[31mxxx"#) && error.len() < 150,
        "{error}"
    );
}
