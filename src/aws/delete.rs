//! The only call of this program that changes anything: deleting an access key of a root user.
//!
//! Only the command `remediate` may use this module, which a test checks. The daemon never does, and
//! its role may not. The session is opened for one deletion, with the task policy that allows it. Its
//! account is verified as that of any other session, and no slot holds it.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".

use aws_sdk_iam::operation::delete_access_key::DeleteAccessKeyError;
use root_posture::AccessKeyId;

use super::client::Aws;
use super::operation::Operation;
use crate::account::Account;
use crate::failure::{Failure, Reason};

/// The task policy that lets a root session delete the root user's credentials.
const TASK: &str = "IAMDeleteRootUserCredentials";

const DELETE_KEY: Operation = Operation::iam("DeleteAccessKey");

/// The result of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is deleted now.
    Now,
    /// It was gone before.
    Before,
}

/// Why a deletion may not have worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteError {
    /// It was not sent, or AWS refused it: the key is as it was.
    Refused(Failure),
    /// It was sent, and it is unknown whether AWS did it.
    Unanswered(Failure),
}

/// sts:AssumeRoot with the deleting task policy, then iam:DeleteAccessKey of that one key.
///
/// # Errors
///
/// A [`DeleteError`]: the key may still be there.
pub async fn root_key(
    aws: &Aws,
    account: &Account,
    key: &AccessKeyId,
) -> Result<Deleted, DeleteError> {
    let session = aws.open_root(account, TASK).await;
    let session = session.map_err(DeleteError::Refused)?;
    let clients = aws.clients(&account.region);
    let sent = aws.send(DELETE_KEY, &account.region, &session, || {
        let request = clients.iam.delete_access_key();
        request.access_key_id(key.as_str()).send()
    });
    let sent = sent.await;
    let error = sent.service_error();
    if error.is_some_and(DeleteAccessKeyError::is_no_such_entity_exception) {
        return Ok(sent.finish_as(Deleted::Before).value);
    }
    match sent.finish() {
        Ok(_) => Ok(Deleted::Now),
        Err(failure) => Err(match failure.reason {
            Reason::Timeout | Reason::Network | Reason::Service | Reason::Other => {
                DeleteError::Unanswered(failure)
            }
            _ => DeleteError::Refused(failure),
        }),
    }
}
