//! What to do about an account's findings: steps to follow and commands to paste, for this account.
//! The runbooks contain the same steps and commands.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account" and
//! "Delete access keys for the root user"; STS API Reference, `AssumeRoot` (Regional endpoints
//! only, 900 seconds at most); AWS GovCloud (US) User Guide, "Account root user".

use std::time::Duration;

use super::finding::{Finding, Findings};
use super::words;
use crate::account::{Access, Account, AccountId, Partition};
use crate::views::{AccountView, SourceView};
use root_posture::Source;

/// One way to fix what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Procedure {
    pub title: &'static str,
    /// In which cases it applies.
    pub when: &'static str,
    pub steps: Vec<Step>,
}

/// One step of a procedure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub text: String,
    /// What to paste into a shell; empty for nothing.
    pub command: String,
}

impl Step {
    fn new(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            command: command.into(),
        }
    }

    fn by_hand(text: impl Into<String>) -> Self {
        Self::new(text, "")
    }
}

/// The procedures that fix what is wrong with an account, the most likely one first.
pub(crate) fn procedures(
    view: &AccountView,
    findings: Findings,
    interval: Duration,
) -> Vec<Procedure> {
    let account = &*view.account;
    let task = Task {
        account,
        keys: view.root_keys().filter_map(|key| key.id).collect(),
        has_key: findings.has(Finding::KeyActive) || findings.has(Finding::KeyInactive),
        has_certificate: findings.has(Finding::Certificate),
        lacks_mfa: findings.has(Finding::NoMfa),
        interval,
    };
    let mut procedures = Vec::new();
    if task.has_key || task.has_certificate || task.lacks_mfa {
        let direct = match account.partition() {
            Partition::AwsUsGov => task.with_the_root_key(),
            _ => task.in_the_console(),
        };
        // The caller's own account is often the management account, which no root session can open.
        if account.access == Some(Access::Caller) {
            procedures.extend([direct, task.by_root_session()]);
        } else {
            procedures.extend([task.by_root_session(), direct]);
        }
    }
    if task.has_key {
        procedures.push(task.with_this_program());
    }
    if findings.has(Finding::Failing) || findings.has(Finding::Unknown) {
        procedures.push(restore_access(view));
    }
    procedures
}

/// The command that shows the root access keys of an account and how to delete them.
pub(crate) fn remediate(account: AccountId) -> String {
    format!("aws-root-exporter remediate --account {account}")
}

/// The command that deletes one root access key.
pub(crate) fn delete(account: AccountId, key: &str) -> String {
    let remediate = remediate(account);
    format!("{remediate} --delete {key} --confirm {account}")
}

/// How to deactivate a root access key, for which a root session has no permission.
pub(crate) fn deactivate_in_the_console(account: AccountId) -> Vec<Step> {
    let mut steps = sign_in(account).to_vec();
    steps.push(Step::by_hand(
        "Under “Access keys”, choose an active key, then “Actions”, “Deactivate”. Wait a day to see \
         whether anything breaks: the key can be activated again.",
    ));
    steps
}

/// How to delete the root access keys of an account as its root user.
pub(crate) fn delete_in_the_console(account: AccountId) -> Vec<Step> {
    let mut steps = deactivate_in_the_console(account);
    steps.extend([
        Step::by_hand("Choose the key again, “Actions”, “Delete”. Type its id to confirm."),
        Step::by_hand("Do the same with the second key, if there is one."),
    ]);
    steps
}

fn sign_in(account: AccountId) -> [Step; 2] {
    [
        Step::by_hand(format!(
            "Sign in as the root user of account {account} at https://console.aws.amazon.com/: \
             choose “Root user”, then enter its e-mail address, password and MFA code."
        )),
        Step::by_hand("Open the account menu at the top right and choose “Security credentials”."),
    ]
}

/// Root credentials to remove or protect, and where.
struct Task<'a> {
    account: &'a Account,
    /// The ids of the root access keys, as far as they are known.
    keys: Vec<&'a str>,
    has_key: bool,
    has_certificate: bool,
    lacks_mfa: bool,
    interval: Duration,
}

impl Task<'_> {
    fn with_this_program(&self) -> Procedure {
        let id = self.account.id;
        Procedure {
            title: "With this program",
            when: "Opens the root session and deletes the key in one command, with your own \
                   credentials. It refuses a key that was used or created recently, and verifies \
                   the deletion.",
            steps: vec![
                Step::new(
                    "List the root access keys, and how to find out who uses them. Nothing is \
                     changed.",
                    remediate(id),
                ),
                Step::new(
                    "Delete a key by its id.",
                    self.each_key(|key| delete(id, key)),
                ),
            ],
        }
    }

    fn by_root_session(&self) -> Procedure {
        let Account { id, region, .. } = self.account;
        let partition = self.account.partition();
        let mut steps = vec![
            Step::new(
                "With credentials of the management account, or of IAM's delegated administrator, \
                 open a root session in the account. It lasts 15 minutes.",
                format!(
                    "credentials=$(aws sts assume-root --region {region} --duration-seconds 900 \\\n    \
                     --target-principal {id} \\\n    \
                     --task-policy-arn \
                     arn=arn:{partition}:iam::aws:policy/root-task/IAMDeleteRootUserCredentials \\\n    \
                     --query '[Credentials.AccessKeyId,Credentials.SecretAccessKey,Credentials.SessionToken]' \\\n    \
                     --output text)"
                ),
            ),
            Step::new(
                "Export the returned credentials.",
                "read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<< \"$credentials\"\n\
                 export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
            ),
        ];
        steps
            .extend(self.delete_with_the_cli("List the root access keys and delete each of them."));
        if self.lacks_mfa {
            steps.push(Step::new(
                "Delete the root password: then nobody can sign in as root, with or without MFA.",
                "aws iam delete-login-profile",
            ));
        }
        steps.push(Step::new(
            "Remove the credentials of the root session from your shell.",
            "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
        ));
        steps.push(self.verify());
        Procedure {
            title: "Through a root session",
            when: if self.account.root_session {
                "This account is a member of your organization, and centralized root access is on."
            } else {
                "For a member account of an organization that has centralized root access on. The \
                 root password is not needed."
            },
            steps,
        }
    }

    fn in_the_console(&self) -> Procedure {
        let id = self.account.id;
        let mut steps = if self.has_key {
            delete_in_the_console(id)
        } else {
            sign_in(id).to_vec()
        };
        if self.has_certificate {
            steps.push(Step::by_hand(
                "Under “X.509 signing certificates”, deactivate each certificate, then delete it.",
            ));
        }
        if self.lacks_mfa {
            steps.push(Step::by_hand(
                "Under “Multi-factor authentication (MFA)”, choose “Assign MFA device” and follow it \
                 to the end. A passkey or a hardware key is best; register two.",
            ));
        }
        steps.push(self.verify());
        Procedure {
            title: "In the console",
            when: "For the management account, and for an account without an organization or \
                   without centralized root access. The root user must sign in.",
            steps,
        }
    }

    /// In GovCloud the root user cannot sign in to the console.
    fn with_the_root_key(&self) -> Procedure {
        let mut steps = vec![Step::new(
            "Configure the AWS CLI with the root user's access key. If you do not have it, ask AWS \
             Support.",
            format!("export AWS_DEFAULT_REGION={}", self.account.region),
        )];
        steps.extend(self.delete_with_the_cli(
            "List the root access keys. Delete the other key first, and the one in use last.",
        ));
        steps.push(self.verify());
        Procedure {
            title: "With the root key itself",
            when: "For the management account, and without centralized root access: in AWS \
                   GovCloud (US) the root user cannot sign in to the console.",
            steps,
        }
    }

    /// `keys` says in which order to delete the keys.
    fn delete_with_the_cli(&self, keys: &str) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.has_key {
            let delete = |key: &str| format!("aws iam delete-access-key --access-key-id {key}");
            steps.push(Step::new(
                keys,
                format!("aws iam list-access-keys\n{}", self.each_key(delete)),
            ));
        }
        if self.has_certificate {
            steps.push(Step::new(
                "List the root signing certificates and delete each of them.",
                "aws iam list-signing-certificates\n\
                 aws iam delete-signing-certificate --certificate-id …",
            ));
        }
        steps
    }

    /// A line for each key whose id is known, or one to fill in.
    fn each_key(&self, line: impl Fn(&str) -> String) -> String {
        if self.keys.is_empty() {
            return line("AKIA…");
        }
        let lines: Vec<_> = self.keys.iter().map(|key| line(key)).collect();
        lines.join("\n")
    }

    fn verify(&self) -> Step {
        let (result, entry) = if self.has_key {
            ("0 root access keys", "AccountAccessKeysPresent")
        } else if self.lacks_mfa {
            ("MFA or no password", "AccountMFAEnabled")
        } else {
            (
                "0 signing certificates",
                "AccountSigningCertificatesPresent",
            )
        };
        Step::new(
            format!(
                "Verify: after two polls (about {}) the exporter reports {result}, and the alert \
                 resolves. To ask AWS yourself, with credentials of the account:",
                words::span(self.interval * 2)
            ),
            format!("aws iam get-account-summary --query SummaryMap.{entry}"),
        )
    }
}

/// What to do about an account that cannot be read.
fn restore_access(view: &AccountView) -> Procedure {
    let failed = view.sources.iter().filter(|it| it.up == Some(false));
    let failures = failed.filter_map(|it| Some((it.source, it.last_failure.as_ref()?.1.reason)));
    let mut steps: Vec<_> = failures
        .map(|(source, reason)| {
            Step::by_hand(format!(
                "The {} fails: {}. {}",
                words::source(source),
                words::reason(reason),
                words::advice(reason)
            ))
        })
        .collect();
    if view.sources.iter().any(|source| source.up.is_none()) {
        steps.push(Step::by_hand(
            "A source has not answered yet. After a start, wait: a first credential report takes \
             seconds, in a large account minutes.",
        ));
    }
    let is_report = |it: &SourceView| it.source == Source::CredentialReport;
    if view.sources.iter().all(is_report) {
        steps.push(Step::by_hand(
            "No live source is in use, so values are up to 4 hours old. Switch on \
             sources.account_summary.",
        ));
    }
    steps.push(Step::new(
        "Try every account once, and see what is missing:",
        "aws-root-exporter --config.check --online",
    ));
    Procedure {
        title: "Make the account readable again",
        when: "While an account cannot be read, a new root key in it is not found.",
        steps,
    }
}
