//! The positions of the columns, found by name: AWS adds columns, and any order is allowed.
//!
//! Source: IAM User Guide, "Generate credential reports for your AWS account", report format.

use csv::ByteRecord;

use super::error::Flaw;

/// A column that is in the report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub name: &'static str,
    /// Its place, counted from 0.
    pub index: usize,
}

/// The columns that are read.
///
/// Required are those without which a value would be a guess: the user, MFA, the password, and of
/// both access keys the status and the rotation, which shows that an inactive key exists. Columns
/// that only add a time or a place are optional, and so are those of certificates, which newer tools
/// leave out.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub user: Column,
    pub arn: Column,
    pub created: Option<Column>,
    pub password_enabled: Column,
    pub password_last_used: Option<Column>,
    pub password_last_changed: Option<Column>,
    pub mfa_active: Column,
    pub access_keys: [KeyColumns; 2],
    pub certificates: [CertificateColumns; 2],
    pub additional_credentials: Option<Column>,
    /// How many columns there are in all.
    pub count: usize,
    /// Whether the last column is one of those that are read.
    pub last_is_read: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct KeyColumns {
    pub active: Column,
    pub last_rotated: Column,
    pub last_used: Option<Column>,
    pub last_used_region: Option<Column>,
    pub last_used_service: Option<Column>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct CertificateColumns {
    pub active: Option<Column>,
    pub last_rotated: Option<Column>,
}

impl Columns {
    /// Finds the columns in a header. Unknown ones are ignored.
    pub fn find(header: &ByteRecord) -> Result<Self, Flaw> {
        if header
            .iter()
            .any(|name| name.contains(&0) || str::from_utf8(name).is_err())
        {
            return Err(Flaw::NotText);
        }
        let mut finder = Finder {
            header,
            last_is_read: false,
        };
        Ok(Self {
            user: finder.needed("user")?,
            arn: finder.needed("arn")?,
            created: finder.optional("user_creation_time")?,
            password_enabled: finder.needed("password_enabled")?,
            password_last_used: finder.optional("password_last_used")?,
            password_last_changed: finder.optional("password_last_changed")?,
            mfa_active: finder.needed("mfa_active")?,
            access_keys: [
                KeyColumns {
                    active: finder.needed("access_key_1_active")?,
                    last_rotated: finder.needed("access_key_1_last_rotated")?,
                    last_used: finder.optional("access_key_1_last_used_date")?,
                    last_used_region: finder.optional("access_key_1_last_used_region")?,
                    last_used_service: finder.optional("access_key_1_last_used_service")?,
                },
                KeyColumns {
                    active: finder.needed("access_key_2_active")?,
                    last_rotated: finder.needed("access_key_2_last_rotated")?,
                    last_used: finder.optional("access_key_2_last_used_date")?,
                    last_used_region: finder.optional("access_key_2_last_used_region")?,
                    last_used_service: finder.optional("access_key_2_last_used_service")?,
                },
            ],
            certificates: [
                CertificateColumns {
                    active: finder.optional("cert_1_active")?,
                    last_rotated: finder.optional("cert_1_last_rotated")?,
                },
                CertificateColumns {
                    active: finder.optional("cert_2_active")?,
                    last_rotated: finder.optional("cert_2_last_rotated")?,
                },
            ],
            count: header.len(),
            last_is_read: finder.last_is_read,
            // After `last_is_read`: it may be empty, and so the end of a whole row.
            additional_credentials: finder.optional("additional_credentials_info")?,
        })
    }
}

struct Finder<'h> {
    header: &'h ByteRecord,
    last_is_read: bool,
}

impl Finder<'_> {
    fn needed(&mut self, name: &'static str) -> Result<Column, Flaw> {
        self.optional(name)?.ok_or(Flaw::MissingColumn(name))
    }

    fn optional(&mut self, name: &'static str) -> Result<Option<Column>, Flaw> {
        let is_named = |field: &[u8]| field == name.as_bytes();
        let Some(index) = self.header.iter().position(is_named) else {
            return Ok(None);
        };
        if self.header.iter().skip(index + 1).any(is_named) {
            return Err(Flaw::DuplicateColumn(name));
        }
        self.last_is_read |= index + 1 == self.header.len();
        Ok(Some(Column { name, index }))
    }
}
