//! `remediate`: shows the root keys of one account and, when told to, deletes them.
//!
//! Run by a person with a person's credentials. Nothing is deleted without `--delete` and the
//! account's id twice; AWS is asked afresh before, and again after, for proof.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{LastUse, RootKey, Timestamp};
use tracing::{error, info};

use super::args::RemediateArgs;
use super::check;
use crate::account::{Access, Account, AccountId};
use crate::aws::delete::{self, Deleted};
use crate::aws::{self, Aws};
use crate::clock::Clock;
use crate::config::Config;
use crate::failure::{Failure, Reason};

/// How often, and how far apart, AWS is asked for proof: its answers agree within seconds.
const PROOFS: u32 = 6;
const BETWEEN_PROOFS: Duration = Duration::from_secs(2);

/// Nothing was deleted although that was asked, or nobody can say.
const FAILED: u8 = 1;

/// A root access key and what is known of its use.
struct Key {
    key: RootKey,
    use_is_known: bool,
}

/// Shows what there is, and does what was asked.
pub(super) async fn run(arguments: &RemediateArgs, config: &Config) -> ExitCode {
    let clock = Clock::system();
    let aws = Aws::new(
        &aws::Settings {
            region: config.aws.region.clone(),
            region_from: config.aws.region_from.clone(),
            profile: config.aws.profile.clone(),
            timeout: config.refresh.timeout,
            stand_in: None,
        },
        Arc::new(check::live::Uncounted),
        clock.clone(),
    )
    .await;
    let remediation = Remediation {
        arguments,
        config,
        account: target(arguments.account, config),
        aws,
        clock,
    };
    match remediation.run().await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("aws-root-exporter: remediate: {failure}");
            ExitCode::from(FAILED)
        }
    }
}

fn target(id: AccountId, config: &Config) -> Account {
    let listed = config.accounts.iter().find(|account| account.id == id);
    Account {
        id,
        name: listed.map_or_else(String::new, |account| account.name.clone()),
        region: listed.map_or_else(
            || config.aws.region.clone(),
            |account| account.region.clone(),
        ),
        access: listed.and_then(|account| account.access.clone()),
        root_session: true,
        labels: std::collections::BTreeMap::new(),
    }
}

struct Remediation<'a> {
    arguments: &'a RemediateArgs,
    config: &'a Config,
    account: Account,
    aws: Aws,
    clock: Clock,
}

impl Remediation<'_> {
    async fn run(&self) -> Result<ExitCode, Failure> {
        let Account { id, region, .. } = &self.account;
        if !self.account.partition().has_root_credentials() {
            return Ok(super::print(&format!(
                "Account {id}: accounts in {} have no root user credentials.\n",
                self.account.partition()
            )));
        }
        let caller = self.aws.caller(region).await?;
        let by_hand = match self.aws.management_account(region).await {
            Ok(management) if management == *id => {
                Some("it is the organization's management account, which no root session can enter")
            }
            Err(failure) if failure.reason == Reason::Unsupported => {
                Some("the caller's account is in no organization, so there are no root sessions")
            }
            // Whether a root session can be opened is told by trying.
            Ok(_) | Err(_) => None,
        };
        if let Some(why) = by_hand {
            return Ok(self.by_hand(caller.account, why).await);
        }
        let keys = match self.look().await {
            Ok(keys) => keys,
            Err(failure) if failure.reason == Reason::Unsupported => {
                return Ok(self.by_hand(caller.account, &failure.message).await);
            }
            Err(failure) if failure.reason == Reason::AccessDenied => {
                return Err(Failure::new(
                    failure.reason,
                    format!(
                        "{}; `aws-root-exporter policy remediate` prints the rights that are needed",
                        failure.message
                    ),
                ));
            }
            Err(failure) => return Err(failure),
        };
        if keys.is_empty() {
            return Ok(super::print(&format!(
                "Account {id} has no root access keys.\n"
            )));
        }
        super::print(&shown(*id, &keys));
        if !self.arguments.delete {
            return Ok(super::print(&self.what_would_be_done(&keys)));
        }
        if let Some(refused) = self.refusal(&keys) {
            eprintln!("aws-root-exporter: remediate: nothing was deleted: {refused}");
            return Ok(ExitCode::from(FAILED));
        }
        for key in &keys {
            self.delete(&caller.arn, &key.key.id).await?;
        }
        self.prove(&caller.arn).await
    }

    /// The root user's keys as AWS tells them now, and when they were last used.
    async fn look(&self) -> Result<Vec<Key>, Failure> {
        let mut keys = Vec::new();
        for mut key in self.aws.root_keys(&self.account).await?.value {
            let used = self.aws.key_last_used(&self.account, &key.id).await;
            let use_is_known = used.is_ok();
            key.last_used = used.ok().and_then(|answer| answer.value);
            keys.push(Key { key, use_is_known });
        }
        Ok(keys)
    }

    fn what_would_be_done(&self, keys: &[Key]) -> String {
        let id = self.account.id;
        let mut text = format!(
            "Nothing was changed. To delete {}, after whoever uses it has moved to a role:\n  \
             aws-root-exporter remediate --account {id} --delete --confirm {id}\n",
            if keys.len() == 1 { "it" } else { "them" },
        );
        if let Some(refused) = self.refusal(keys) {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "That would be refused now: {refused}");
        }
        text
    }

    /// Why the keys are not to be deleted, if so.
    fn refusal(&self, keys: &[Key]) -> Option<String> {
        if self.arguments.even_if_used {
            return None;
        }
        let unused_for = self.arguments.unused_for;
        let now = self.clock.now();
        keys.iter().find_map(|key| {
            let id = &key.key.id;
            if !key.use_is_known {
                return Some(format!(
                    "AWS does not say when {id} was last used; try again, or add --even-if-used"
                ));
            }
            let used = key.key.last_used.as_ref()?;
            (now.since(used.at) < unused_for).then(|| {
                format!(
                    "{id} was used at {}, within the last {}; find out by whom (CloudTrail, \
                     userIdentity.accessKeyId), or add --even-if-used",
                    used.at,
                    humantime::format_duration(unused_for),
                )
            })
        })
    }

    async fn delete(&self, caller: &str, key: &str) -> Result<(), Failure> {
        let account = self.account.id;
        info!(audit = true, %account, key, caller, "deleting a root access key");
        match delete::root_key(&self.aws, &self.account, key).await {
            Ok(Deleted::Now) => {
                info!(audit = true, %account, key, caller, "root access key deleted");
            }
            Ok(Deleted::Before) => {
                info!(audit = true, %account, key, caller, "root access key was gone already");
            }
            Err(failure) => {
                error!(audit = true, %account, key, caller, reason = %failure.reason,
                    error = failure.message, "root access key not deleted");
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Asks AWS again until it lists no key.
    async fn prove(&self, caller: &str) -> Result<ExitCode, Failure> {
        let account = self.account.id;
        let mut left = Vec::new();
        for proof in 0..PROOFS {
            if proof > 0 {
                let pause = self.clock.moment() + BETWEEN_PROOFS;
                self.clock.sleep_until(pause).await;
            }
            left = self.aws.root_keys(&self.account).await?.value;
            if left.is_empty() {
                info!(audit = true, %account, caller, "proven by another look: no root access key");
                return Ok(super::print(&format!(
                    "Deleted. Asked again, AWS lists no root access key of account {account}.\n"
                )));
            }
        }
        let ids: Vec<&str> = left.iter().map(|key| key.id.as_str()).collect();
        eprintln!(
            "aws-root-exporter: remediate: asked again, AWS still lists {}; run this once more \
             without --delete",
            ids.join(", ")
        );
        Ok(ExitCode::from(FAILED))
    }

    /// Says how a person does it in the console, and what keys there are as far as that is known.
    async fn by_hand(&self, caller: AccountId, why: &str) -> ExitCode {
        let id = self.account.id;
        let mut text = String::new();
        let access = if caller == id {
            Some(Access::Caller)
        } else {
            self.account.access.clone()
        };
        if let Some(access) = access {
            let account = Account {
                access: Some(access),
                root_session: false,
                ..self.account.clone()
            };
            let lines = check::live::root_keys(&self.aws, &self.clock, account, self.config).await;
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "Account {id}: root access keys: {}",
                lines.join("\n    ")
            );
        }
        let _ = write!(text, "{}", console_steps(id, why));
        let printed = super::print(&text);
        if self.arguments.delete {
            eprintln!("aws-root-exporter: remediate: nothing was deleted: {why}");
            return ExitCode::from(FAILED);
        }
        printed
    }
}

fn shown(id: AccountId, keys: &[Key]) -> String {
    let count = match keys.len() {
        1 => "1 root access key".to_owned(),
        many => format!("{many} root access keys"),
    };
    let mut text = format!("Account {id} has {count}:\n");
    for Key { key, use_is_known } in keys {
        let state = if key.active { "active" } else { "inactive" };
        let created = key
            .created
            .map_or_else(|| "at an unknown time".to_owned(), |at| at.to_string());
        let used = match &key.last_used {
            Some(used) => last_used(used),
            None if *use_is_known => "never used".to_owned(),
            None => "last use unknown".to_owned(),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {}  {state}, created {created}, {used}", key.id);
    }
    text
}

fn last_used(used: &LastUse) -> String {
    let at: Timestamp = used.at;
    let mut text = format!("last used {at}");
    if let Some(service) = &used.service {
        let _ = write!(text, " for {service}");
    }
    if let Some(region) = &used.region {
        let _ = write!(text, " in {region}");
    }
    text
}

/// Source: IAM User Guide, "Delete access keys for the root user".
fn console_steps(id: AccountId, why: &str) -> String {
    format!(
        "\
The root access keys of account {id} are to be deleted in the AWS console: {why}.

  1. Sign in at https://console.aws.amazon.com/ as the root user of account {id}: choose \"Root
     user\", then its e-mail address, password and MFA.
  2. At the top right choose the account's name, then \"Security credentials\".
  3. Under \"Access keys\", choose a key that is active, then \"Actions\", \"Deactivate\". Watch for a day
     that nothing breaks; it can be activated again.
  4. Choose the key again, \"Actions\", \"Delete\"; type its id to confirm, then \"Delete\".
  5. Do the same with the second key, if there is one.
  6. Have it proven: aws-root-exporter check

Each account is a sign-in of its own. In an organization, centralized root access saves that for all
accounts but the management account: IAM console, \"Root access management\".
"
    )
}
