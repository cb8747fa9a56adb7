//! The one call of this program that changes anything: deleting an access key of a root user.
//!
//! Only the command `remediate` may use this room, which a test checks; the daemon never does, and
//! its role may not. The session is opened for the one deletion, with the task policy that allows
//! it, and is kept nowhere.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".

use aws_sdk_iam::operation::delete_access_key::DeleteAccessKeyError;
use aws_sdk_sts::types::PolicyDescriptorType;

use super::Aws;
use super::call::send;
use super::enter::{ROOT_SESSION_SECONDS, explain_root_refusal, opened, task_policy};
use super::session::Session;
use crate::account::Account;
use crate::failure::{Failure, Reason};

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
    let session = aws
        .with_caller(|caller| async move { open(aws, &caller, account).await })
        .await?;
    let request = aws
        .clients(&account.region)
        .iam
        .delete_access_key()
        .access_key_id(key);
    let (call, tap, result) = send!(aws, "iam", "DeleteAccessKey", session, request);
    let is_gone = result
        .as_ref()
        .err()
        .and_then(|error| error.as_service_error())
        .is_some_and(DeleteAccessKeyError::is_no_such_entity_exception);
    if is_gone {
        aws.observe(call, Ok(()));
        return Ok(Deleted::Before);
    }
    aws.book(call, &tap, result).map(|_| Deleted::Now)
}

async fn open(aws: &Aws, caller: &Session, account: &Account) -> Result<Session, Failure> {
    let policy = PolicyDescriptorType::builder()
        .arn(task_policy(account.partition(), TASK))
        .build();
    let request = aws
        .clients(&account.region)
        .sts
        .assume_root()
        .target_principal(account.id.to_string())
        .task_policy_arn(policy)
        .duration_seconds(ROOT_SESSION_SECONDS);
    let (call, tap, result) = send!(aws, "sts", "AssumeRoot", caller, request);
    let answer = aws
        .book(call, &tap, result)
        .map_err(|failure| explain_root_refusal(failure, account.id, TASK))?;
    let Some(given) = answer.value.credentials else {
        return Err(Failure::new(
            Reason::AssumeRole,
            format!(
                "sts:AssumeRoot {}: the answer holds no credentials",
                account.id
            ),
        ));
    };
    Ok(opened(given, answer.date, None, "AssumeRoot"))
}
