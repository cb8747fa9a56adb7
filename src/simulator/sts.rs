//! STS: who am I, and sessions in other accounts.
//!
//! Source: STS API Reference, version 2011-06-15.

use super::account::{Account, AccountState};
use super::answer::{Failure, Reply, escape};
use super::fault::FaultKind;
use super::operation::Operation;
use super::request::Request;
use super::session::{Caller, TaskPolicy, Who, credentials};
use super::world::State;
use crate::account::{AccountId, Partition};

/// Answers a request that its caller may make.
pub(super) fn answer(
    state: &State,
    caller: &Caller,
    operation: Operation,
    request: &Request,
    now: i64,
    faults: &[FaultKind],
) -> Result<Reply, Failure> {
    let wrong = faults.iter().find_map(|fault| match fault {
        FaultKind::WrongAccount(other) => Some(*other),
        _ => None,
    });
    match operation {
        Operation::GetCallerIdentity => Ok(identity(state, caller, wrong)),
        Operation::AssumeRole => assume_role(state, caller, request, now, wrong),
        _ => assume_root(state, caller, request, now),
    }
}

fn partition(state: &State, account: AccountId) -> Partition {
    state
        .accounts
        .get(&account)
        .map_or(Partition::Aws, |account| account.partition)
}

fn identity(state: &State, caller: &Caller, wrong: Option<AccountId>) -> Reply {
    let caller = Caller {
        account: wrong.unwrap_or(caller.account),
        who: caller.who.clone(),
    };
    Reply::xml(format!(
        "<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>",
        escape(&caller.arn(partition(state, caller.account))),
        escape(&caller.user_id()),
        caller.account,
    ))
}

/// Whether the account's credentials are worth anything.
fn alive(account: &Account) -> bool {
    !matches!(
        account.state,
        Some(AccountState::Suspended | AccountState::Closed | AccountState::PendingActivation)
    )
}

fn duration(request: &Request, default: i64) -> Result<i64, Failure> {
    match request.param("DurationSeconds") {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| {
            Failure::new(
                400,
                "MalformedInput",
                format!("Invalid Integer Value: {text}"),
            )
        }),
    }
}

fn constraint(value: &str, name: &str, rule: &str) -> Failure {
    Failure::invalid(format!(
        "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: \
         Member must {rule}"
    ))
}

fn is_session_name(name: &str) -> bool {
    (2..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

fn assume_role(
    state: &State,
    caller: &Caller,
    request: &Request,
    now: i64,
    wrong: Option<AccountId>,
) -> Result<Reply, Failure> {
    let arn = request.param("RoleArn").unwrap_or_default();
    let session = request.param("RoleSessionName").unwrap_or_default();
    let external_id = request.param("ExternalId");
    if arn.len() < 20 {
        return Err(constraint(
            arn,
            "roleArn",
            "have length greater than or equal to 20",
        ));
    }
    if !is_session_name(session) {
        return Err(constraint(
            session,
            "roleSessionName",
            "satisfy regular expression pattern: [\\w+=,.@-]* and have length from 2 to 64",
        ));
    }
    if external_id.is_some_and(|id| !(2..=1_224).contains(&id.len())) {
        // The id itself is not repeated: it is a secret of the two parties.
        return Err(constraint("", "externalId", "have length from 2 to 1224"));
    }
    let seconds = duration(request, 3_600)?;
    if !(900..=43_200).contains(&seconds) {
        return Err(constraint(
            &seconds.to_string(),
            "durationSeconds",
            "have value from 900 to 43200",
        ));
    }
    if matches!(caller.who, Who::Role { .. }) && seconds > 3_600 {
        return Err(Failure::invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining.",
        ));
    }

    let refused = || {
        Failure::denied(format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            caller.arn(partition(state, caller.account))
        ))
    };
    if matches!(caller.who, Who::Root(_)) {
        return Err(Failure::denied(
            "Roles may not be assumed by root accounts.",
        ));
    }
    let name = arn
        .split_once(":role/")
        .map(|(_, path)| path.rsplit('/').next().unwrap_or(path))
        .ok_or_else(|| Failure::invalid(format!("{arn} is invalid")))?;
    let account = request
        .target()
        .and_then(|id| state.accounts.get(&id))
        .filter(|account| alive(account))
        .ok_or_else(refused)?;
    let role = account.roles.get(name).ok_or_else(refused)?;
    let right_id = role.external_id.is_none() || role.external_id.as_deref() == external_id;
    if !role.trusts_caller || !right_id {
        return Err(refused());
    }
    if seconds > role.max_session {
        return Err(Failure::invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }

    let assumed = Caller {
        account: wrong.unwrap_or(account.id()),
        who: Who::Role {
            name: name.to_owned(),
            session: session.to_owned(),
        },
    };
    Ok(Reply::xml(format!(
        "<AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>{}",
        escape(&assumed.user_id()),
        escape(&assumed.arn(account.partition)),
        credentials(assumed.account, assumed.who.clone(), now + seconds),
    )))
}

fn assume_root(
    state: &State,
    caller: &Caller,
    request: &Request,
    now: i64,
) -> Result<Reply, Failure> {
    let policy_arn = request.param("TaskPolicyArn.arn").unwrap_or_default();
    let target = request.param("TargetPrincipal").unwrap_or_default();
    let seconds = duration(request, 900)?;
    if !(0..=900).contains(&seconds) {
        return Err(constraint(
            &seconds.to_string(),
            "durationSeconds",
            "have value less than or equal to 900",
        ));
    }
    if !(12..=2_048).contains(&target.len()) {
        return Err(constraint(
            target,
            "targetPrincipal",
            "have length from 12 to 2048",
        ));
    }
    let policy = TaskPolicy::of_arn(policy_arn)
        .ok_or_else(|| Failure::invalid(format!("{policy_arn} is not a supported task policy")))?;

    let organization = &state.organization;
    let may_ask = organization.enabled
        && organization.root_access
        && organization.administers(caller.account)
        && !matches!(caller.who, Who::Root(_));
    let account = request
        .target()
        .filter(|id| may_ask && *id != organization.management)
        .and_then(|id| state.accounts.get(&id))
        .filter(|account| account.in_organization && alive(account))
        .ok_or_else(|| {
            Failure::denied(format!(
                "User: {} is not authorized to perform: sts:AssumeRoot on resource: {target}",
                caller.arn(partition(state, caller.account))
            ))
        })?;
    Ok(Reply::xml(credentials(
        account.id(),
        Who::Root(policy),
        now + seconds,
    )))
}
