//! Parses a whole report: which rows it must have, and what follows from a row that cannot be parsed.
//!
//! The root user's row is accepted as a whole or not at all. The row of an IAM user is accepted or
//! skipped, and never affects the root user's row, wherever the two stand.

use super::columns::Columns;
use super::content::{CredentialReport, RootRow, UserRow};
use super::error::{Flaw, ReportError};
use super::fields::{self, Owner};
use super::rows::{ROOT, Row, rows};
use crate::ids::{AccountId, Partition};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Parses a credential report, given as the CSV inside AWS's base64.
///
/// `expected` is the account that was polled, where it is known, and `partition` its partition, which
/// the one in the ARNs overrides. In aws-cn there are no root credentials, so a report without a root
/// row is whole there.
///
/// # Errors
///
/// [`ReportError::Malformed`] when there is no header, a required column is missing or there twice,
/// there is not exactly one root row, or the root row cannot be parsed. [`ReportError::AccountMismatch`]
/// when the root user's ARN names another account than `expected`; where there is no root row,
/// when the users' ARNs name only others.
pub fn parse(
    content: &[u8],
    expected: Option<AccountId>,
    partition: Partition,
) -> Result<CredentialReport, ReportError> {
    let content = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
    let mut rows = rows(content);
    let header = rows.next().ok_or_else(|| Flaw::Empty.on(1))?;
    let columns = Columns::find(&header.fields).map_err(|flaw| flaw.on(header.line))?;
    if !header.quotes_in_order {
        return Err(Flaw::Quotes.on(header.line));
    }
    let mut last_line = header.line;
    let mut root: Option<Root> = None;
    let mut users = Users::default();
    for row in rows {
        last_line = row.line;
        if fields::field(&row.fields, columns.user) != ROOT {
            match user_of(&row, &columns) {
                Ok(user) => users.rows.push(user),
                Err(_) => users.skipped += 1,
            }
            continue;
        }
        if let Some(Root { line: first, .. }) = root {
            return Err(Flaw::SecondRootRow { first }.on(row.line));
        }
        root = Some(root_of(&row, &columns, expected)?);
    }
    let root_owner = root.as_ref().map(|root| root.owner);
    let Some(owner) = root_owner.or_else(|| users.owner(expected)) else {
        // Not one row could be parsed: in aws-cn an account need not have an IAM user either.
        return match expected {
            _ if partition.has_root_credentials() => Err(Flaw::NoRootRow.on(last_line)),
            None => Err(Flaw::NoAccount.on(last_line)),
            Some(account) => Ok(users.into_report(account, partition, None)),
        };
    };
    let named = owner.partition.unwrap_or(partition);
    if root.is_none() && partition.has_root_credentials() && named.has_root_credentials() {
        return Err(Flaw::NoRootRow.on(last_line));
    }
    check_account(owner, expected)?;
    Ok(users.into_report(owner.account, named, root.map(|root| root.row)))
}

/// The root user's row, and where it was found.
struct Root {
    line: u64,
    owner: Owner,
    row: RootRow,
}

/// The IAM users whose rows could be parsed, and how many could not.
#[derive(Default)]
struct Users {
    /// With their owners: the account of the report may be known only at its end.
    rows: Vec<(Owner, UserRow)>,
    skipped: usize,
}

impl Users {
    /// The account of a report without a root row: the expected one if any user belongs to it.
    fn owner(&self, expected: Option<AccountId>) -> Option<Owner> {
        let mut owners = self.rows.iter().map(|(owner, _)| *owner);
        let first = owners.clone().next();
        owners
            .find(|owner| Some(owner.account) == expected)
            .or(first)
    }

    fn into_report(
        self,
        account: AccountId,
        partition: Partition,
        root: Option<RootRow>,
    ) -> CredentialReport {
        let all = self.rows.len();
        let own = self.rows.into_iter();
        let own = own.filter(|(owner, _)| owner.account == account);
        let users: Vec<UserRow> = own.map(|(_, row)| row).collect();
        CredentialReport {
            account,
            partition,
            root,
            rows_skipped: self.skipped + (all - users.len()),
            users,
        }
    }
}

fn root_of(row: &Row, columns: &Columns, expected: Option<AccountId>) -> Result<Root, ReportError> {
    let line = row.line;
    check_shape(row, columns).map_err(|flaw| flaw.on(line))?;
    let owner = fields::root_owner(&row.fields, columns).map_err(|flaw| flaw.on(line))?;
    check_account(owner, expected)?;
    let row = fields::root_row(&row.fields, columns).map_err(|flaw| flaw.on(line))?;
    Ok(Root { line, owner, row })
}

fn user_of(row: &Row, columns: &Columns) -> Result<(Owner, UserRow), Flaw> {
    check_shape(row, columns)?;
    fields::user_row(&row.fields, columns)
}

fn check_account(owner: Owner, expected: Option<AccountId>) -> Result<(), ReportError> {
    match expected {
        Some(expected) if expected != owner.account => Err(ReportError::AccountMismatch {
            expected,
            found: owner.account,
        }),
        _ => Ok(()),
    }
}

/// Whether the row is whole: it has the fields of the header, none is cut off, and any beyond them are
/// empty.
fn check_shape(row: &Row, columns: &Columns) -> Result<(), Flaw> {
    if !row.quotes_in_order {
        return Err(Flaw::Quotes);
    }
    let found = row.fields.len();
    if found < columns.count || row.fields.iter().skip(columns.count).any(|f| !f.is_empty()) {
        return Err(Flaw::FieldCount {
            found,
            expected: columns.count,
        });
    }
    // AWS writes N/A where there is nothing, and no line end after the last row: a last row that
    // ends with a comma has lost its last field, which may be the time that shows an inactive key.
    if row.ends_with_comma && found == columns.count && columns.last_is_read {
        return Err(Flaw::Torn);
    }
    Ok(())
}
