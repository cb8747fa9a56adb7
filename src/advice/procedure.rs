//! What to do about an account's findings: steps to follow and commands to paste, for this account.
//! The runbooks contain the same steps and commands.
//!
//! A command can be pasted whole, and changes nothing unless its credentials are those of the account's
//! root user.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account" and
//! "Delete access keys for the root user"; STS API Reference, `AssumeRoot` (Regional endpoints
//! only, 900 seconds at most) and `GetCallerIdentity` (needs no permission); AWS GovCloud (US) User
//! Guide, "Account root user"; AWS CloudTrail User Guide, "Working with CloudTrail event history".

use super::activity;
use super::finding::{Finding, Findings};
use super::words;
use crate::account::{Access, Account, AccountId, Partition};
use crate::views::{AccountView, ExporterView, SourceView};
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
    /// The page of AWS's console where it is done.
    pub console: Option<String>,
}

impl Step {
    fn new(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            command: command.into(),
            console: None,
        }
    }

    fn by_hand(text: impl Into<String>) -> Self {
        Self::new(text, "")
    }
}

/// What an account is in its organization, which decides who can remove its root credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    /// The management account: no root session can be opened in it.
    Management,
    /// A member of an organization with centralized root access.
    Member,
    /// Not known: the account is listed in the configuration, or no root session reads it.
    Unknown,
}

impl Membership {
    /// What an account is, as far as the exporter knows.
    pub fn of(account: &Account, exporter: &ExporterView) -> Self {
        let is_managed = exporter
            .features
            .is_some_and(|features| features.credentials_management);
        if exporter.management == Some(account.id) {
            Self::Management
        } else if account.root_session && is_managed {
            Self::Member
        } else {
            Self::Unknown
        }
    }
}

/// The procedures that fix what is wrong with an account, in the order in which to follow them. Those
/// that are other ways to the same end say so.
pub(crate) fn procedures(
    view: &AccountView,
    findings: Findings,
    exporter: &ExporterView,
) -> Vec<Procedure> {
    let account = &*view.account;
    let task = Task {
        account,
        membership: Membership::of(account, exporter),
        keys: view
            .root_keys()
            .filter_map(|key| Some((key.id?, key.active)))
            .collect(),
        lacks_mfa: findings.has(Finding::NoMfa),
        interval: words::span(exporter.interval * 2),
    };
    let has_active_key = findings.has(Finding::KeyActive);
    let mut procedures = Vec::new();
    if has_active_key {
        procedures.push(task.find_out());
        if task.has_console() {
            procedures.push(task.deactivate());
        }
    }
    if has_active_key || findings.has(Finding::KeyInactive) {
        procedures.extend(task.delete_keys());
    }
    if findings.has(Finding::NoMfa) {
        procedures.extend(task.protect());
    }
    if findings.has(Finding::Certificate) {
        procedures.extend(task.delete_certificates());
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

/// The command that lists the calls of an access key in a Region, with credentials of the account.
pub(crate) fn calls_of(key: &str, region: &str) -> String {
    lookup(region, "AccessKeyId", key)
}

fn lookup(region: &str, attribute: &str, value: &str) -> String {
    // A pager would take the next command for its input.
    format!(
        "AWS_PAGER='' aws cloudtrail lookup-events --region {region} --max-results 50 \
         --lookup-attributes AttributeKey={attribute},AttributeValue={value} \
         --query 'Events[].[EventTime,EventName,EventSource,CloudTrailEvent]' --output text"
    )
}

/// How to deactivate a root access key, for which a root session has no permission.
pub(crate) fn deactivate_in_the_console(account: AccountId) -> Vec<Step> {
    let mut steps = sign_in(account, None, true).to_vec();
    steps.push(deactivate_listed());
    steps
}

fn deactivate_listed() -> Step {
    Step::by_hand(
        "Under “Access keys”, choose an active key, then “Actions”, “Deactivate”. Wait a day to see \
         whether anything breaks: the key can be activated again.",
    )
}

/// How to delete the root access keys of an account as its root user.
pub(crate) fn delete_in_the_console(account: AccountId) -> Vec<Step> {
    let mut steps = deactivate_in_the_console(account);
    steps.extend(delete_listed());
    steps
}

fn delete_listed() -> [Step; 2] {
    [
        Step::by_hand(
            "Under “Access keys”, choose an inactive key, then “Actions”, “Delete”. Type its id to \
             confirm.",
        ),
        Step::by_hand("Do the same with the second key, if there is one."),
    ]
}

fn sign_in(account: AccountId, email: Option<&str>, has_mfa: bool) -> [Step; 2] {
    let address = email.map_or_else(|| "address".to_owned(), |email| format!("address {email}"));
    let secrets = if has_mfa {
        format!("{address}, password and MFA code")
    } else {
        format!("{address} and password")
    };
    [
        Step::by_hand(format!(
            "Sign in as the root user of account {account} at https://console.aws.amazon.com/: \
             choose “Root user”, then enter its e-mail {secrets}."
        )),
        Step::by_hand("Open the account menu at the top right and choose “Security credentials”."),
    ]
}

/// Root credentials to remove or protect, and where.
struct Task<'a> {
    account: &'a Account,
    membership: Membership,
    /// The ids of the root access keys that are known, and whether each is active.
    keys: Vec<(&'a str, bool)>,
    lacks_mfa: bool,
    /// How long two polls take.
    interval: String,
}

impl Task<'_> {
    fn sign_in(&self, has_mfa: bool) -> Vec<Step> {
        let Account { id, details, .. } = self.account;
        sign_in(*id, details.email.as_deref(), has_mfa).to_vec()
    }

    /// Whether the root user can sign in to the console.
    fn has_console(&self) -> bool {
        self.account.partition() != Partition::AwsUsGov
    }

    fn find_out(&self) -> Procedure {
        let partition = self.account.partition();
        let region = partition.home_region();
        let active: Vec<_> = self.keys.iter().filter(|(_, active)| *active).collect();
        let mut commands: Vec<_> = active
            .iter()
            .map(|(key, _)| calls_of(key, region))
            .collect();
        if commands.is_empty() {
            commands.push(lookup(region, "Username", "root"));
        }
        commands.push(lookup(region, "EventName", "CreateAccessKey"));
        let (attribute, value) = match active.first() {
            Some((key, _)) => ("AccessKeyId", *key),
            None => ("Username", "root"),
        };
        Procedure {
            title: "Find out who made the key and who uses it",
            when: "First. If nobody owns the key, do not wait: treat it as an intrusion, and delete it now.",
            steps: vec![
                Step {
                    console: activity::history_url(partition, attribute, value),
                    ..Step::new(
                        "With credentials of the account, ask CloudTrail who uses the key and who \
                         created it. It keeps 90 days in each Region, and is some minutes late.",
                        commands.join("\n"),
                    )
                },
                Step::by_hand("Give each program that uses the key a role instead."),
            ],
        }
    }

    fn deactivate(&self) -> Procedure {
        let mut steps = self.sign_in(!self.lacks_mfa);
        steps.push(deactivate_listed());
        Procedure {
            title: "Deactivate the key, and wait",
            when: match self.membership {
                Membership::Member => {
                    "If a program may use the key. Only the root user can do it; a member account \
                     without a root password has to skip it."
                }
                _ => "If a program may use the key. Only the root user can do it, in the console.",
            },
            steps,
        }
    }

    fn delete_keys(&self) -> Vec<Procedure> {
        let direct = if self.has_console() {
            self.delete_keys_in_the_console()
        } else {
            self.delete_keys_with_a_root_key()
        };
        let by_root_session = [
            self.delete_keys_with_this_program(),
            self.delete_keys_by_root_session(),
        ];
        let is_own = self.account.access == Some(Access::Caller);
        match self.membership {
            Membership::Management => vec![direct],
            // The caller's own account is often the management account.
            Membership::Unknown if is_own => [vec![direct], by_root_session.into()].concat(),
            Membership::Member | Membership::Unknown => {
                [by_root_session.into(), vec![direct]].concat()
            }
        }
    }

    fn delete_keys_with_this_program(&self) -> Procedure {
        let id = self.account.id;
        let mut steps = vec![Step::new(
            "List the root access keys, and the command that deletes each. Nothing is changed.",
            remediate(id),
        )];
        if !self.keys.is_empty() {
            let commands = self.keys.iter().map(|(key, _)| delete(id, key));
            let commands: Vec<_> = commands.collect();
            steps.push(Step::new("Delete a key by its id.", commands.join("\n")));
            steps.push(Step::new(
                "A key that was used or created in the last day is refused. If nobody owns it, or you \
                 know who uses it, delete it all the same.",
                commands
                    .iter()
                    .map(|command| format!("{command} --even-if-used"))
                    .collect::<Vec<_>>()
                    .join("\n"),
            ));
        }
        steps.push(self.verify_no_key());
        Procedure {
            title: "Delete the key with this program",
            when: "For a member account of an organization that has centralized root access on. Runs \
                   with your own credentials, refuses a key that was used or created recently, and \
                   verifies the deletion.",
            steps,
        }
    }

    fn delete_keys_by_root_session(&self) -> Procedure {
        let mut steps = vec![self.open_root_session()];
        steps.push(Step::new(
            "Delete the root access keys.",
            self.as_root(&self.key_deletions()),
        ));
        steps.push(close_root_session());
        steps.push(self.verify_no_key());
        Procedure {
            title: "Or delete the key with the AWS CLI",
            when: "Through a root session, for a member account of an organization that has \
                   centralized root access on. The root password is not needed.",
            steps,
        }
    }

    /// Deletes the keys that are known, or else those that are listed.
    fn key_deletions(&self) -> String {
        if self.keys.is_empty() {
            return each(
                "aws iam list-access-keys --query 'AccessKeyMetadata[].AccessKeyId'",
                "aws iam delete-access-key --access-key-id",
            );
        }
        let delete =
            |(key, _): &(&str, bool)| format!("aws iam delete-access-key --access-key-id {key}");
        let lines: Vec<_> = self.keys.iter().map(delete).collect();
        lines.join(" &&\n")
    }

    fn delete_keys_in_the_console(&self) -> Procedure {
        let mut steps = self.sign_in(!self.lacks_mfa);
        steps.extend(delete_listed());
        steps.push(self.verify_no_key());
        Procedure {
            title: match self.membership {
                Membership::Management => "Delete the key in the console",
                _ => "Or delete the key in the console",
            },
            when: "For the management account, and for an account without an organization or \
                   without centralized root access. The root user must sign in.",
            steps,
        }
    }

    /// In GovCloud the root user cannot sign in to the console.
    fn delete_keys_with_a_root_key(&self) -> Procedure {
        let region = &self.account.region;
        Procedure {
            title: "Or delete the key with the root key itself",
            when: "For the management account, and without centralized root access: in AWS \
                   GovCloud (US) the root user cannot sign in to the console.",
            steps: vec![
                Step::by_hand(
                    "Configure the AWS CLI with the root user's access key. If you do not have it, ask \
                     AWS Support.",
                ),
                Step::new(
                    "Delete the root access keys; of two, the one in use last.",
                    format!(
                        "export AWS_DEFAULT_REGION={region}\n{}",
                        self.as_root(&self.key_deletions())
                    ),
                ),
                self.verify_no_key(),
            ],
        }
    }

    fn protect(&self) -> Vec<Procedure> {
        let (enrol, remove) = (self.enrol(), self.remove_password());
        match self.membership {
            Membership::Management => vec![enrol],
            Membership::Member => vec![remove, enrol],
            Membership::Unknown => vec![enrol, remove],
        }
    }

    fn enrol(&self) -> Procedure {
        let mut steps = self.sign_in(false);
        steps.push(Step::by_hand(
            "Under “Multi-factor authentication (MFA)”, choose “Assign MFA device” and follow it to \
             the end. A passkey or a hardware key is best; register two.",
        ));
        steps.push(self.verify("MFA", "AccountMFAEnabled", 1));
        Procedure {
            title: "Enrol an MFA device for the root user",
            when: "For the management account, and wherever the root user keeps its password.",
            steps,
        }
    }

    fn remove_password(&self) -> Procedure {
        Procedure {
            title: "Remove the root password",
            when: "For a member account of an organization that has centralized root access on: then \
                   nobody can sign in as root, and no MFA is needed.",
            steps: vec![
                self.open_root_session(),
                Step::new(
                    "Delete the root password.",
                    self.as_root("aws iam delete-login-profile"),
                ),
                close_root_session(),
                self.verify("no root password", "AccountPasswordPresent", 0),
            ],
        }
    }

    fn delete_certificates(&self) -> Vec<Procedure> {
        let entry = "AccountSigningCertificatesPresent";
        let verify = || self.verify("0 signing certificates", entry, 0);
        let mut by_hand = self.sign_in(!self.lacks_mfa);
        by_hand.push(Step::by_hand(
            "Under “X.509 signing certificates”, deactivate each certificate, then delete it.",
        ));
        by_hand.push(verify());
        let in_the_console = Procedure {
            title: "Delete the signing certificate in the console",
            when: "For the management account, and without centralized root access. The root user \
                   must sign in.",
            steps: by_hand,
        };
        let by_root_session = Procedure {
            title: "Delete the signing certificate with the AWS CLI",
            when: "Through a root session, for a member account of an organization that has \
                   centralized root access on.",
            steps: vec![
                self.open_root_session(),
                Step::new(
                    "Delete the root signing certificates.",
                    self.as_root(&each(
                        "aws iam list-signing-certificates --query 'Certificates[].CertificateId'",
                        "aws iam delete-signing-certificate --certificate-id",
                    )),
                ),
                close_root_session(),
                verify(),
            ],
        };
        match self.membership {
            Membership::Management => vec![in_the_console],
            Membership::Member => vec![by_root_session, in_the_console],
            Membership::Unknown => vec![in_the_console, by_root_session],
        }
    }

    fn open_root_session(&self) -> Step {
        let Account { id, region, .. } = self.account;
        let partition = self.account.partition();
        Step::new(
            "With credentials of the management account, or of IAM's delegated administrator, open a \
             root session in this shell. It lasts 15 minutes.",
            format!(
                "eval \"$(aws sts assume-root --region {region} --duration-seconds 900 \\\n    \
                 --target-principal {id} \\\n    \
                 --task-policy-arn \
                 arn=arn:{partition}:iam::aws:policy/root-task/IAMDeleteRootUserCredentials \\\n    \
                 --query \"Credentials.join('', ['export AWS_ACCESS_KEY_ID=', AccessKeyId, ' \
                 AWS_SECRET_ACCESS_KEY=', SecretAccessKey, ' AWS_SESSION_TOKEN=', SessionToken])\" \
                 \\\n    --output text)\""
            ),
        )
    }

    /// A command that does something only with credentials of the account's root user.
    fn as_root(&self, command: &str) -> String {
        let id = self.account.id;
        let partition = self.account.partition();
        format!(
            "test \"$(aws sts get-caller-identity --query Arn --output text)\" = \
             arn:{partition}:iam::{id}:root &&\n{command}"
        )
    }

    fn verify_no_key(&self) -> Step {
        self.verify("0 root access keys", "AccountAccessKeysPresent", 0)
    }

    /// `result` is what the exporter then reports, `expected` the value of the summary's `entry`.
    fn verify(&self, result: &str, entry: &str, expected: u8) -> Step {
        Step::new(
            format!(
                "Verify: after two polls (about {}) the exporter reports {result}, and the alert \
                 resolves. To ask AWS yourself, with credentials of the account; the answer is \
                 {expected}:",
                self.interval
            ),
            format!("aws iam get-account-summary --query SummaryMap.{entry}"),
        )
    }
}

/// A command for each item of a list.
fn each(list: &str, command: &str) -> String {
    format!("for item in $({list} --output text); do\n    {command} \"$item\"\ndone")
}

fn close_root_session() -> Step {
    Step::new(
        "Remove the credentials of the root session from this shell.",
        "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
    )
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
