//! IAM's operations on one account.
//!
//! Source: IAM API Reference, version 2010-05-08.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::answer::{Failure, Reply, escape};
use crate::calendar::iso;
use crate::calls::Reported;
use crate::context::Context;
use crate::fault::FaultKind;
use crate::id::AccountId;
use crate::model::{Account, LIFETIME, ROOT, Stage, User};
use crate::operation::Operation;
use crate::{render, summary};

/// Answers a request that its caller may make.
pub(crate) fn answer(account: &mut Account, context: &Context) -> Result<Reply, Failure> {
    use Operation as O;
    match context.operation {
        O::GenerateCredentialReport => Ok(generate(account, context)),
        O::GetCredentialReport => get(account, context),
        O::DeleteAccessKey
        | O::DeleteSigningCertificate
        | O::DeleteLoginProfile
        | O::DeactivateMFADevice => account.change(|account| delete(account, context)),
        _ => read(&account.seen_after(context.lag), context),
    }
}

fn read(account: &Account, context: &Context) -> Result<Reply, Failure> {
    use Operation as O;
    let user = || {
        let place = user_place(account, context)?;
        Ok(place.map_or(&account.root, |place| &account.users[place]))
    };
    match context.operation {
        O::GetAccountSummary => {
            let entries = summary::entries(account);
            Ok(Reply::Xml(format!("<SummaryMap>{entries}</SummaryMap>")))
        }
        O::GetAccessKeyLastUsed => last_used(account, context),
        O::ListAccessKeys => Ok(keys(user()?)),
        O::ListMFADevices => Ok(mfa_devices(user()?, account.id())),
        O::ListSigningCertificates => Ok(certificates(user()?)),
        O::GetLoginProfile => login_profile(user()?),
        other => Err(Failure::unknown_operation(other.as_str(), other.service())),
    }
}

/// What an answer with that error, or without one, says of the root user.
pub(crate) fn reported(
    account: &Account,
    operation: Operation,
    error: Option<&str>,
    lag: Duration,
) -> Option<Reported> {
    use Operation as O;
    let seen = account.seen_after(lag);
    let (root, generated) = match (operation, error) {
        (O::GetAccountSummary, None) => (summary::counted(&seen), None),
        (O::ListAccessKeys | O::ListMFADevices | O::ListSigningCertificates, None)
        | (O::GetLoginProfile, None | Some("NoSuchEntity")) => (seen.root.inventory(), None),
        (O::GetCredentialReport, None) => account.report.reported()?,
        _ => return None,
    };
    Some(Reported { root, generated })
}

fn generate(account: &mut Account, context: &Context) -> Reply {
    let making = (
        "<Description>The report generation task is in progress</Description>",
        "INPROGRESS",
    );
    let complete = ("", "COMPLETE");
    let now = context.now;
    let (description, state) = if context.has(FaultKind::ReportNeverCompletes) {
        making
    } else {
        match account.report.stage(now) {
            Stage::Stored { generated, .. } if now - generated < LIFETIME => complete,
            Stage::Making { .. } => {
                account.report.poll();
                match account.report.stage(now) {
                    Stage::Stored { .. } => complete,
                    _ => making,
                }
            }
            // The account is rendered only here, so that an answer costs the same however large it is.
            Stage::None | Stage::Stored { .. } => {
                let report = render::content(&account.seen_after(context.lag));
                account.report.begin(report, now);
                (
                    "<Description>No report exists. Starting a new report generation \
                     task</Description>",
                    "STARTED",
                )
            }
        }
    };
    Reply::Xml(format!("{description}<State>{state}</State>"))
}

fn get(account: &mut Account, context: &Context) -> Result<Reply, Failure> {
    // AWS's own message is the word "Unknown".
    let in_progress = Failure::new(404, "ReportInProgress", "Unknown");
    if context.has(FaultKind::ReportNeverCompletes) {
        return Err(in_progress);
    }
    let shown = account.report.shown_generated_time;
    let own = account.id();
    let (stored, generated) = match account.report.stage(context.now) {
        Stage::Making { .. } => return Err(in_progress),
        Stage::None => {
            let message = "No report exists. Use GenerateCredentialReport to generate one.";
            return Err(Failure::new(410, "ReportNotPresent", message));
        }
        Stage::Stored { generated, .. } if context.now - generated >= LIFETIME => {
            let message = "The most recent credential report has expired. Use \
                           GenerateCredentialReport to generate a new one.";
            return Err(Failure::new(410, "ReportExpired", message));
        }
        Stage::Stored { content, generated } => (content, shown.unwrap_or(*generated)),
    };
    let mut report = stored.bytes.clone();
    for fault in context.faults {
        match fault {
            FaultKind::WrongAccount(other) => {
                let (own, other) = (format!("::{own}:"), format!("::{other}:"));
                let text = String::from_utf8_lossy(&report);
                report = text.replace(&own, &other).into_bytes();
            }
            FaultKind::MalformedCsv => {
                let header = report.iter().position(|byte| *byte == b'\n').unwrap_or(0);
                report.truncate(header + 40);
            }
            _ => {}
        }
    }
    let mut base64 = BASE64_STANDARD.encode(report);
    if context.has(FaultKind::TruncatedBase64) {
        // To a length that no whole number of groups has.
        base64.truncate((base64.len() / 8 * 4).saturating_sub(3));
    }
    let generated = iso(generated);
    Ok(Reply::Xml(format!(
        "<Content>{base64}</Content><ReportFormat>text/csv</ReportFormat>\
         <GeneratedTime>{generated}</GeneratedTime>"
    )))
}

fn parameter<'a>(context: &Context<'a>, name: &str) -> Result<&'a str, Failure> {
    context.request.param(name).ok_or_else(|| {
        Failure::invalid(format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member \
             must not be null"
        ))
    })
}

fn no_entity(kind: &str, name: &str) -> Failure {
    Failure::new(
        404,
        "NoSuchEntity",
        format!("{kind} {name} cannot be found."),
    )
}

/// The place of the user that a request names; `None` for the root user of a root session. Any other
/// caller is no user of the account and has to name one.
fn user_place(account: &Account, context: &Context) -> Result<Option<usize>, Failure> {
    match context.request.param("UserName") {
        Some(name) => {
            let place = account.users.iter().position(|user| user.name == name);
            place
                .map(Some)
                .ok_or_else(|| no_entity("The user with name", name))
        }
        None if context.caller.is_root() => Ok(None),
        None => Err(Failure::invalid(
            "Must specify userName when calling with non-User credentials",
        )),
    }
}

/// `<UserName>`, which AWS leaves out for the root user.
fn user_name(user: &User) -> String {
    if user.name == ROOT {
        String::new()
    } else {
        format!("<UserName>{}</UserName>", escape(&user.name))
    }
}

fn status(active: bool) -> &'static str {
    if active { "Active" } else { "Inactive" }
}

fn list(name: &str, members: impl Iterator<Item = String>) -> Reply {
    let members: String = members.collect();
    Reply::Xml(format!(
        "<IsTruncated>false</IsTruncated><{name}>{members}</{name}>"
    ))
}

fn keys(user: &User) -> Reply {
    let members = user.keys.iter().flatten().map(|key| {
        format!(
            "<member>{}<AccessKeyId>{}</AccessKeyId><Status>{}</Status>\
             <CreateDate>{}</CreateDate></member>",
            user_name(user),
            key.id,
            status(key.active),
            iso(key.created),
        )
    });
    list("AccessKeyMetadata", members)
}

fn mfa_devices(user: &User, id: AccountId) -> Reply {
    let device = if user.name == ROOT {
        "root"
    } else {
        &user.name
    };
    let member = user.mfa.then(|| {
        format!(
            "<member>{}<SerialNumber>arn:aws:iam::{id}:mfa/{}</SerialNumber>\
             <EnableDate>{}</EnableDate></member>",
            user_name(user),
            escape(device),
            iso(user.created),
        )
    });
    list("MFADevices", member.into_iter())
}

fn certificates(user: &User) -> Reply {
    let members = user.certificates.iter().flatten().map(|certificate| {
        format!(
            "<member>{}<CertificateId>{}</CertificateId>\
             <CertificateBody>-----BEGIN CERTIFICATE-----</CertificateBody>\
             <Status>{}</Status><UploadDate>{}</UploadDate></member>",
            user_name(user),
            certificate.id,
            status(certificate.active),
            iso(certificate.uploaded),
        )
    });
    list("Certificates", members)
}

fn login_profile(user: &User) -> Result<Reply, Failure> {
    if !user.password {
        return Err(no_entity("Login Profile for User", &user.name));
    }
    Ok(Reply::Xml(format!(
        "<LoginProfile>{}<CreateDate>{}</CreateDate>\
         <PasswordResetRequired>false</PasswordResetRequired></LoginProfile>",
        user_name(user),
        iso(user.password_last_changed.unwrap_or(user.created)),
    )))
}

fn last_used(account: &Account, context: &Context) -> Result<Reply, Failure> {
    let id = parameter(context, "AccessKeyId")?;
    let (user, key) = account
        .all_users()
        .flat_map(|user| user.keys.iter().flatten().map(move |key| (user, key)))
        .find(|(_, key)| key.id == id)
        .ok_or_else(|| no_entity("The Access Key with id", id))?;
    let last_used = match &key.last_used {
        None => "<ServiceName>N/A</ServiceName><Region>N/A</Region>".to_owned(),
        Some(last) => format!(
            "<LastUsedDate>{}</LastUsedDate><ServiceName>{}</ServiceName><Region>{}</Region>",
            iso(last.at),
            escape(&last.service),
            escape(&last.region),
        ),
    };
    let user = user_name(user);
    Ok(Reply::Xml(format!(
        "{user}<AccessKeyLastUsed>{last_used}</AccessKeyLastUsed>"
    )))
}

/// Empties the slot with that id.
fn delete_by_id<T>(slots: &mut [Option<T>], has_id: impl Fn(&T) -> bool) -> Option<T> {
    slots
        .iter_mut()
        .find(|slot| slot.as_ref().is_some_and(&has_id))?
        .take()
}

fn delete(account: &mut Account, context: &Context) -> Result<Reply, Failure> {
    let user = match user_place(account, context)? {
        None => &mut account.root,
        Some(place) => &mut account.users[place],
    };
    match context.operation {
        Operation::DeleteAccessKey => {
            let id = parameter(context, "AccessKeyId")?;
            delete_by_id(&mut user.keys, |key| key.id == id)
                .ok_or_else(|| no_entity("The Access Key with id", id))?;
        }
        Operation::DeleteSigningCertificate => {
            let id = parameter(context, "CertificateId")?;
            delete_by_id(&mut user.certificates, |certificate| certificate.id == id)
                .ok_or_else(|| no_entity("The Certificate with id", id))?;
        }
        Operation::DeleteLoginProfile => {
            if !user.password {
                return Err(no_entity("Login Profile for User", &user.name));
            }
            user.password = false;
            user.password_last_changed = None;
        }
        _ => user.mfa = false,
    }
    Ok(Reply::Done)
}
