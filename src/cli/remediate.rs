//! `remediate`: shows the root access keys of one account and deletes those that are named.
//!
//! A person runs it with their own credentials. It never deletes a key without the key's id and the
//! account's id twice. It lists the keys before and after, writes an audit line for each step, and prints
//! how each deletion ended, whatever fails on the way.

mod audit;
mod keys;
mod words;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use root_posture::AccessKeyId;

use self::audit::{Audit, Event};
use self::keys::{Key, Listed};
use self::words::End;
use super::args::{CheckFinding, RemediateArgs};
use super::check;
use super::output::{FAILED, USAGE, print, write};
use super::wire;
use crate::account::{Access, Account, AccountId};
use crate::aws::Aws;
use crate::aws::delete::{self, DeleteError, Deleted};
use crate::clock::Clock;
use crate::config::Config;
use crate::failure::{Failure, Reason};

/// How often, and how far apart, the keys are listed to verify a deletion: AWS's answers agree within
/// seconds.
const LISTS: u32 = 6;
const BETWEEN_LISTS: Duration = Duration::from_secs(2);

/// All named keys are deleted as far as is known, but not every deletion is verified.
const NOT_VERIFIED: u8 = 3;

/// Some of the named keys are deleted and others are not.
const IN_PART: u8 = 4;

/// Shows the keys of the account, and deletes those that are named.
pub(super) async fn run(arguments: &RemediateArgs, config: &Config) -> ExitCode {
    let clock = Clock::system();
    let file = arguments.audit_file.as_deref();
    let audit = match Audit::open(file, arguments.account, clock.clone()) {
        Ok(audit) => audit,
        Err(error) => {
            eprintln!("aws-root-exporter: remediate: nothing was deleted: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let mut account = wire::account(config, arguments.account, &config.aws.region, None);
    account.root_session = true;
    let mut remediation = Remediation {
        arguments,
        config,
        account,
        aws: wire::aws(config, &clock, None, None).await,
        clock,
        audit,
    };
    match remediation.run().await {
        Ok(code) => code,
        Err(failure) => {
            remediation.none_deleted(&failure.to_string());
            eprintln!("aws-root-exporter: remediate: {failure}");
            ExitCode::from(FAILED)
        }
    }
}

struct Remediation<'a> {
    arguments: &'a RemediateArgs,
    config: &'a Config,
    account: Account,
    aws: Aws,
    clock: Clock,
    audit: Audit,
}

impl Remediation<'_> {
    async fn run(&mut self) -> Result<ExitCode, Failure> {
        let id = &self.account.id;
        let partition = self.account.partition();
        if !partition.has_root_credentials() {
            self.none_deleted("the account has no root user credentials");
            return Ok(print(&format!(
                "Account {id}: accounts in {partition} have no root user credentials. There is \
                 nothing to do.\n"
            )));
        }
        let caller = self.aws.caller().await?;
        self.audit.caller.clone_from(&caller.arn);
        let by_hand = match self.aws.management_account().await {
            Ok(management) if management == *id => {
                Some("it is the organization's management account, which no root session can enter")
            }
            Err(failure) if failure.reason == Reason::Unsupported => {
                Some("the caller's account is in no organization, so there are no root sessions")
            }
            // Opening a root session shows whether it is possible.
            Ok(_) | Err(_) => None,
        };
        if let Some(why) = by_hand {
            return Ok(self.by_hand(caller.account, why).await);
        }
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(failure) if failure.reason == Reason::Unsupported => {
                return Ok(self.by_hand(caller.account, &failure.message).await);
            }
            Err(mut failure) => {
                if failure.reason == Reason::AccessDenied {
                    failure.message +=
                        "; `aws-root-exporter policy remediate` prints the permissions it needs";
                }
                return Err(failure);
            }
        };
        if listed.keys.is_empty() {
            return Ok(self.nothing_to_do());
        }
        let printed = print(&words::keys(*id, &listed.keys));
        if self.arguments.delete.is_empty() {
            let keys = listed.keys.iter();
            let refused: Vec<_> = keys.filter_map(|key| self.refusal(key, &listed)).collect();
            let flags = words::flags(self.arguments, self.config);
            let next = words::next_steps(&self.account, &listed.keys, &refused, &flags);
            return Ok(print(&next));
        }
        if printed != ExitCode::SUCCESS {
            return Ok(printed);
        }
        Ok(self.delete_named(&listed).await)
    }

    /// The root user's keys as AWS lists them now, and when they were last used.
    async fn list(&self) -> Result<Listed, Failure> {
        let answer = self.aws.root_keys(&self.account).await?;
        let mut keys = Vec::new();
        for mut key in answer.value {
            let used = self.aws.key_last_used(&self.account, &key.id).await;
            let use_is_known = used.is_ok();
            key.last_used = used.ok().and_then(|answer| answer.value);
            keys.push(Key { key, use_is_known });
        }
        Ok(Listed {
            keys,
            at: answer.date,
        })
    }

    /// Why a key must not be deleted, if so.
    fn refusal(&self, key: &Key, listed: &Listed) -> Option<String> {
        let why = || key.why_in_use(listed.at, self.arguments.unused_for);
        (!self.arguments.even_if_used).then(why).flatten()
    }

    /// Deletes the named keys, if none of them is refused, and prints how each deletion ended.
    async fn delete_named(&self, listed: &Listed) -> ExitCode {
        let id = self.account.id;
        let refusal = self.arguments.delete.iter().find_map(|named| {
            let key = listed.keys.iter().find(|key| key.key.id == named.as_str());
            let why = match key {
                Some(key) => self.refusal(key, listed)?,
                None => format!(
                    "{named} is not a root access key of account {id}; name one that is listed"
                ),
            };
            Some((named, why))
        });
        if let Some((refused, why)) = refusal {
            self.note(Event::Refused, refused, Some(&why));
            for other in self.arguments.delete.iter().filter(|it| *it != refused) {
                let why = "nothing was deleted, because another key was refused";
                self.note(Event::NotDeleted, other, Some(why));
            }
            eprintln!("aws-root-exporter: remediate: nothing was deleted: {why}");
            return ExitCode::from(FAILED);
        }
        let mut attempts = Vec::new();
        for key in &self.arguments.delete {
            // After a failure no other key is deleted: a person must find out why first.
            let attempt = if let Some((_, Err(_))) = attempts.last() {
                let why = "not tried, because the deletion before failed";
                self.note(Event::NotDeleted, key, Some(why));
                Err(DeleteError::Refused(Failure::new(Reason::Other, why)))
            } else {
                self.delete(key).await
            };
            attempts.push((key, attempt));
        }
        let ends = self.ends(attempts).await;
        if let Err(error) = write(&words::ends(&ends)) {
            eprintln!("aws-root-exporter: remediate: cannot print: {error}");
        }
        ExitCode::from(exit_code(&ends))
    }

    async fn delete(&self, key: &AccessKeyId) -> Result<Deleted, DeleteError> {
        // A deletion that cannot be audited is not made.
        let line = self.audit.write(Event::Deleting, key, None);
        line.map_err(|error| DeleteError::Refused(Failure::new(Reason::Other, error.to_string())))?;
        let result = delete::root_key(&self.aws, &self.account, key).await;
        let (event, failure) = match &result {
            Ok(Deleted::Now) => (Event::Deleted, None),
            Ok(Deleted::Before) => (Event::GoneBefore, None),
            Err(DeleteError::Refused(failure)) => (Event::NotDeleted, Some(failure)),
            Err(DeleteError::Unanswered(failure)) => (Event::Unanswered, Some(failure)),
        };
        let failure = failure.map(ToString::to_string);
        self.note(event, key, failure.as_deref());
        result
    }

    /// Writes an audit line for each named key: none is deleted, and no deletion was tried.
    fn none_deleted(&self, why: &str) {
        for key in &self.arguments.delete {
            self.note(Event::NotDeleted, key, Some(why));
        }
    }

    /// Writes an audit line. If that fails, the command reports it and goes on.
    fn note(&self, event: Event, key: &AccessKeyId, error: Option<&str>) {
        if let Err(error) = self.audit.write(event, key, error) {
            eprintln!("aws-root-exporter: remediate: {error}");
        }
    }

    /// How each attempt ended, according to what AWS lists afterwards.
    async fn ends<'k>(
        &self,
        attempts: Vec<(&'k AccessKeyId, Result<Deleted, DeleteError>)>,
    ) -> Vec<(&'k AccessKeyId, End)> {
        let in_question = attempts
            .iter()
            .filter(|(_, attempt)| !matches!(attempt, Err(DeleteError::Refused(_))))
            .map(|(key, _)| key.as_str());
        let (still_there, failure) = self.verify(in_question.collect()).await;
        let mut ends = Vec::new();
        for (key, attempt) in attempts {
            let end = match (attempt, &failure) {
                (Err(DeleteError::Refused(refused)), _) => End::NotDeleted(refused.to_string()),
                _ if !still_there.contains(key.as_str()) => {
                    self.note(Event::Verified, key, None);
                    End::Verified
                }
                (Err(DeleteError::Unanswered(unanswered)), None) => {
                    let why = format!("{unanswered}, and AWS still lists it");
                    self.note(Event::NotDeleted, key, Some(&why));
                    End::NotDeleted(why)
                }
                (unverified, failure) => {
                    let why = match (unverified, failure) {
                        (Err(DeleteError::Unanswered(unanswered)), Some(failure)) => format!(
                            "it is not known whether it is deleted: {unanswered}, and then {failure}"
                        ),
                        (_, Some(failure)) => format!("the keys cannot be listed again: {failure}"),
                        (_, None) => "AWS still lists it".to_owned(),
                    };
                    self.note(Event::NotVerified, key, Some(&why));
                    End::NotVerified(why)
                }
            };
            ends.push((key, end));
        }
        ends
    }

    /// Lists the keys until each of these was missing in one list. Returns those that every list
    /// contained, and why the last list failed, if it did.
    async fn verify<'k>(
        &self,
        mut keys: BTreeSet<&'k str>,
    ) -> (BTreeSet<&'k str>, Option<Failure>) {
        let mut failure = None;
        for list in 0..LISTS {
            if keys.is_empty() {
                break;
            }
            if list > 0 {
                let pause = self.clock.moment() + BETWEEN_LISTS;
                self.clock.sleep_until(pause).await;
            }
            failure = match self.aws.root_keys(&self.account).await {
                Ok(answer) => {
                    keys.retain(|key| answer.value.iter().any(|listed| listed.id == *key));
                    None
                }
                Err(failure) => Some(failure),
            };
        }
        (keys, failure)
    }

    fn nothing_to_do(&self) -> ExitCode {
        self.none_deleted("the account has no root access keys");
        let id = self.account.id;
        print(&format!(
            "Account {id} has no root access keys. There is nothing to do.\n"
        ))
    }

    /// Prints the keys, as far as they are known without a root session, and the console steps.
    async fn by_hand(&self, caller: AccountId, why: &str) -> ExitCode {
        let id = self.account.id;
        let access = if caller == id {
            Some(Access::Caller)
        } else {
            self.account.access.clone()
        };
        let mut keys = vec!["unknown".to_owned()];
        if access.is_some() {
            let account = Account {
                access,
                root_session: false,
                ..self.account.clone()
            };
            let checked = check::account(&self.aws, &self.clock, account, self.config).await;
            let findings = checked.findings();
            let has_key =
                |it: &CheckFinding| [CheckFinding::Present, CheckFinding::Unknown].contains(it);
            if !findings.iter().any(has_key) {
                return self.nothing_to_do();
            }
            keys = check::key_lines(&checked, self.clock.now());
        }
        self.none_deleted(why);
        let printed = print(&words::console_steps(id, &keys, why));
        if !self.arguments.delete.is_empty() {
            eprintln!("aws-root-exporter: remediate: nothing was deleted: {why}");
            return ExitCode::from(FAILED);
        }
        printed
    }
}

fn exit_code(ends: &[(&AccessKeyId, End)]) -> u8 {
    let is_left = |(_, end): &(_, End)| matches!(end, End::NotDeleted(_));
    let is_verified = |(_, end): &(_, End)| matches!(end, End::Verified);
    if ends.iter().all(is_verified) {
        0
    } else if ends.iter().all(is_left) {
        FAILED
    } else if ends.iter().any(is_left) {
        IN_PART
    } else {
        NOT_VERIFIED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_distinguishes_all_none_some_and_unverified() {
        let key: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let of = |letters: &str| {
            let ends: Vec<(&AccessKeyId, End)> = letters
                .chars()
                .map(|letter| match letter {
                    'v' => (&key, End::Verified),
                    'd' => (&key, End::NotVerified(String::new())),
                    _ => (&key, End::NotDeleted(String::new())),
                })
                .collect();
            exit_code(&ends)
        };
        for (ends, expected) in [
            ("v", 0),
            ("vv", 0),
            ("d", NOT_VERIFIED),
            ("vd", NOT_VERIFIED),
            ("x", FAILED),
            ("xx", FAILED),
            ("vx", IN_PART),
            ("dx", IN_PART),
        ] {
            assert_eq!(of(ends), expected, "{ends}");
        }
    }
}
