//! Builds the reports of these tests, from a table that is changed cell by cell and
//! then written down. It shares no code with what it tests.

mod additional;
mod corpus;
mod properties;
mod refusals;
mod tolerances;
mod users;

use super::{CredentialReport, ReportError, parse};
use crate::{AccountId, Partition};

const ACCOUNT: &str = "012345678901";

/// The columns in AWS's order.
const COLUMNS: [&str; 22] = [
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

const ROOT: usize = 1;
const ALICE: usize = 2;
const BOB: usize = 3;

/// Rows of cells, the header first, as they will stand in the text.
#[derive(Clone, Debug)]
struct Table(Vec<Vec<String>>);

impl Table {
    fn header() -> Self {
        Self(vec![COLUMNS.map(str::to_owned).to_vec()])
    }

    /// The root user with an active key, and the IAM users alice and bob.
    fn usual() -> Self {
        let mut table = Self::header();
        table.0.push(cells(
            "<root_account>,arn:aws:iam::012345678901:root,2018-01-01T00:00:00Z,true,\
             2026-08-01T09:30:00Z,2020-02-02T00:00:00Z,not_supported,true,\
             true,2026-09-11T13:14:52Z,2026-09-11T14:00:00Z,us-east-1,iam,\
             false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
        ));
        table.add_user("alice");
        table.add_user("bob");
        table
    }

    fn add_user(&mut self, name: &str) {
        self.0.push(cells(&format!(
            "{name},arn:aws:iam::012345678901:user/team/{name},2021-04-16T15:00:00Z,true,\
             no_information,2021-04-16T15:00:00Z,N/A,false,\
             true,2022-01-01T00:00:00Z,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
        )));
    }

    fn cell(&mut self, row: usize, column: &str) -> &mut String {
        let index = self.0[0].iter().position(|name| name == column).unwrap();
        &mut self.0[row][index]
    }

    /// With another column after the last, that says so in each row.
    fn with_column(mut self, name: &str, text: &str) -> Self {
        for (at, row) in self.0.iter_mut().enumerate() {
            row.push(if at == 0 { name } else { text }.to_owned());
        }
        self
    }

    fn with(mut self, row: usize, column: &str, text: &str) -> Self {
        text.clone_into(self.cell(row, column));
        self
    }

    fn without_row(mut self, row: usize) -> Self {
        self.0.remove(row);
        self
    }

    fn without_column(mut self, column: &str) -> Self {
        let index = self.0[0].iter().position(|name| name == column).unwrap();
        for row in &mut self.0 {
            row.remove(index);
        }
        self
    }

    /// The rows from top to bottom in that order (the header is row 0).
    fn in_order(self, order: &[usize]) -> Self {
        Self(order.iter().map(|row| self.0[*row].clone()).collect())
    }

    fn lines(&self) -> Vec<String> {
        self.0.iter().map(|row| row.join(",")).collect()
    }

    /// As AWS writes it: LF, and none after the last row.
    fn text(&self) -> String {
        self.lines().join("\n")
    }

    fn parse(&self) -> Result<CredentialReport, ReportError> {
        read(self.text())
    }
}

fn cells(row: &str) -> Vec<String> {
    row.split(',').map(str::to_owned).collect()
}

fn account() -> AccountId {
    ACCOUNT.parse().unwrap()
}

fn read(content: impl AsRef<[u8]>) -> Result<CredentialReport, ReportError> {
    parse(content.as_ref(), Some(account()), Partition::Aws)
}

fn names(report: &CredentialReport) -> Vec<&str> {
    report.users.iter().map(|user| user.name.as_str()).collect()
}
