//! What to do about an account's findings: steps that can be followed and commands that can be
//! pasted, for this account.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account" and
//! "Delete access keys for the root user"; STS API Reference, `AssumeRoot` (Regional endpoints
//! only, 900 seconds at most); AWS GovCloud (US) User Guide, "Account root user".

use std::time::Duration;

use super::finding::{Finding, Findings};
use super::words;
use crate::account::{Access, Account, Partition};
use crate::views::{AccountView, Snapshot};
use root_posture::Source;
use root_posture::Timestamp;

/// One way to set right what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Procedure {
    pub title: &'static str,
    /// When this is the way to go.
    pub when: String,
    /// Whether it is shown unfolded.
    pub open: bool,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Step {
    pub text: String,
    /// What to paste into a shell; empty for nothing.
    pub command: String,
}

fn step(text: impl Into<String>, command: impl Into<String>) -> Step {
    Step {
        text: text.into(),
        command: command.into(),
    }
}

/// The ways to set right what is wrong with an account, the most likely one unfolded.
pub(super) fn procedures(
    view: &AccountView,
    findings: Findings,
    interval: Duration,
) -> Vec<Procedure> {
    let mut procedures = Vec::new();
    let credentials = [
        Finding::KeyActive,
        Finding::KeyInactive,
        Finding::Certificate,
        Finding::NoMfa,
    ];
    if credentials.into_iter().any(|finding| findings.has(finding)) {
        let place = Place {
            account: &view.account,
            view,
            findings,
            interval,
        };
        procedures.extend(place.procedures());
    }
    if findings.has(Finding::Failing) || findings.has(Finding::Unknown) {
        procedures.push(reading(view, procedures.is_empty()));
    }
    procedures
}

/// Where the runbooks are: the same address as in the alerting rules.
const RUNBOOKS: &str =
    "https://github.com/aws-root-exporter/aws-root-exporter/blob/main/deploy/runbooks";

/// How recent a use of the root user is told of, as in the alerting rules.
const RECENT: Duration = Duration::from_secs(24 * 3600);

/// The runbooks of the alerts that an account's findings raise.
pub(super) fn runbooks(
    view: &AccountView,
    findings: Findings,
    snapshot: &Snapshot,
) -> Vec<(&'static str, String)> {
    let recent =
        |time: Option<Timestamp>| time.is_some_and(|time| snapshot.now.since(time) < RECENT);
    let root = view.report.as_ref().and_then(|report| report.root.as_ref());
    let mut alerts: Vec<&'static str> = findings.iter().map(Finding::alert).collect();
    if view.root_keys().any(|key| recent(key.last_used)) {
        alerts.push("AWSRootAccessKeyUsed");
    }
    if root.is_some_and(|root| recent(root.password_last_used)) {
        alerts.push("AWSRootConsoleSignIn");
    }
    alerts
        .into_iter()
        .map(|alert| (alert, format!("{RUNBOOKS}/{alert}.md")))
        .collect()
}

/// Where something is to be deleted.
struct Place<'a> {
    account: &'a Account,
    view: &'a AccountView,
    findings: Findings,
    interval: Duration,
}

impl Place<'_> {
    fn procedures(&self) -> Vec<Procedure> {
        // The caller's own account is often the management account, which no root session enters.
        let own = self.account.access == Some(Access::Caller);
        let direct = match self.account.partition() {
            Partition::AwsUsGov => self.with_the_keys_themselves(own),
            _ => self.in_the_console(own),
        };
        let mut procedures = if own {
            vec![direct, self.by_root_session(false)]
        } else {
            vec![self.by_root_session(true), direct]
        };
        if self.has_key() {
            procedures.push(self.by_this_program());
        }
        procedures
    }

    fn by_this_program(&self) -> Procedure {
        let id = self.account.id;
        Procedure {
            title: "With this program",
            when:
                "The root session and the deletion in one command, with your own credentials. It \
                   refuses a key that was used or created lately, and verifies by another list."
                    .to_owned(),
            open: false,
            steps: vec![
                step(
                    "See which keys there are and how to find out who uses them. Nothing is changed.",
                    format!("aws-root-exporter remediate --account {id}"),
                ),
                step(
                    "Delete the key that you mean, by its id.",
                    self.each_key(|key| {
                        format!(
                            "aws-root-exporter remediate --account {id} --delete {key} --confirm {id}"
                        )
                    })
                    .join("\n"),
                ),
            ],
        }
    }

    fn has_key(&self) -> bool {
        self.findings.has(Finding::KeyActive) || self.findings.has(Finding::KeyInactive)
    }

    fn by_root_session(&self, open: bool) -> Procedure {
        let id = self.account.id;
        let partition = self.account.partition();
        let region = &self.account.region;
        let mut steps = vec![
            step(
                "With credentials of the management account, or of a delegated administrator for \
                 IAM, open a root session in this account. It lasts 15 minutes.",
                format!(
                    "aws sts assume-root --region {region} \\\n  \
                     --target-principal {id} \\\n  \
                     --task-policy-arn \
                     arn=arn:{partition}:iam::aws:policy/root-task/IAMDeleteRootUserCredentials \\\n  \
                     --duration-seconds 900"
                ),
            ),
            step(
                "Take the credentials of the answer.",
                "export AWS_ACCESS_KEY_ID=…\nexport AWS_SECRET_ACCESS_KEY=…\nexport \
                 AWS_SESSION_TOKEN=…",
            ),
        ];
        if self.has_key() {
            steps.push(step(
                "List the root keys, and delete each of them.",
                self.delete_keys(),
            ));
        }
        if self.findings.has(Finding::Certificate) {
            steps.push(step(
                "List the root signing certificates, and delete each of them.",
                "aws iam list-signing-certificates\naws iam delete-signing-certificate \
                 --certificate-id …",
            ));
        }
        if self.findings.has(Finding::NoMfa) {
            steps.push(step(
                "Delete the root password: then nobody can sign in as root, with or without MFA.",
                "aws iam delete-login-profile",
            ));
        }
        steps.push(self.verify());
        Procedure {
            title: "Through a root session",
            when: if self.account.root_session {
                "This account is a member of your organization, and centralized root access is on."
            } else {
                "For a member account of an organization that has centralized root access on. The \
                 root password is not needed."
            }
            .to_owned(),
            open,
            steps,
        }
    }

    fn delete_keys(&self) -> String {
        let mut lines = vec!["aws iam list-access-keys".to_owned()];
        lines.extend(
            self.each_key(|key| format!("aws iam delete-access-key --access-key-id {key}")),
        );
        lines.join("\n")
    }

    /// A line for each key whose id is known, or one to fill in.
    fn each_key(&self, line: impl Fn(&str) -> String) -> Vec<String> {
        let keys = self.view.root_keys();
        let lines: Vec<String> = keys.filter_map(|key| key.id).map(&line).collect();
        if lines.is_empty() {
            vec![line("AKIA…")]
        } else {
            lines
        }
    }

    fn in_the_console(&self, open: bool) -> Procedure {
        let mut steps = vec![
            step(
                format!(
                    "Sign in to the AWS console as the root user of {}, with its e-mail address \
                     and password.",
                    self.account.id
                ),
                "",
            ),
            step(
                "Open the account menu at the top right and choose “Security credentials”.",
                "",
            ),
        ];
        if self.has_key() {
            steps.push(step(
                "Under “Access keys”, deactivate each key and wait to see whether anything breaks.",
                "",
            ));
            steps.push(step("Then delete each key: both slots.", ""));
        }
        if self.findings.has(Finding::Certificate) {
            steps.push(step(
                "Under “X.509 signing certificates”, delete each certificate.",
                "",
            ));
        }
        if self.findings.has(Finding::NoMfa) {
            steps.push(step(
                "Under “Multi-factor authentication (MFA)”, choose “Assign MFA device” and follow \
                 it to the end. Two devices are better than one.",
                "",
            ));
        }
        steps.push(self.verify());
        Procedure {
            title: "In the console",
            when: "For the management account, and for an account without an organization or \
                   without centralized root access. The root user must sign in."
                .to_owned(),
            open,
            steps,
        }
    }

    /// In GovCloud the root user cannot sign in to the console.
    fn with_the_keys_themselves(&self, open: bool) -> Procedure {
        let mut steps = vec![step(
            "Configure the AWS CLI with the root user's access key. Who does not have it asks AWS \
             Support.",
            format!("export AWS_DEFAULT_REGION={}", self.account.region),
        )];
        if self.has_key() {
            steps.push(step(
                "List the root keys. Delete the other key first, and the one in use last.",
                self.delete_keys(),
            ));
        }
        if self.findings.has(Finding::Certificate) {
            steps.push(step(
                "List the root signing certificates, and delete each of them.",
                "aws iam list-signing-certificates\naws iam delete-signing-certificate \
                 --certificate-id …",
            ));
        }
        steps.push(self.verify());
        Procedure {
            title: "With the root key itself",
            when: "For the management account, and without centralized root access: in AWS \
                   GovCloud (US) the root user cannot sign in to the console."
                .to_owned(),
            open,
            steps,
        }
    }

    fn verify(&self) -> Step {
        let looks = words::span(self.interval * 2);
        let (what, entry) = if self.has_key() {
            ("0 root keys", "AccountAccessKeysPresent")
        } else if self.findings.has(Finding::NoMfa) {
            ("MFA, or that there is no password", "AccountMFAEnabled")
        } else {
            ("no root certificate", "AccountSigningCertificatesPresent")
        };
        step(
            format!(
                "Verify: this page says {what} after two looks (about {looks}), and the alert \
                 resolves. To ask AWS yourself, with credentials of this account:"
            ),
            format!("aws iam get-account-summary --query SummaryMap.{entry}"),
        )
    }
}

/// What to do where an account cannot be read.
fn reading(view: &AccountView, open: bool) -> Procedure {
    let mut steps = Vec::new();
    for source in &view.sources {
        if source.up == Some(false)
            && let Some((_, failure)) = &source.last_failure
        {
            steps.push(step(
                format!(
                    "The {} fails: {}. {}",
                    words::source(source.source),
                    words::reason(failure.reason),
                    words::advice(failure.reason)
                ),
                "",
            ));
        }
    }
    if view.sources.iter().any(|source| source.up.is_none()) {
        steps.push(step(
            "A source has not answered yet. Right after a start this passes by itself: a first \
             credential report takes seconds, in a large account minutes.",
            "",
        ));
    }
    let live = |source: Source| source != Source::CredentialReport;
    if view.sources.iter().all(|source| !live(source.source)) {
        steps.push(step(
            "No live source is in use: what is known is up to 4 hours old. Switch on \
             sources.account_summary.",
            "",
        ));
    }
    steps.push(step(
        "Try every account once and see in words what is missing:",
        "aws-root-exporter --config.check --online",
    ));
    Procedure {
        title: "Make the account readable again",
        when: "What cannot be read cannot be judged: a key may appear unseen.".to_owned(),
        open,
        steps,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_runbook_of_an_alert_is_where_its_rule_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let rules = root.join("deploy/prometheus/aws-root-exporter.rules.yml");
        let rules = fs::read_to_string(rules).unwrap();
        let alerts = Finding::ALL.map(Finding::alert);
        for alert in alerts
            .into_iter()
            .chain(["AWSRootAccessKeyUsed", "AWSRootConsoleSignIn"])
        {
            assert!(rules.contains(&format!("{RUNBOOKS}/{alert}.md")), "{alert}");
        }
    }
}
