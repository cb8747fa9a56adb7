//! One row of the report: its fields, by the kind of their columns.
//!
//! Whether a row that cannot be read costs the report (the root user's) or only itself is not
//! decided here.

use csv::ByteRecord;

use super::columns::{CertificateColumns, Column, Columns, KeyColumns};
use super::error::Flaw;
use super::{CertificateSlot, KeySlot, RootRow, UserRow};
use crate::Timestamp;
use crate::{AccountId, Partition};

const BOOLEAN: &str = "a boolean (true or false)";
const OPTIONAL_BOOLEAN: &str = "a boolean (true, false or not_supported)";
const TIME: &str = "a time (RFC 3339, or N/A)";
const NAME: &str = "the name of a user (UTF-8, not empty)";
const ROOT_ARN: &str = "the ARN of a root user (arn:<partition>:iam::<12 digits>:root)";
const USER_ARN: &str = "the ARN of an IAM user (arn:<partition>:iam::<12 digits>:user/<name>)";

/// Whose row it is, as its ARN says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub account: AccountId,
    /// `None` for a partition that is not known here: AWS may add one any day.
    pub partition: Option<Partition>,
}

/// Reads the owner of the root user's row.
pub(super) fn root_owner(record: &ByteRecord, columns: &Columns) -> Result<Owner, Flaw> {
    owner(record, columns.arn, ROOT_ARN, |resource| resource == "root")
}

/// Reads the rest of the root user's row.
pub(super) fn root_row(record: &ByteRecord, columns: &Columns) -> Result<RootRow, Flaw> {
    Ok(RootRow {
        created: time(record, columns.created)?,
        password_enabled: optional_boolean(record, columns.password_enabled)?,
        password_last_used: time(record, columns.password_last_used)?,
        password_last_changed: time(record, columns.password_last_changed)?,
        mfa_active: boolean(record, columns.mfa_active)?,
        access_keys: both(&columns.access_keys, |slot| key(record, slot))?,
        certificates: if columns
            .certificates
            .iter()
            .all(|slot| slot.active.is_some())
        {
            Some(both(&columns.certificates, |slot| {
                certificate(record, slot)
            })?)
        } else {
            None
        },
        additional_credentials: additional_credentials(record, columns.additional_credentials),
    })
}

/// What the column says, where it says anything, in any encoding. Cut to what fits a log line, but
/// not of the word that decides what it means.
fn additional_credentials(record: &ByteRecord, column: Option<Column>) -> Option<String> {
    const LONGEST: usize = 200;
    let bytes = field(record, column?).trim_ascii();
    if says_nothing(bytes) {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    let words = text.to_ascii_lowercase();
    let word = words.find("key").or_else(|| words.find("cert"));
    let start = match word {
        Some(word) if word > LONGEST / 2 && text.len() > LONGEST => word - LONGEST / 2,
        _ => 0,
    };
    let kept = &text[text.floor_char_boundary(start)..];
    Some(kept.chars().take(LONGEST).collect())
}

/// Reads the row of an IAM user, and whose user it is.
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
        access_keys: both(&columns.access_keys, |slot| key(record, slot))?,
        certificates: both(&columns.certificates, |slot| certificate(record, slot))?,
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

fn both<C, T>(columns: &[C; 2], read: impl Fn(&C) -> Result<T, Flaw>) -> Result<[T; 2], Flaw> {
    Ok([read(&columns[0])?, read(&columns[1])?])
}

fn key(record: &ByteRecord, columns: &KeyColumns) -> Result<KeySlot, Flaw> {
    Ok(KeySlot {
        active: boolean(record, columns.active)?,
        last_rotated: time(record, Some(columns.last_rotated))?,
        last_used: time(record, columns.last_used)?,
        last_used_region: text(record, columns.last_used_region),
        last_used_service: text(record, columns.last_used_service),
    })
}

fn certificate(record: &ByteRecord, columns: &CertificateColumns) -> Result<CertificateSlot, Flaw> {
    Ok(CertificateSlot {
        active: match columns.active {
            Some(column) => boolean(record, column)?,
            None => false,
        },
        last_rotated: time(record, columns.last_rotated)?,
    })
}

/// Whether the field says that there is nothing to say.
fn says_nothing(bytes: &[u8]) -> bool {
    matches!(bytes, b"" | b"N/A" | b"no_information" | b"not_supported")
}

fn as_boolean(bytes: &[u8]) -> Option<bool> {
    if bytes.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if bytes.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

fn boolean(record: &ByteRecord, column: Column) -> Result<bool, Flaw> {
    let bytes = field(record, column);
    as_boolean(bytes).ok_or_else(|| Flaw::value(column.name, bytes, BOOLEAN))
}

fn optional_boolean(record: &ByteRecord, column: Column) -> Result<Option<bool>, Flaw> {
    let bytes = field(record, column);
    if says_nothing(bytes) {
        return Ok(None);
    }
    as_boolean(bytes)
        .map(Some)
        .ok_or_else(|| Flaw::value(column.name, bytes, OPTIONAL_BOOLEAN))
}

fn time(record: &ByteRecord, column: Option<Column>) -> Result<Option<Timestamp>, Flaw> {
    let Some(column) = column else {
        return Ok(None);
    };
    let bytes = field(record, column);
    if says_nothing(bytes) {
        return Ok(None);
    }
    str::from_utf8(bytes)
        .ok()
        .and_then(Timestamp::parse)
        .map(Some)
        .ok_or_else(|| Flaw::value(column.name, bytes, TIME))
}

/// A text that only informs: what is not UTF-8 says nothing, and costs nothing.
fn text(record: &ByteRecord, column: Option<Column>) -> Option<String> {
    let bytes = field(record, column?);
    if says_nothing(bytes) {
        return None;
    }
    str::from_utf8(bytes).ok().map(str::to_owned)
}
