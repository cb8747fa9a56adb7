//! The audit trail of `remediate`: a line for each step on standard error, at any log level, and the
//! same as JSON in a file. It never contains a secret; the id of a key is none.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use root_posture::AccessKeyId;
use serde::Serialize;
use serde_json::json;
use tracing::info;

use crate::account::AccountId;
use crate::cli::log;
use crate::clock::Clock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// The command refuses to delete the key.
    #[strum(to_string = "root access key not deleted: refused")]
    Refused,
    /// The deletion is about to be sent.
    #[strum(to_string = "deleting a root access key")]
    Deleting,
    /// AWS confirmed the deletion.
    #[strum(to_string = "root access key deleted")]
    Deleted,
    /// AWS reported that the key did not exist any more.
    #[strum(to_string = "root access key was gone already")]
    GoneBefore,
    /// The deletion was not sent, or AWS refused it.
    #[strum(to_string = "root access key not deleted")]
    NotDeleted,
    /// The deletion was sent, and AWS did not answer.
    #[strum(to_string = "root access key may be deleted")]
    Unanswered,
    /// A later list does not contain the key.
    #[strum(to_string = "root access key is no longer listed")]
    Verified,
    /// No later list without the key is known.
    #[strum(to_string = "deletion of a root access key not verified")]
    NotVerified,
}

/// The audit file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("--audit-file {}: {error}; name a file that can be written", .path.display())]
pub(super) struct AuditError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

/// Writes the audit lines about one account.
pub(super) struct Audit {
    account: AccountId,
    /// The ARN of the caller, once it is known.
    pub caller: String,
    clock: Clock,
    file: Option<(PathBuf, File)>,
}

impl Audit {
    /// Opens the file, if there is to be one; lines are added at its end.
    pub fn open(path: Option<&Path>, account: AccountId, clock: Clock) -> Result<Self, AuditError> {
        let open = |path: &Path| {
            let path = path.to_owned();
            match OpenOptions::new().create(true).append(true).open(&path) {
                Ok(file) => Ok((path, file)),
                Err(error) => Err(AuditError { path, error }),
            }
        };
        Ok(Self {
            account,
            caller: "unknown".to_owned(),
            clock,
            file: path.map(open).transpose()?,
        })
    }

    /// Writes a line.
    ///
    /// # Errors
    ///
    /// The line is not in the file; it is on standard error nevertheless.
    pub fn write(
        &self,
        event: Event,
        key: &AccessKeyId,
        error: Option<&str>,
    ) -> Result<(), AuditError> {
        let (account, key, caller) = (self.account, key.as_str(), self.caller.as_str());
        info!(target: log::AUDIT, audit = true, %account, key, caller, error, "{event}");
        let Some((path, file)) = &self.file else {
            return Ok(());
        };
        let mut line = json!({
            "time": self.clock.now().to_string(),
            "event": event,
            "account": account,
            "key": key,
            "caller": caller,
        });
        if let Some(error) = error {
            line["error"] = json!(error);
        }
        let written = (&*file).write_all(format!("{line}\n").as_bytes());
        written.map_err(|error| AuditError {
            path: path.clone(),
            error,
        })
    }
}
