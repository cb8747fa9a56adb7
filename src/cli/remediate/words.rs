//! What `remediate` prints: the keys, what to do next, and how each deletion ended.
//!
//! Text from AWS never controls the terminal, and is part of a command only if it has the form that
//! it must have.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use root_posture::AccessKeyId;

use super::keys::Key;
use crate::account::{Account, AccountId};
use crate::advice::words::span;
use crate::advice::{Step, keys, procedure};
use crate::cli::args::{RemediateArgs, UNUSED_FOR};
use crate::cli::output::shown;
use crate::config::{Config, DEFAULT_FILE, parse_duration};

/// How the deletion of a key ended.
pub(super) enum End {
    /// It is deleted, and a later list does not contain it.
    Verified,
    /// It is deleted as far as is known; why that is not verified.
    NotVerified(String),
    /// It is not deleted; why.
    NotDeleted(String),
}

pub(super) fn keys(id: AccountId, listed: &[Key]) -> String {
    let count = match listed.len() {
        1 => "1 root access key".to_owned(),
        many => format!("{many} root access keys"),
    };
    let mut text = format!("Account {id} has {count}:\n");
    for Key { key, use_is_known } in listed {
        let used = match &key.last_used {
            Some(used) => keys::used(used.at, used.service.as_deref(), used.region.as_deref()),
            None if *use_is_known => "never used".to_owned(),
            None => "last use unknown".to_owned(),
        };
        let line = keys::line(&key.id, key.active, key.created, &used);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}", shown(&line));
    }
    text
}

/// What to do next: find out who uses a key, deactivate it, then delete it by its id. `refused` is
/// why keys would not be deleted now, `flags` what the command needs beside the ids.
pub(super) fn next_steps(
    account: &Account,
    keys: &[Key],
    refused: &[String],
    flags: &str,
) -> String {
    let id = account.id;
    let mut text = "Nothing was changed.\n".to_owned();
    let (valid, invalid): (Vec<&Key>, Vec<&Key>) =
        keys.iter().partition(|key| AccessKeyId::fits(&key.key.id));
    if keys.iter().any(|key| key.key.active) {
        text.push_str(
            "\nFirst find out who uses an active key and move them to a role. With credentials of \
             the account\n(CloudTrail keeps 90 days in each Region, and is some minutes late):\n",
        );
        for key in valid.iter().filter(|key| key.key.active) {
            for region in regions(account, key) {
                let _ = writeln!(text, "  {}", procedure::calls_of(&key.key.id, region));
            }
        }
        text.push_str(
            "\nThen deactivate the key in the console; a deleted key cannot be restored. No root \
             session can\ndeactivate it, because no task policy allows iam:UpdateAccessKey.\n",
        );
        number(&mut text, &procedure::deactivate_in_the_console(id));
    }
    text.push_str("\nTo delete a key, name it (--delete may be repeated):\n");
    for key in valid {
        let _ = writeln!(text, "  {}{flags}", procedure::delete(id, &key.key.id));
    }
    for key in invalid {
        let _ = writeln!(
            text,
            "  {:?} does not have the form of an access key id: delete it in the console.",
            key.key.id
        );
    }
    for why in refused {
        let _ = writeln!(text, "That would be refused now: {why}");
    }
    text
}

/// The flags without which a pasted command would do something else.
pub(super) fn flags(arguments: &RemediateArgs, config: &Config) -> String {
    let mut flags = String::new();
    let unused_for = arguments.unused_for;
    if unused_for != UNUSED_FOR {
        let mut text = span(unused_for).replace(' ', "");
        if parse_duration(&text) != Ok(unused_for) {
            text = format!("{}s", unused_for.as_secs());
        }
        let _ = write!(flags, " --unused-for {text}");
    }
    let file = config.source_file.as_deref();
    if let Some(file) = file.filter(|file| *file != Path::new(DEFAULT_FILE)) {
        // Quoted for a shell.
        let file = file.display().to_string().replace('\'', "'\\''");
        let _ = write!(flags, " --config.file '{file}'");
    }
    flags
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

/// A line for each key: how its deletion ended.
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

/// The keys, and how to delete them where no root session can.
pub(super) fn console_steps(id: AccountId, keys: &[String], why: &str) -> String {
    let keys: Vec<_> = keys.iter().map(|line| shown(line)).collect();
    let mut text = format!(
        "Account {id}: root access keys: {}\nThey can be deleted only in the AWS console: {}.\n\n",
        keys.join("\n    "),
        shown(why)
    );
    number(&mut text, &procedure::delete_in_the_console(id));
    text.push_str(
        "\nThen verify it: aws-root-exporter check\n\nEach account needs its own sign-in. In an \
         organization, centralized root access (IAM console, \"Root\naccess management\") makes that \
         unnecessary for all accounts but the management account.\n",
    );
    text
}

fn number(text: &mut String, steps: &[Step]) {
    for (at, step) in steps.iter().enumerate() {
        let _ = writeln!(text, "  {}. {}", at + 1, step.text);
    }
}
