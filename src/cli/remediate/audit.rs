//! The audit trail of `remediate`: a line for each step on standard error, whatever the log level,
//! and the same as JSON in a file. It never holds a secret: the id of a key is none.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use root_posture::{AccessKeyId, Timestamp};
use serde::Serialize;
use tracing::info;

use crate::account::AccountId;
use crate::cli::log;

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// The command itself refuses to delete the key.
    Refused,
    /// The deletion is about to be sent.
    Deleting,
    /// AWS says that it is done.
    Deleted,
    /// AWS says that there was no such key any more.
    GoneBefore,
    /// It was not sent, or AWS refused it.
    NotDeleted,
    /// It was sent, and AWS did not say whether it is done.
    Unanswered,
    /// A later list is without the key.
    Verified,
    /// No later list is known to be without the key.
    NotVerified,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "root access key not deleted: refused",
            Self::Deleting => "deleting a root access key",
            Self::Deleted => "root access key deleted",
            Self::GoneBefore => "root access key was gone already",
            Self::NotDeleted => "root access key not deleted",
            Self::Unanswered => "root access key may be deleted",
            Self::Verified => "root access key is no longer listed",
            Self::NotVerified => "deletion of a root access key not verified",
        })
    }
}

/// The audit file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("--audit-file {}: {error}; name a file that can be written", .path.display())]
pub(super) struct AuditError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

/// Where the audit lines go.
pub(super) struct Audit(Option<(PathBuf, File)>);

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    event: Event,
    account: AccountId,
    key: &'a str,
    caller: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Audit {
    /// Opens the file, if there is to be one; lines are added at its end.
    pub fn open(path: Option<&Path>) -> Result<Self, AuditError> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => Ok(Self(Some((path.to_owned(), file)))),
            Err(error) => Err(AuditError {
                path: path.to_owned(),
                error,
            }),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    ///
    /// The file did not take it; standard error has it all the same.
    pub fn write(
        &self,
        event: Event,
        account: AccountId,
        key: &AccessKeyId,
        caller: &str,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<(), AuditError> {
        let key = key.as_str();
        info!(target: log::AUDIT, audit = true, %account, key, caller, error, "{event}");
        let Some((path, file)) = &self.0 else {
            return Ok(());
        };
        let line = Line {
            time: now.to_string(),
            event,
            account,
            key,
            caller,
            error,
        };
        let line = serde_json::to_string(&line).map_err(io::Error::from);
        let written = line.and_then(|line| (&*file).write_all(format!("{line}\n").as_bytes()));
        written.map_err(|error| AuditError {
            path: path.clone(),
            error,
        })
    }
}
