//! STS: the caller's identity, and sessions in other accounts.
//!
//! Source: STS API Reference, version 2011-06-15.

use crate::answer::{Failure, Reply, escape};
use crate::context::Context;
use crate::fault::FaultKind;
use crate::id::AccountId;
use crate::model::{Account, AccountState, State};
use crate::operation::Operation;
use crate::request::Request;
use crate::session::{Caller, Principal, TaskPolicy, credentials};

/// Answers a request that its caller may make.
pub(crate) fn answer(state: &State, context: &Context) -> Result<Reply, Failure> {
    match context.operation {
        Operation::GetCallerIdentity => Ok(identity(context)),
        Operation::AssumeRole => assume_role(state, context),
        _ => assume_root(state, context),
    }
}

/// The account that a fault makes STS answer for, instead of the right one.
fn wrong_account(context: &Context) -> Option<AccountId> {
    context.faults.iter().find_map(|fault| match fault {
        FaultKind::WrongAccount(other) => Some(*other),
        _ => None,
    })
}

fn identity(context: &Context) -> Reply {
    let caller = Caller {
        account: wrong_account(context).unwrap_or(context.caller.account),
        principal: context.caller.principal.clone(),
    };
    Reply::Xml(format!(
        "<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>",
        escape(&caller.arn()),
        escape(&caller.user_id()),
        caller.account,
    ))
}

/// Whether the account's credentials work.
fn is_open(account: &Account) -> bool {
    !matches!(
        account.state,
        Some(AccountState::Suspended | AccountState::Closed | AccountState::PendingActivation)
    )
}

fn duration(request: &Request, default: i64) -> Result<i64, Failure> {
    let Some(text) = request.param("DurationSeconds") else {
        return Ok(default);
    };
    let message = format!("Invalid Integer Value: {text}");
    text.parse()
        .map_err(|_| Failure::new(400, "MalformedInput", message))
}

/// Refuses a parameter unless its rule holds.
fn require(holds: bool, value: &str, name: &str, rule: &str) -> Result<(), Failure> {
    if holds {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: \
         Member must {rule}"
    )))
}

fn is_session_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (2..=64).contains(&name.len()) && name.bytes().all(is_allowed)
}

fn assume_role(state: &State, context: &Context) -> Result<Reply, Failure> {
    let (caller, request) = (context.caller, context.request);
    let arn = request.param("RoleArn").unwrap_or_default();
    let session = request.param("RoleSessionName").unwrap_or_default();
    let external_id = request.param("ExternalId");
    let seconds = duration(request, 3_600)?;
    let text = "have length greater than or equal to 20";
    require(arn.len() >= 20, arn, "roleArn", text)?;
    let text = "satisfy regular expression pattern: [\\w+=,.@-]* and have length from 2 to 64";
    require(is_session_name(session), session, "roleSessionName", text)?;
    // The id itself is not repeated: it is a secret of the two parties.
    let fits = external_id.is_none_or(|id| (2..=1_224).contains(&id.len()));
    require(fits, "", "externalId", "have length from 2 to 1224")?;
    // No simulated role has longer sessions, and a chain of roles never has.
    let fits = (900..=3_600).contains(&seconds);
    let text = "have value from 900 to 3600";
    require(fits, &seconds.to_string(), "durationSeconds", text)?;
    if caller.is_root() {
        return Err(Failure::denied(
            "Roles may not be assumed by root accounts.",
        ));
    }
    let (_, path) = arn
        .split_once(":role/")
        .ok_or_else(|| Failure::invalid(format!("{arn} is invalid")))?;
    let name = path.rsplit('/').next().unwrap_or(path);

    let refused = || {
        let caller = caller.arn();
        let action = "sts:AssumeRole on resource";
        Failure::denied(format!(
            "User: {caller} is not authorized to perform: {action}: {arn}"
        ))
    };
    let account = request
        .target()
        .and_then(|id| state.accounts.get(&id))
        .filter(|account| is_open(account))
        .ok_or_else(refused)?;
    let known = account.roles.get(name).ok_or_else(refused)?;
    if known.external_id.is_some() && known.external_id.as_deref() != external_id {
        return Err(refused());
    }
    let assumed = Caller {
        account: wrong_account(context).unwrap_or(account.id()),
        principal: Principal::Role {
            name: name.to_owned(),
            session: session.to_owned(),
        },
    };
    Ok(Reply::Xml(format!(
        "<AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>{}",
        escape(&assumed.user_id()),
        escape(&assumed.arn()),
        credentials(assumed, context.now, seconds),
    )))
}

fn assume_root(state: &State, context: &Context) -> Result<Reply, Failure> {
    let (caller, request) = (context.caller, context.request);
    let policy_arn = request.param("TaskPolicyArn.arn").unwrap_or_default();
    let target = request.param("TargetPrincipal").unwrap_or_default();
    let seconds = duration(request, 900)?;
    let text = "have value less than or equal to 900";
    let fits = (0..=900).contains(&seconds);
    require(fits, &seconds.to_string(), "durationSeconds", text)?;
    let text = "have length from 12 to 2048";
    require(
        (12..=2_048).contains(&target.len()),
        target,
        "targetPrincipal",
        text,
    )?;
    let policy = TaskPolicy::of_arn(policy_arn)
        .ok_or_else(|| Failure::invalid(format!("{policy_arn} is not a supported task policy")))?;

    let organization = &state.organization;
    let may_assume = organization.enabled
        && organization.root_access
        && organization.administers(caller.account)
        && !caller.is_root();
    let account = request
        .target()
        .filter(|id| may_assume && *id != organization.management)
        .and_then(|id| state.accounts.get(&id))
        .filter(|account| account.in_organization && is_open(account))
        .ok_or_else(|| {
            let caller = caller.arn();
            let action = "sts:AssumeRoot on resource";
            Failure::denied(format!(
                "User: {caller} is not authorized to perform: {action}: {target}"
            ))
        })?;
    let assumed = Caller {
        account: account.id(),
        principal: Principal::Root(policy),
    };
    Ok(Reply::Xml(credentials(assumed, context.now, seconds)))
}
