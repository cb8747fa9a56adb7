//! What `additional_credentials_info` means: the root user has more keys than the two slots.

use super::*;
use crate::Counts;
use crate::report::RootRow;

const COLUMN: &str = "additional_credentials_info";

/// The usual root user with an active key, and words in the root row only.
fn saying(words: &str) -> RootRow {
    let table = Table::usual().with_column(COLUMN, "N/A");
    table
        .with(ROOT, COLUMN, words)
        .parse()
        .unwrap()
        .root
        .unwrap()
}

const ONE: Counts = Counts {
    present: 1,
    active: 1,
};
const TWO: Counts = Counts {
    present: 2,
    active: 2,
};

#[test]
fn additional_keys_count_as_two_active_keys() {
    for words in [
        "1 additional access key",
        "2 ADDITIONAL ACCESS KEYS; 1 additional certificate",
        "\"3 access keys, 2 signing certificates\"",
        "AccessKeys=3",
        "more",
        " yes ",
    ] {
        let root = saying(words);
        assert_eq!(root.keys(), TWO, "{words:?}");
        assert!(root.has_more_keys, "{words:?}");
    }
}

#[test]
fn additional_certificates_alone_are_not_keys() {
    for words in [
        "1 additional certificate",
        "2 Additional Signing Certificates",
    ] {
        let root = saying(words);
        assert_eq!(root.keys(), ONE, "{words:?}");
        assert!(!root.has_more_keys, "{words:?}");
    }
}

#[test]
fn an_empty_column_adds_no_keys() {
    for words in ["", " ", "N/A", "no_information", "not_supported"] {
        let root = saying(words);
        assert!(!root.has_more_keys, "{words:?}");
        assert_eq!(root.keys(), ONE, "{words:?}");
    }
    let without_column = Table::usual().parse().unwrap().root.unwrap();
    assert_eq!(without_column, saying("N/A"));
}

#[test]
fn additional_keys_change_neither_slots_nor_certificates() {
    let (without, with) = (saying("N/A"), saying("2 additional access keys"));
    assert_eq!(with.access_keys, without.access_keys);
    assert_eq!(with.certificate_counts(), without.certificate_counts());
    assert_eq!(with.mfa_active, without.mfa_active);
}

#[test]
fn an_empty_last_column_is_accepted_also_at_the_end() {
    let table = Table::usual().with_column(COLUMN, "");
    let usual = Table::usual().parse();
    assert_eq!(table.parse(), usual);
    assert_eq!(read(table.text() + "\n"), usual);
    // The root row at the end, where nothing follows its last comma.
    let at_end = table.in_order(&[0, ALICE, BOB, ROOT]).text();
    assert!(at_end.ends_with(','));
    assert_eq!(read(at_end), usual);
}

#[test]
fn the_column_may_stand_anywhere() {
    let mut table = Table::usual();
    for (at, row) in table.0.iter_mut().enumerate() {
        let words = [COLUMN, "3 access keys"];
        row.insert(0, (*words.get(at).unwrap_or(&"")).to_owned());
    }
    let report = table.parse().unwrap();
    assert_eq!(report.root.unwrap().keys(), TWO);
    assert_eq!(report.users.len(), 2);
}

#[test]
fn the_column_of_an_iam_user_does_not_affect_root() {
    let table = Table::usual().with_column(COLUMN, "");
    let report = table.with(ALICE, COLUMN, "3 access keys").parse();
    assert_eq!(report, Table::usual().parse());
}

#[test]
fn any_encoding_and_length_is_accepted() {
    let certificates = "more of these: ".repeat(1000) + "certificates";
    assert_eq!(saying(&certificates).keys(), ONE);
    assert_eq!(saying(&(certificates + " and 1 access key")).keys(), TWO);
    let text = Table::usual().with_column(COLUMN, "#").text();
    let latin1: Vec<u8> = text
        .bytes()
        .map(|byte| if byte == b'#' { 0xe9 } else { byte })
        .collect();
    assert_eq!(read(latin1).unwrap().root.unwrap().keys(), TWO);
}
