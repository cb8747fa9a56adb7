//! What `remediate` prints: the keys, what to do next, and how each deletion ended. Whatever AWS
//! answers is shown so that a terminal takes no orders from it, and is part of a command only where
//! it has the form that it must have.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use root_posture::{AccessKeyId, LastUse};

use super::{End, Key};
use crate::account::{Account, AccountId};
use crate::cli::args::{RemediateArgs, UNUSED_FOR};
use crate::cli::check::shown;
use crate::config::{Config, DEFAULT_FILE};

pub(super) fn nothing_to_do(id: AccountId) -> String {
    format!("Account {id} has no root access keys. There is nothing to do.\n")
}

pub(super) fn keys(id: AccountId, keys: &[Key]) -> String {
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
        let _ = writeln!(
            text,
            "  {}  {state}, created {created}, {used}",
            shown(&key.id)
        );
    }
    text
}

fn last_used(used: &LastUse) -> String {
    let mut text = format!("last used {}", used.at);
    if let Some(service) = &used.service {
        let _ = write!(text, " for {}", shown(service));
    }
    if let Some(region) = &used.region {
        let _ = write!(text, " in {}", shown(region));
    }
    text
}

/// What a person does next: find out who uses a key, deactivate it, then delete it by its name.
/// `refused` is why keys would not be deleted now, `flags` what the command needs beside the ids.
pub(super) fn next_steps(
    account: &Account,
    keys: &[Key],
    refused: &[String],
    flags: &str,
) -> String {
    let id = account.id;
    let fits = |key: &&Key| AccessKeyId::fits(&key.key.id);
    let mut text = "Nothing was changed.\n".to_owned();
    let active: Vec<&Key> = keys.iter().filter(|key| key.key.active).collect();
    if !active.is_empty() {
        text.push_str(
            "\nFirst find out who uses an active key and move them to a role. With credentials of \
             the account\n(CloudTrail keeps 90 days in each Region, and is some minutes late):\n",
        );
        for key in active.into_iter().filter(fits) {
            for region in regions(account, key) {
                let _ = writeln!(
                    text,
                    "  aws cloudtrail lookup-events --region {region} --max-results 50 \
                     --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={} \
                     --query 'Events[].[EventTime,EventName,EventSource,CloudTrailEvent]' \
                     --output text",
                    key.key.id
                );
            }
        }
        text.push_str(
            "\nThen deactivate the key and watch for a day that nothing breaks: it can be \
             activated again, and\na deleted one cannot be brought back. No root session can do \
             that, for no task policy allows\niam:UpdateAccessKey: sign in to the console as the \
             root user, \"Security credentials\", \"Access keys\",\nthe key, \"Actions\", \
             \"Deactivate\".\n",
        );
    }
    text.push_str("\nTo delete a key, name it (--delete may be given again):\n");
    for key in keys.iter().filter(fits) {
        let _ = writeln!(
            text,
            "  aws-root-exporter remediate --account {id} --delete {} --confirm {id}{flags}",
            key.key.id
        );
    }
    for key in keys.iter().filter(|key| !fits(key)) {
        let _ = writeln!(
            text,
            "  {:?} has not the form of an access key id: delete it in the console.",
            key.key.id
        );
    }
    for why in refused {
        let _ = writeln!(text, "That would be refused now: {why}");
    }
    text
}

/// The flags without which a command that is pasted would do something else.
pub(super) fn flags(arguments: &RemediateArgs, config: &Config) -> String {
    let mut flags = String::new();
    if arguments.unused_for != UNUSED_FOR {
        let _ = write!(flags, " --unused-for {}", span(arguments.unused_for));
    }
    let file = config.source_file.as_deref();
    if let Some(file) = file.filter(|file| *file != Path::new(DEFAULT_FILE)) {
        // As a shell takes it literally.
        let file = file.display().to_string().replace('\'', "'\\''");
        let _ = write!(flags, " --config.file '{file}'");
    }
    flags
}

/// A duration as a flag takes it, in days where it is so many: months have no fixed length.
pub(super) fn span(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match duration.as_secs() {
        seconds if seconds > DAY && seconds.is_multiple_of(DAY) => format!("{}d", seconds / DAY),
        seconds if seconds > 0 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds => format!("{seconds}s"),
    }
}

/// Where CloudTrail may have a key's calls: the Region of global services, and that of its last use.
fn regions<'a>(account: &Account, key: &'a Key) -> BTreeSet<&'a str> {
    let used = key.key.last_used.as_ref();
    let used = used.and_then(|used| used.region.as_deref());
    let is_region = |region: &&str| {
        region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && region.starts_with(|first: char| first.is_ascii_lowercase())
    };
    std::iter::once(account.partition().home_region())
        .chain(used.filter(is_region))
        .collect()
}

/// A line for each key: how it ended.
pub(super) fn ends(ends: &[(&AccessKeyId, End)]) -> String {
    let mut text = String::new();
    for (key, end) in ends {
        let _ = match end {
            End::Verified => writeln!(text, "{key}  deleted and verified: AWS no longer lists it"),
            End::NotVerified(why) => writeln!(
                text,
                "{key}  deleted, not verified: {}; run this again without --delete",
                shown(why)
            ),
            End::NotDeleted(why) => writeln!(text, "{key}  not deleted: {}", shown(why)),
        };
    }
    text
}

/// Source: IAM User Guide, "Delete access keys for the root user".
pub(super) fn console_steps(id: AccountId, why: &str) -> String {
    let why = shown(why);
    format!(
        "\
Root access keys of account {id} can be deleted only in the AWS console: {why}.

  1. Sign in at https://console.aws.amazon.com/ as the root user of account {id}: choose \"Root
     user\", then its e-mail address, password and MFA.
  2. At the top right choose the account's name, then \"Security credentials\".
  3. Under \"Access keys\", choose a key that is active, then \"Actions\", \"Deactivate\". Watch for a day
     that nothing breaks; it can be activated again.
  4. Choose the key again, \"Actions\", \"Delete\"; type its id to confirm, then \"Delete\".
  5. Do the same with the second key, if there is one.
  6. Verify it: aws-root-exporter check

Each account is a sign-in of its own. In an organization, centralized root access saves that for all
accounts but the management account: IAM console, \"Root access management\".
"
    )
}
