//! Parses one row of a report, each field by the type of its column.
//!
//! It never decides whether a row that cannot be parsed makes the report unusable.

use csv::ByteRecord;

use super::columns::{CertificateColumns, Column, Columns, KeyColumns};
use super::content::{CertificateSlot, KeySlot, RootRow, UserRow};
use super::error::Flaw;
use crate::ids::{AccountId, Partition};
use crate::time::Timestamp;

const BOOLEAN: &str = "a boolean (true or false)";
const OPTIONAL_BOOLEAN: &str = "a boolean (true, false or not_supported)";
const TIME: &str = "a time (RFC 3339, or N/A)";
const NAME: &str = "the name of a user (UTF-8, not empty)";
const ROOT_ARN: &str = "the ARN of a root user (arn:<partition>:iam::<12 digits>:root)";
const USER_ARN: &str = "the ARN of an IAM user (arn:<partition>:iam::<12 digits>:user/<name>)";

/// The account of a row, by its ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub account: AccountId,
    /// `None` for an unknown partition: AWS may add one at any time.
    pub partition: Option<Partition>,
}

pub(super) fn root_owner(record: &ByteRecord, columns: &Columns) -> Result<Owner, Flaw> {
    owner(record, columns.arn, ROOT_ARN, |resource| resource == "root")
}

pub(super) fn root_row(record: &ByteRecord, columns: &Columns) -> Result<RootRow, Flaw> {
    Ok(RootRow {
        created: time(record, columns.created)?,
        password_enabled: optional(
            record,
            columns.password_enabled,
            OPTIONAL_BOOLEAN,
            as_boolean,
        )?,
        password_last_used: time(record, columns.password_last_used)?,
        password_last_changed: time(record, columns.password_last_changed)?,
        mfa_active: boolean(record, columns.mfa_active)?,
        access_keys: keys(record, columns)?,
        certificates: match columns.certificates.map(|slot| slot.active) {
            [Some(_), Some(_)] => Some(certificates(record, columns)?),
            _ => None,
        },
        has_more_keys: mentions_keys(record, columns.additional_credentials),
    })
}

/// Whether a text in any encoding mentions access keys. Words about certificates alone do not count.
fn mentions_keys(record: &ByteRecord, column: Option<Column>) -> bool {
    let Some(column) = column else {
        return false;
    };
    let bytes = field(record, column).trim_ascii();
    let words = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    !is_empty(bytes) && (words.contains("key") || !words.contains("cert"))
}

pub(super) fn user_row(record: &ByteRecord, columns: &Columns) -> Result<(Owner, UserRow), Flaw> {
    let owner = owner(record, columns.arn, USER_ARN, |resource| {
        resource
            .strip_prefix("user/")
            .is_some_and(|name| !name.is_empty())
    })?;
    let name = field(record, columns.user);
    let row = UserRow {
        name: str::from_utf8(name)
            .ok()
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Flaw::value(columns.user.name, name, NAME))?
            .to_owned(),
        created: time(record, columns.created)?,
        password_enabled: boolean(record, columns.password_enabled)?,
        password_last_used: time(record, columns.password_last_used)?,
        password_last_changed: time(record, columns.password_last_changed)?,
        mfa_active: boolean(record, columns.mfa_active)?,
        access_keys: keys(record, columns)?,
        certificates: certificates(record, columns)?,
    };
    Ok((owner, row))
}

/// The bytes of a field. A row shorter than the header is refused before its fields are read.
pub(super) fn field(record: &ByteRecord, column: Column) -> &[u8] {
    record.get(column.index).unwrap_or_default()
}

fn owner(
    record: &ByteRecord,
    column: Column,
    expected: &'static str,
    is_resource: impl Fn(&str) -> bool,
) -> Result<Owner, Flaw> {
    let bytes = field(record, column);
    let parse = || {
        let mut parts = str::from_utf8(bytes).ok()?.splitn(6, ':');
        let (arn, partition) = (parts.next()?, parts.next()?);
        let (service, region) = (parts.next()?, parts.next()?);
        let account = parts.next()?.parse().ok()?;
        let known = arn == "arn" && service == "iam" && region.is_empty();
        let partition_named = partition == "aws" || partition.starts_with("aws-");
        (known && partition_named && is_resource(parts.next()?)).then(|| Owner {
            account,
            partition: Partition::from_name(partition),
        })
    };
    parse().ok_or_else(|| Flaw::value(column.name, bytes, expected))
}

fn keys(record: &ByteRecord, columns: &Columns) -> Result<[KeySlot; 2], Flaw> {
    let key = |slot: KeyColumns| {
        Ok(KeySlot {
            active: boolean(record, slot.active)?,
            last_rotated: time(record, Some(slot.last_rotated))?,
            last_used: time(record, slot.last_used)?,
            last_used_region: text(record, slot.last_used_region),
            last_used_service: text(record, slot.last_used_service),
        })
    };
    let [one, two] = columns.access_keys;
    Ok([key(one)?, key(two)?])
}

fn certificates(record: &ByteRecord, columns: &Columns) -> Result<[CertificateSlot; 2], Flaw> {
    let certificate = |slot: CertificateColumns| {
        let active = slot.active.map(|column| boolean(record, column));
        Ok(CertificateSlot {
            active: active.transpose()?.unwrap_or(false),
            last_rotated: time(record, slot.last_rotated)?,
        })
    };
    let [one, two] = columns.certificates;
    Ok([certificate(one)?, certificate(two)?])
}

/// Whether AWS writes this for "nothing".
fn is_empty(bytes: &[u8]) -> bool {
    matches!(bytes, b"" | b"N/A" | b"no_information" | b"not_supported")
}

fn as_boolean(bytes: &[u8]) -> Option<bool> {
    let is = |word: &[u8]| bytes.eq_ignore_ascii_case(word);
    (is(b"true") || is(b"false")).then(|| is(b"true"))
}

fn boolean(record: &ByteRecord, column: Column) -> Result<bool, Flaw> {
    let bytes = field(record, column);
    as_boolean(bytes).ok_or_else(|| Flaw::value(column.name, bytes, BOOLEAN))
}

/// The value of a field that may be empty.
fn optional<T>(
    record: &ByteRecord,
    column: Column,
    expected: &'static str,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, Flaw> {
    let bytes = field(record, column);
    if is_empty(bytes) {
        return Ok(None);
    }
    let value = parse(bytes).ok_or_else(|| Flaw::value(column.name, bytes, expected))?;
    Ok(Some(value))
}

fn time(record: &ByteRecord, column: Option<Column>) -> Result<Option<Timestamp>, Flaw> {
    let Some(column) = column else {
        return Ok(None);
    };
    optional(record, column, TIME, |bytes| {
        Timestamp::parse(str::from_utf8(bytes).ok()?)
    })
}

/// A text for display; one that is not UTF-8 is left out.
fn text(record: &ByteRecord, column: Option<Column>) -> Option<String> {
    let bytes = field(record, column?);
    let text = str::from_utf8(bytes).ok()?;
    (!is_empty(bytes)).then(|| text.to_owned())
}
