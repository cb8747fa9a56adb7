//! `remediate`: shows the root keys of one account and, when asked to, deletes those that are named.
//!
//! Run by a person with a person's credentials. Nothing is deleted without the key's id and the
//! account's id twice; AWS is asked afresh before, and again after. Each step is audited, and how
//! each key ended is printed, whatever fails on the way.

mod audit;
mod words;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{AccessKeyId, RootKey, Timestamp};

use self::audit::{Audit, Event};
use super::args::RemediateArgs;
use super::check::{self, Verdict};
use super::{FAILED, USAGE, print};
use crate::account::{Access, Account, AccountId};
use crate::aws::delete::{self, DeleteError, Deleted};
use crate::aws::{self, Aws};
use crate::clock::Clock;
use crate::config::Config;
use crate::failure::{Failure, Reason};

/// How often, and how far apart, AWS is asked whether a key is gone: its answers agree within
/// seconds.
const LISTS: u32 = 6;
const BETWEEN_LISTS: Duration = Duration::from_secs(2);

/// All that were named are deleted as far as is known, and not each is verified.
const NOT_VERIFIED: u8 = 3;

/// Some of those that were named are deleted and others are not.
const IN_PART: u8 = 4;

/// What AWS lists of the root user.
struct Listed {
    keys: Vec<Key>,
    /// The time of the answer, by AWS's clock.
    at: Timestamp,
}

/// A root access key and what is known of its use.
struct Key {
    key: RootKey,
    use_is_known: bool,
}

/// How the deletion of a key ended.
enum End {
    /// It is deleted, and a later list is without it.
    Verified,
    /// It is deleted as far as is known; why that is not verified.
    NotVerified(String),
    /// It is there as before; why.
    NotDeleted(String),
}

/// Shows what there is, and does what was asked.
pub(super) async fn run(arguments: &RemediateArgs, config: &Config) -> ExitCode {
    let audit = match Audit::open(arguments.audit_file.as_deref()) {
        Ok(audit) => audit,
        Err(error) => {
            eprintln!("aws-root-exporter: remediate: nothing was deleted: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let clock = Clock::system();
    let aws = Aws::new(
        &aws::Settings {
            region: config.aws.region.clone(),
            region_from: config.aws.region_from.clone(),
            profile: config.aws.profile.clone(),
            timeout: config.refresh.timeout,
            stand_in: None,
        },
        Arc::new(()),
        clock.clone(),
    )
    .await;
    let remediation = Remediation {
        arguments,
        config,
        account: target(arguments.account, config),
        aws,
        clock,
        audit,
    };
    match remediation.run().await {
        Ok(code) => code,
        Err(failure) => {
            remediation.none_deleted("unknown", &failure.to_string());
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
        labels: Arc::default(),
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
    async fn run(&self) -> Result<ExitCode, Failure> {
        let Account { id, region, .. } = &self.account;
        if !self.account.partition().has_root_credentials() {
            self.none_deleted("unknown", "the account has no root user credentials");
            return Ok(print(&format!(
                "Account {id}: accounts in {} have no root user credentials. There is nothing to \
                 do.\n",
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
            // Whether a root session can be opened shows by trying.
            Ok(_) | Err(_) => None,
        };
        if let Some(why) = by_hand {
            self.none_deleted(&caller.arn, why);
            return Ok(self.by_hand(caller.account, why).await);
        }
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(failure) if failure.reason == Reason::Unsupported => {
                self.none_deleted(&caller.arn, &failure.message);
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
        if listed.keys.is_empty() {
            self.none_deleted(&caller.arn, "the account has no root access keys");
            return Ok(print(&words::nothing_to_do(*id)));
        }
        let shown = print(&words::keys(*id, &listed.keys));
        if self.arguments.delete.is_empty() {
            return Ok(print(&self.next_steps(&listed)));
        }
        if shown != ExitCode::SUCCESS {
            return Ok(shown);
        }
        Ok(self.delete_named(&caller.arn, &listed).await)
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

    fn next_steps(&self, listed: &Listed) -> String {
        let refused: Vec<String> = listed
            .keys
            .iter()
            .filter_map(|key| self.why_it_stays(key, listed.at))
            .collect();
        let flags = words::flags(self.arguments, self.config);
        words::next_steps(&self.account, &listed.keys, &refused, &flags)
    }

    /// Why a key is not to be deleted, if so.
    fn why_it_stays(&self, key: &Key, now: Timestamp) -> Option<String> {
        if self.arguments.even_if_used {
            return None;
        }
        let RootKey {
            id,
            created,
            last_used,
            ..
        } = &key.key;
        let id = check::shown(id);
        let unused_for = self.arguments.unused_for;
        let within = words::span(unused_for);
        if !key.use_is_known {
            return Some(format!(
                "AWS does not say when {id} was last used; try again, or add --even-if-used"
            ));
        }
        if let Some(used) = last_used
            && now.since(used.at) < unused_for
        {
            return Some(format!(
                "{id} was used at {}, within the last {within}; find out by whom (CloudTrail, \
                 userIdentity.accessKeyId), or add --even-if-used",
                used.at,
            ));
        }
        match created {
            // A key that was never used is as old as itself.
            Some(created) if now.since(*created) < unused_for => Some(format!(
                "{id} was created at {created}, within the last {within}: whoever uses it may not \
                 have begun; find out who made it, or add --even-if-used"
            )),
            None if last_used.is_none() => Some(format!(
                "AWS does not say when {id} was created; add --even-if-used to delete it all the same"
            )),
            _ => None,
        }
    }

    /// Which of the named keys is not to be deleted, and why, if so.
    fn refusal(&self, listed: &Listed) -> Option<(&AccessKeyId, String)> {
        self.arguments.delete.iter().find_map(|id| {
            let key = listed.keys.iter().find(|key| key.key.id == id.as_str());
            let why = match key {
                Some(key) => self.why_it_stays(key, listed.at)?,
                None => format!(
                    "{id} is not a root access key of account {}; name one that is listed",
                    self.account.id
                ),
            };
            Some((id, why))
        })
    }

    /// Deletes the keys that were named, all of them or none to begin with, and prints how each
    /// ended.
    async fn delete_named(&self, caller: &str, listed: &Listed) -> ExitCode {
        if let Some((key, why)) = self.refusal(listed) {
            self.note(Event::Refused, key, caller, Some(&why));
            let others = self.arguments.delete.iter().filter(|other| *other != key);
            for other in others {
                let why = "nothing was deleted, because another key was refused";
                self.note(Event::NotDeleted, other, caller, Some(why));
            }
            eprintln!("aws-root-exporter: remediate: nothing was deleted: {why}");
            return ExitCode::from(FAILED);
        }
        let mut attempts = Vec::new();
        for key in &self.arguments.delete {
            // What is not expected ends it: a person must find out why first.
            let attempt = match attempts.last() {
                Some((_, Err(_))) => {
                    let why = "not tried, because the deletion before failed";
                    self.note(Event::NotDeleted, key, caller, Some(why));
                    Err(DeleteError::Refused(Failure::new(Reason::Other, why)))
                }
                _ => self.delete(caller, key).await,
            };
            attempts.push((key, attempt));
        }
        let ends = self.ends(caller, attempts).await;
        if let Err(error) = super::write(&words::ends(&ends)) {
            eprintln!("aws-root-exporter: remediate: cannot print: {error}");
        }
        ExitCode::from(code(&ends))
    }

    async fn delete(&self, caller: &str, key: &AccessKeyId) -> Result<Deleted, DeleteError> {
        let account = &self.account;
        let line = (self.audit).write(
            Event::Deleting,
            account.id,
            key,
            caller,
            None,
            self.clock.now(),
        );
        // What cannot be audited is not done.
        line.map_err(|error| DeleteError::Refused(Failure::new(Reason::Other, error.to_string())))?;
        let result = delete::root_key(&self.aws, account, key).await;
        match &result {
            Ok(Deleted::Now) => self.note(Event::Deleted, key, caller, None),
            Ok(Deleted::Before) => self.note(Event::GoneBefore, key, caller, None),
            Err(DeleteError::Refused(failure)) => {
                self.note(Event::NotDeleted, key, caller, Some(&failure.to_string()));
            }
            Err(DeleteError::Unanswered(failure)) => {
                self.note(Event::Unanswered, key, caller, Some(&failure.to_string()));
            }
        }
        result
    }

    /// Writes an audit line for each key that was named: none is deleted, nor tried.
    fn none_deleted(&self, caller: &str, why: &str) {
        for key in &self.arguments.delete {
            self.note(Event::NotDeleted, key, caller, Some(why));
        }
    }

    /// Writes an audit line; that it cannot be written is reported and changes nothing.
    fn note(&self, event: Event, key: &AccessKeyId, caller: &str, error: Option<&str>) {
        let now = self.clock.now();
        let line = (self.audit).write(event, self.account.id, key, caller, error, now);
        if let Err(error) = line {
            eprintln!("aws-root-exporter: remediate: {error}");
        }
    }

    /// How each attempt ended, by what AWS lists afterwards.
    async fn ends<'k>(
        &self,
        caller: &str,
        attempts: Vec<(&'k AccessKeyId, Result<Deleted, DeleteError>)>,
    ) -> Vec<(&'k AccessKeyId, End)> {
        let in_question = attempts
            .iter()
            .filter(|(_, attempt)| !matches!(attempt, Err(DeleteError::Refused(_))))
            .map(|(key, _)| key.as_str());
        let (still_there, failure) = self.verify(in_question.collect()).await;
        let mut ends = Vec::new();
        for (key, attempt) in attempts {
            let end = match attempt {
                Err(DeleteError::Refused(failure)) => End::NotDeleted(failure.to_string()),
                _ if !still_there.contains(key.as_str()) => End::Verified,
                Err(DeleteError::Unanswered(unanswered)) => match &failure {
                    None => {
                        let why = format!("{unanswered}, and AWS still lists it");
                        self.note(Event::NotDeleted, key, caller, Some(&why));
                        End::NotDeleted(why)
                    }
                    Some(failure) => End::NotVerified(format!(
                        "whether it is deleted is not known: {unanswered}, and then {failure}"
                    )),
                },
                Ok(_) => End::NotVerified(match &failure {
                    None => "asked again, AWS still lists it".to_owned(),
                    Some(failure) => format!("AWS cannot be asked again: {failure}"),
                }),
            };
            match &end {
                End::Verified => self.note(Event::Verified, key, caller, None),
                End::NotVerified(why) => self.note(Event::NotVerified, key, caller, Some(why)),
                // It was audited when it was known.
                End::NotDeleted(_) => {}
            }
            ends.push((key, end));
        }
        ends
    }

    /// Asks AWS again until one of its lists was without each of these keys. Returns those that
    /// every list had, and why the last list failed, if it did.
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

    /// Says how a person does it in the console, and what keys there are as far as that is known.
    async fn by_hand(&self, caller: AccountId, why: &str) -> ExitCode {
        let id = self.account.id;
        let access = if caller == id {
            Some(Access::Caller)
        } else {
            self.account.access.clone()
        };
        let mut text = format!("Account {id}: whether it has root access keys is not known.\n");
        if let Some(access) = access {
            let account = Account {
                access: Some(access),
                root_session: false,
                ..self.account.clone()
            };
            let seen = check::live::account(&self.aws, &self.clock, account, self.config).await;
            if seen.verdict() == Verdict::Clean {
                return print(&words::nothing_to_do(id));
            }
            let lines = check::key_lines(&seen, self.clock.now());
            text = format!("Account {id}: root access keys: {}\n", lines.join("\n    "));
        }
        text.push_str(&words::console_steps(id, why));
        let printed = print(&text);
        if !self.arguments.delete.is_empty() {
            eprintln!("aws-root-exporter: remediate: nothing was deleted: {why}");
            return ExitCode::from(FAILED);
        }
        printed
    }
}

fn code(ends: &[(&AccessKeyId, End)]) -> u8 {
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
    fn the_exit_code_tells_all_none_some_and_unverified_apart() {
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
            code(&ends)
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
