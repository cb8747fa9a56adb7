//! The one call of this program that changes anything: deleting an access key of a root user.
//!
//! Only the command `remediate` may use this module, which a test checks; the daemon never does,
//! and its role may not. The session is opened for the one deletion, with the task policy that
//! allows it, and has no slot.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".

use aws_sdk_iam::operation::delete_access_key::DeleteAccessKeyError;

use super::Aws;
use super::operation::Operation;
use super::session::Denial;
use crate::account::Account;
use crate::failure::Failure;

/// The task policy that lets a root session delete the root user's credentials.
const TASK: &str = "IAMDeleteRootUserCredentials";

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is deleted now.
    Now,
    /// There was no such key any more.
    Before,
}

/// sts:AssumeRoot with the deleting task policy, then iam:DeleteAccessKey of that one key.
///
/// # Errors
///
/// A [`Failure`]; then the key may still be there.
pub async fn root_key(aws: &Aws, account: &Account, key: &str) -> Result<Deleted, Failure> {
    let session = aws.assume_root(account, TASK, Denial::OfTarget).await?;
    let clients = aws.clients(&account.region);
    let operation = Operation::iam("DeleteAccessKey");
    let sent = aws.send(operation, &account.region, &session, || {
        clients.iam.delete_access_key().access_key_id(key).send()
    });
    let sent = sent.await;
    let error = sent.service_error();
    if error.is_some_and(DeleteAccessKeyError::is_no_such_entity_exception) {
        return Ok(sent.book_as(Deleted::Before).value);
    }
    sent.book().map(|_| Deleted::Now)
}
