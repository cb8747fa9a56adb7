//! The `[[accounts]]` of the file. Each entry becomes an [`Account`] with the one way to read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use figment::value::Value;

use super::model::Aws;
use super::region::{FoundRegion, Regions};
use super::settings::ACCOUNTS;
use super::table::{Merged, Table};
use super::values;
use crate::account::{Access, Account, AccountId, Exception, Partition};

/// Reads all entries. One that is wrong is an error, and left out.
pub(super) fn read(
    merged: &Merged,
    aws: &Aws,
    regions: &dyn Regions,
    exceptions: &BTreeMap<AccountId, Arc<[Exception]>>,
) -> Vec<Account> {
    let mut first: BTreeMap<AccountId, usize> = BTreeMap::new();
    let mut accounts = Vec::new();
    for (index, entry) in merged.entries(ACCOUNTS).iter().enumerate() {
        let Some(mut account) = account(merged, entry, aws, regions) else {
            continue;
        };
        account.exceptions = exceptions.get(&account.id).cloned().unwrap_or_default();
        if let Some(first) = first.get(&account.id) {
            let id = account.id;
            let problem =
                format!("\"{id}\" is listed twice, first as accounts[{first}]; remove one");
            entry.fail("id", problem);
            continue;
        }
        first.insert(account.id, index);
        accounts.push(account);
    }
    accounts
}

fn account(
    merged: &Merged,
    entry: &Table<'_>,
    aws: &Aws,
    regions: &dyn Regions,
) -> Option<Account> {
    // That is an error already.
    if !entry.is_table() {
        return None;
    }
    let id = entry.read("id", values::account_id);
    if entry.get("id").is_none() {
        entry.fail(
            "id",
            "is missing; every account needs its id (12 digits, in quotes)",
        );
    }
    let region = region(merged, entry, aws, regions);
    let access = access(entry, id, &region);
    let name = entry.read("name", values::any_text).unwrap_or_default();
    let labels = labels(entry);
    Some(Account {
        id: id?,
        name,
        region: region.name,
        access: Some(access),
        root_session: false,
        labels: labels.into(),
        exceptions: Arc::default(),
        details: Arc::default(),
    })
}

/// The account's Region: its own, else its profile's, whose credentials are useless in another
/// partition, else the caller's.
fn region(merged: &Merged, entry: &Table<'_>, aws: &Aws, regions: &dyn Regions) -> FoundRegion {
    let of_caller = || FoundRegion {
        name: aws.region.clone(),
        place: aws.region_from.clone(),
    };
    if entry.get("region").is_some() {
        let name = entry.read("region", values::region);
        let name = name.unwrap_or_else(|| aws.region.clone());
        let place = entry.place(&["region"]);
        return FoundRegion { name, place };
    }
    let profile = entry.get("profile").and_then(Value::as_str);
    let of_profile = profile.and_then(|profile| regions.of_profile(Some(profile)));
    let of_profile = of_profile.filter(|found| found.is_valid(merged));
    of_profile.unwrap_or_else(of_caller)
}

fn access(entry: &Table<'_>, id: Option<AccountId>, region: &FoundRegion) -> Access {
    let role = entry.read("role_arn", values::text);
    let external_id = entry.read("external_id", values::external_id);
    let profile = entry.read("profile", values::text);
    let [has_role, has_external_id, has_profile] =
        ["role_arn", "external_id", "profile"].map(|key| entry.get(key).is_some());
    if has_external_id && !has_role {
        entry.fail(
            "external_id",
            "is of use only with a role_arn; add one, or remove it (the value is not shown)",
        );
    }
    if has_role && has_profile {
        entry.fail(
            "profile",
            "an account is read by a role_arn or by a profile, not both; remove one",
        );
    }
    if let Some(arn) = role {
        if let Err(problem) = check_role(&arn, id, region, entry.get("region").is_some()) {
            entry.fail("role_arn", problem);
        }
        return Access::Role { arn, external_id };
    }
    profile.map_or(Access::Caller, Access::Profile)
}

/// Checks that an ARN is that of a role of this account, in the partition of its Region.
fn check_role(
    arn: &str,
    id: Option<AccountId>,
    region: &FoundRegion,
    is_own: bool,
) -> Result<(), String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let role = match parts[..] {
        ["arn", partition, "iam", "", account, resource] => resource
            .strip_prefix("role/")
            .filter(|name| values::is_role_name(name))
            .and(Partition::from_name(partition))
            .zip(account.parse::<AccountId>().ok()),
        _ => None,
    };
    let Some((partition, account)) = role else {
        return Err(format!(
            "{arn:?} is not the ARN of a role; write it like \
             \"arn:aws:iam::111122223333:role/aws-root-exporter\""
        ));
    };
    if let Some(id) = id
        && account != id
    {
        return Err(format!(
            "{arn:?} is a role of account {account}, not of {id}; name a role of {id}"
        ));
    }
    let FoundRegion { name, place } = region;
    let from = if is_own {
        String::new()
    } else {
        format!(" ({place})")
    };
    let expected = Partition::of_region(name);
    if partition != expected {
        return Err(format!(
            "{arn:?} is in partition {partition}, but region {name}{from} is in {expected}; set \
             the account's region"
        ));
    }
    Ok(())
}

fn labels(entry: &Table<'_>) -> BTreeMap<String, String> {
    let labels = entry.read("labels", |value| {
        let kind = values::kind(value);
        let problem = || format!("is {kind}; write {{ team = \"payments\" }}");
        value.as_dict().cloned().ok_or_else(problem)
    });
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let check = |(name, value): (String, Value)| {
        let checked = if !name.is_empty() && name.bytes().all(valid) {
            values::any_text(&value)
        } else {
            Err(format!(
                "{name:?} is not a label name; use letters, digits and underscores"
            ))
        };
        let text = checked.map_err(|problem| entry.fail_below(&["labels", &name], problem));
        Some((name, text.ok()?))
    };
    labels
        .unwrap_or_default()
        .into_iter()
        .filter_map(check)
        .collect()
}
