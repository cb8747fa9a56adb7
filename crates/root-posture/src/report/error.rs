//! Why a credential report cannot be used: where, and what was expected.
//!
//! An error never quotes a value in full: a report holds no secret, but other content might.

use std::borrow::Cow;

use crate::ids::AccountId;

/// Why a report cannot be used. Earlier evidence stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It cannot be parsed, or its row of the root user cannot.
    #[error("line {line}: {flaw}")]
    Malformed {
        /// The line in the CSV text, counted from 1.
        line: u64,
        /// What is wrong there.
        flaw: Flaw,
    },
    /// It belongs to another account.
    #[error("the report is of account {found}, not of {expected}")]
    AccountMismatch {
        /// The account that was polled.
        expected: AccountId,
        /// The account that the report's ARNs name.
        found: AccountId,
    },
}

/// What is wrong with a report or with a row of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It has no bytes, or only line ends.
    #[error("the report is empty, expected a header and a row `<root_account>`")]
    Empty,
    /// The first line is not UTF-8, or holds a NUL.
    #[error("this is not text, expected CSV in UTF-8 that starts with a header")]
    NotText,
    /// The header is missing, or lacks a required column.
    #[error("column {0}: it is missing from the header")]
    MissingColumn(&'static str),
    /// Two columns have the same name, so neither can be trusted.
    #[error("column {0}: it is in the header twice")]
    DuplicateColumn(&'static str),
    /// The row of the root user is missing.
    #[error("column user: there is no row `<root_account>`")]
    NoRootRow,
    /// Two rows are of the root user.
    #[error("column user: this is a second row `<root_account>`, the first is on line {first}")]
    SecondRootRow {
        /// The line of the first one.
        first: u64,
    },
    /// No row names the account of the report.
    #[error("column arn: no row names the account, and none was expected")]
    NoAccount,
    /// The row has fewer or more fields than the header.
    #[error("the row has {found} fields, expected {expected} as in the header")]
    FieldCount {
        /// The fields of the row.
        found: usize,
        /// The fields of the header.
        expected: usize,
    },
    /// A quote is never closed, or text follows the closing one.
    #[error("a quoted field is not closed, expected `\"` and then a comma or the end of the line")]
    Quotes,
    /// The report was cut off within the row.
    #[error("the report ends in the middle of the row")]
    Torn,
    /// The value does not have the type of its column.
    #[error("column {column}: {found} is not {expected}")]
    Value {
        /// The name of the column.
        column: &'static str,
        /// The value, in quotes, escaped and cut to 40 characters.
        found: String,
        /// What was expected instead.
        expected: &'static str,
    },
}

impl Flaw {
    /// A value that does not have the type of its column.
    pub(super) fn value(column: &'static str, found: &[u8], expected: &'static str) -> Self {
        const SHOWN: usize = 40;
        let text = String::from_utf8_lossy(found);
        let shown = match text.char_indices().nth(SHOWN) {
            Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
            None => text,
        };
        Self::Value {
            column,
            found: format!("{shown:?}"),
            expected,
        }
    }

    /// The flaw on that line.
    pub(super) fn on(self, line: u64) -> ReportError {
        ReportError::Malformed { line, flaw: self }
    }
}
