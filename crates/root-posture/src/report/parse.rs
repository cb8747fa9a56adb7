//! Parses a whole report: which rows it must have, and what follows from a row that cannot be parsed.
//!
//! The root user's row is accepted as a whole or not at all. The row of an IAM user is accepted or
//! skipped, and never affects the root user's row, wherever the two stand.

use super::columns::Columns;
use super::content::{CredentialReport, RootRow, UserRow};
use super::error::{Flaw, ReportError};
use super::fields::{self, Owner};
use super::rows::{ROOT, Row, Rows, line_at};
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
    let mut rows = Rows::new(content);
    let columns = {
        let header = rows.next().ok_or_else(|| Flaw::Empty.on(1))?;
        header_columns(&header).map_err(|flaw| flaw.on(line_at(content, header.span.start)))?
    };
    let mut root: Option<Root> = None;
    let mut users = Users::default();
    while let Some(row) = rows.next() {
        if fields::field(row.fields, columns.user) != ROOT {
            users.add(user_of(&row, content, &columns));
            continue;
        }
        let line = line_at(content, row.span.start);
        if let Some(Root { line: first, .. }) = root {
            return Err(Flaw::SecondRootRow { first }.on(line));
        }
        root = Some(root_of(&row, content, &columns, expected, line)?);
    }
    let last_line = line_at(content, content.len());
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
    /// In the order of `rows`. The account of the report may be known only at its end.
    owners: Vec<Owner>,
    rows: Vec<UserRow>,
    skipped: usize,
}

impl Users {
    fn add(&mut self, user: Result<(Owner, UserRow), Flaw>) {
        if let Ok((owner, row)) = user {
            self.owners.push(owner);
            self.rows.push(row);
        } else {
            self.skipped += 1;
        }
    }

    /// The account of a report without a root row: the expected one if any user belongs to it.
    fn owner(&self, expected: Option<AccountId>) -> Option<Owner> {
        let mut owners = self.owners.iter();
        let found = owners.find(|owner| Some(owner.account) == expected);
        found.or(self.owners.first()).copied()
    }

    fn into_report(
        mut self,
        account: AccountId,
        partition: Partition,
        root: Option<RootRow>,
    ) -> CredentialReport {
        let all = self.rows.len();
        let mut owners = self.owners.iter();
        self.rows
            .retain(|_| owners.next().is_some_and(|owner| owner.account == account));
        CredentialReport {
            account,
            partition,
            root,
            rows_skipped: self.skipped + (all - self.rows.len()),
            users: self.rows,
        }
    }
}

fn header_columns(header: &Row<'_>) -> Result<Columns, Flaw> {
    let columns = Columns::find(header.fields)?;
    if header.quotes_in_order {
        Ok(columns)
    } else {
        Err(Flaw::Quotes)
    }
}

fn root_of(
    row: &Row<'_>,
    content: &[u8],
    columns: &Columns,
    expected: Option<AccountId>,
    line: u64,
) -> Result<Root, ReportError> {
    check_shape(row, content, columns).map_err(|flaw| flaw.on(line))?;
    let owner = fields::root_owner(row.fields, columns).map_err(|flaw| flaw.on(line))?;
    check_account(owner, expected)?;
    let row = fields::root_row(row.fields, columns).map_err(|flaw| flaw.on(line))?;
    Ok(Root { line, owner, row })
}

fn user_of(row: &Row<'_>, content: &[u8], columns: &Columns) -> Result<(Owner, UserRow), Flaw> {
    check_shape(row, content, columns)?;
    fields::user_row(row.fields, columns)
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
fn check_shape(row: &Row<'_>, content: &[u8], columns: &Columns) -> Result<(), Flaw> {
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
    let at_end = row.span.end == content.len() && content.ends_with(b",");
    if at_end && found == columns.count && columns.last_is_read {
        return Err(Flaw::Torn);
    }
    Ok(())
}
