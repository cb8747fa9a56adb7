//! IAM's operations on one account.
//!
//! Source: IAM API Reference, version 2010-05-08.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;

use super::account::{Account, Password, User};
use super::answer::{Failure, Reply, escape};
use super::calls::Said;
use super::fault::FaultKind;
use super::operation::Operation;
use super::report::{Progress, decode, encode, in_progress};
use super::request::Request;
use super::session::{Caller, Who};
use super::{calendar, render, summary};
use crate::account::{AccountId, Partition};

/// Answers a request that its caller may make. What is read lags by `lag`.
pub(super) fn answer(
    account: &mut Account,
    caller: &Caller,
    operation: Operation,
    request: &Request,
    now: i64,
    lag: Duration,
    faults: &[FaultKind],
) -> Result<Reply, Failure> {
    use Operation as O;
    match operation {
        O::GenerateCredentialReport => Ok(generate(account, now, lag, faults)),
        O::GetCredentialReport => get(account, now, faults),
        O::DeleteAccessKey
        | O::DeleteSigningCertificate
        | O::DeleteLoginProfile
        | O::DeactivateMFADevice => {
            account.change(|account| delete(account, caller, operation, request))
        }
        _ => read(&account.seen_after(lag), caller, operation, request),
    }
}

fn read(
    account: &Account,
    caller: &Caller,
    operation: Operation,
    request: &Request,
) -> Result<Reply, Failure> {
    use Operation as O;
    let user = || Ok(whom(account, caller, request)?.of(account));
    match operation {
        O::GetAccountSummary => Ok(Reply::xml(format!(
            "<SummaryMap>{}</SummaryMap>",
            summary::entries(account)
        ))),
        O::GetAccessKeyLastUsed => last_used(account, required(request, "AccessKeyId")?),
        O::GetUser => Ok(get_user(user()?, account.id(), account.partition)),
        O::ListAccessKeys => Ok(keys(user()?)),
        O::ListMFADevices => Ok(mfa_devices(user()?, account.id())),
        O::ListSigningCertificates => Ok(certificates(user()?)),
        O::GetLoginProfile => login_profile(user()?),
        other => Err(Failure::unknown_operation(other.as_str(), other.service())),
    }
}

/// What the answer to a request, which had that error, says of the root user.
pub(super) fn says(
    account: &Account,
    operation: Operation,
    error: Option<&str>,
    now: i64,
    lag: Duration,
) -> Option<Said> {
    use Operation as O;
    let seen = account.seen_after(lag);
    let (root, generated) = match (operation, error) {
        (O::GetAccountSummary, None) => (summary::counted(&seen), None),
        (O::ListAccessKeys | O::ListMFADevices | O::ListSigningCertificates, None)
        | (O::GetLoginProfile, None | Some("NoSuchEntity")) => (seen.root.inventory(), None),
        (O::GetCredentialReport, None) => {
            let (content, generated) = account.report.get(now).ok()?;
            (content.root, Some(generated))
        }
        _ => return None,
    };
    Some(Said { root, generated })
}

fn generate(account: &mut Account, now: i64, lag: Duration, faults: &[FaultKind]) -> Reply {
    let never = faults.contains(&FaultKind::ReportNeverCompletes);
    let mut progress = if never {
        Progress::Making
    } else {
        account.report.settle(now);
        account.report.progress(now)
    };
    match progress {
        Progress::Started => {
            let content = render::content(&account.seen_after(lag));
            account.report.begin(content, now);
        }
        Progress::Making if !never => {
            account.report.poll();
            account.report.settle(now);
            progress = account.report.progress(now);
        }
        Progress::Making | Progress::Complete => {}
    }
    Reply::xml(match progress {
        Progress::Started => "<Description>No report exists. Starting a new report generation \
             task</Description><State>STARTED</State>"
            .to_owned(),
        Progress::Making => "<Description>The report generation task is in progress\
             </Description><State>INPROGRESS</State>"
            .to_owned(),
        Progress::Complete => "<State>COMPLETE</State>".to_owned(),
    })
}

fn get(account: &mut Account, now: i64, faults: &[FaultKind]) -> Result<Reply, Failure> {
    if faults.contains(&FaultKind::ReportNeverCompletes) {
        return Err(in_progress());
    }
    account.report.settle(now);
    let (content, generated) = account.report.get(now)?;
    let mut content = content.base64.clone();
    for fault in faults {
        content = match fault {
            FaultKind::WrongAccount(other) => {
                let report = String::from_utf8_lossy(&decode(&content)).into_owned();
                let (own, other) = (format!("::{}:", account.id()), format!("::{other}:"));
                encode(report.replace(&own, &other).as_bytes())
            }
            FaultKind::MalformedCsv => {
                let report = decode(&content);
                let header = report.iter().position(|byte| *byte == b'\n').unwrap_or(0);
                encode(&report[..report.len().min(header + 40)])
            }
            FaultKind::TruncatedBase64 => {
                // A length that no whole number of groups has.
                content.slice(..(content.len() / 8 * 4).saturating_sub(3))
            }
            _ => continue,
        }
    }
    Ok(Reply::Xml(vec![
        Bytes::from_static(b"<Content>"),
        content,
        Bytes::from(format!(
            "</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>{}</GeneratedTime>",
            calendar::iso(generated, "Z")
        )),
    ]))
}

fn required<'a>(request: &'a Request, name: &str) -> Result<&'a str, Failure> {
    request.param(name).ok_or_else(|| {
        Failure::invalid(format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member \
             must not be null"
        ))
    })
}

fn no_entity(what: &str, name: &str) -> Failure {
    Failure::new(
        404,
        "NoSuchEntity",
        format!("{what} {name} cannot be found."),
    )
}

/// A user of an account.
#[derive(Clone, Copy)]
enum Whom {
    Root,
    /// The one at that place.
    User(usize),
}

impl Whom {
    fn of(self, account: &Account) -> &User {
        match self {
            Self::Root => &account.root,
            Self::User(place) => &account.users[place],
        }
    }

    fn of_mut(self, account: &mut Account) -> &mut User {
        match self {
            Self::Root => &mut account.root,
            Self::User(place) => &mut account.users[place],
        }
    }
}

/// The user that a request is about: the one it names, or else the root user in a root session.
/// Any other caller is no user of the account and has to name one.
fn whom(account: &Account, caller: &Caller, request: &Request) -> Result<Whom, Failure> {
    match request.param("UserName") {
        Some(name) => account
            .users
            .iter()
            .position(|user| user.name == name)
            .map(Whom::User)
            .ok_or_else(|| {
                Failure::new(
                    404,
                    "NoSuchEntity",
                    format!("The user with name {name} cannot be found."),
                )
            }),
        None if matches!(caller.who, Who::Root(_)) => Ok(Whom::Root),
        None => Err(Failure::invalid(
            "Must specify userName when calling with non-User credentials",
        )),
    }
}

/// `<UserName>`, which AWS leaves out for the root user.
fn user_name(user: &User) -> String {
    if user.name == "<root_account>" {
        String::new()
    } else {
        format!("<UserName>{}</UserName>", escape(&user.name))
    }
}

fn status(active: bool) -> &'static str {
    if active { "Active" } else { "Inactive" }
}

fn list(name: &str, members: &str) -> Reply {
    Reply::xml(format!(
        "<IsTruncated>false</IsTruncated><{name}>{members}</{name}>"
    ))
}

fn get_user(user: &User, id: AccountId, partition: Partition) -> Reply {
    let (user_id, arn) = if user.name == "<root_account>" {
        (id.to_string(), format!("arn:{partition}:iam::{id}:root"))
    } else {
        (
            "AIDASIMULATEDUSER000".to_owned(),
            format!("arn:{partition}:iam::{id}:user/{}", escape(&user.name)),
        )
    };
    let last_used = user.password_last_used.map_or_else(String::new, |at| {
        format!(
            "<PasswordLastUsed>{}</PasswordLastUsed>",
            calendar::iso(at, "Z")
        )
    });
    Reply::xml(format!(
        "<User><Path>/</Path>{}<UserId>{user_id}</UserId><Arn>{arn}</Arn>\
         <CreateDate>{}</CreateDate>{last_used}</User>",
        user_name(user),
        calendar::iso(user.created, "Z"),
    ))
}

fn keys(user: &User) -> Reply {
    let mut members = String::new();
    for key in user.keys.iter().flatten() {
        // Writing to a String cannot fail.
        let _ = write!(
            members,
            "<member>{}<AccessKeyId>{}</AccessKeyId><Status>{}</Status>\
             <CreateDate>{}</CreateDate></member>",
            user_name(user),
            key.id,
            status(key.active),
            calendar::iso(key.created, "Z"),
        );
    }
    list("AccessKeyMetadata", &members)
}

fn mfa_devices(user: &User, id: AccountId) -> Reply {
    let member = if user.mfa {
        let device = user
            .name
            .trim_matches(['<', '>'])
            .replace("root_account", "root");
        format!(
            "<member>{}<SerialNumber>arn:aws:iam::{id}:mfa/{}</SerialNumber>\
             <EnableDate>{}</EnableDate></member>",
            user_name(user),
            escape(&device),
            calendar::iso(user.created, "Z"),
        )
    } else {
        String::new()
    };
    list("MFADevices", &member)
}

fn certificates(user: &User) -> Reply {
    let mut members = String::new();
    for certificate in user.certificates.iter().flatten() {
        // Writing to a String cannot fail.
        let _ = write!(
            members,
            "<member>{}<CertificateId>{}</CertificateId>\
             <CertificateBody>-----BEGIN CERTIFICATE-----</CertificateBody>\
             <Status>{}</Status><UploadDate>{}</UploadDate></member>",
            user_name(user),
            certificate.id,
            status(certificate.active),
            calendar::iso(certificate.uploaded, "Z"),
        );
    }
    list("Certificates", &members)
}

fn login_profile(user: &User) -> Result<Reply, Failure> {
    if user.password == Password::Absent {
        return Err(no_entity("Login Profile for User", &user.name));
    }
    Ok(Reply::xml(format!(
        "<LoginProfile>{}<CreateDate>{}</CreateDate>\
         <PasswordResetRequired>false</PasswordResetRequired></LoginProfile>",
        user_name(user),
        calendar::iso(user.password_last_changed.unwrap_or(user.created), "Z"),
    )))
}

fn last_used(account: &Account, id: &str) -> Result<Reply, Failure> {
    let (user, key) = account
        .everybody()
        .flat_map(|user| user.keys.iter().flatten().map(move |key| (user, key)))
        .find(|(_, key)| key.id == id)
        .ok_or_else(|| no_entity("The Access Key with id", id))?;
    let last_used = key.last_used.as_ref().map_or_else(
        || "<ServiceName>N/A</ServiceName><Region>N/A</Region>".to_owned(),
        |last| {
            format!(
                "<LastUsedDate>{}</LastUsedDate><ServiceName>{}</ServiceName><Region>{}</Region>",
                calendar::iso(last.at, "Z"),
                escape(&last.service),
                escape(&last.region),
            )
        },
    );
    Ok(Reply::xml(format!(
        "{}<AccessKeyLastUsed>{last_used}</AccessKeyLastUsed>",
        user_name(user)
    )))
}

fn delete(
    account: &mut Account,
    caller: &Caller,
    operation: Operation,
    request: &Request,
) -> Result<Reply, Failure> {
    let user = whom(account, caller, request)?.of_mut(account);
    match operation {
        Operation::DeleteAccessKey => {
            let id = required(request, "AccessKeyId")?;
            let slot = user
                .keys
                .iter_mut()
                .find(|slot| slot.as_ref().is_some_and(|key| key.id == id))
                .ok_or_else(|| no_entity("The Access Key with id", id))?;
            *slot = None;
        }
        Operation::DeleteSigningCertificate => {
            let id = required(request, "CertificateId")?;
            let slot = user
                .certificates
                .iter_mut()
                .find(|slot| slot.as_ref().is_some_and(|it| it.id == id))
                .ok_or_else(|| no_entity("The Certificate with id", id))?;
            *slot = None;
        }
        Operation::DeleteLoginProfile => {
            if user.password == Password::Absent {
                return Err(no_entity("Login Profile for User", &user.name));
            }
            user.password = Password::Absent;
            user.password_last_changed = None;
        }
        _ => user.mfa = false,
    }
    Ok(Reply::Done)
}
