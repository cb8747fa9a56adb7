//! Parsers of flag values. Their errors show the right form.

use crate::account::AccountId;

/// Parses the ARN of an IAM role.
pub(super) fn role_arn(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    match fields[..] {
        ["arn", partition, "iam", "", account, resource]
            if partition.starts_with("aws")
                && account.parse::<AccountId>().is_ok()
                && resource
                    .strip_prefix("role/")
                    .is_some_and(|name| !name.is_empty() && !name.contains(['*', '"'])) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("not the ARN of a role (arn:aws:iam::<12 digits>:role/<name>)".to_owned()),
    }
}

/// Parses the id of an organization.
///
/// Source: Organizations API Reference, `Organization`, pattern of `Id`.
pub(super) fn organization_id(text: &str) -> Result<String, String> {
    let is_id = text.strip_prefix("o-").is_some_and(|id| {
        (10..=32).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    if is_id {
        Ok(text.to_owned())
    } else {
        Err("not the id of an organization (o- and 10 to 32 letters and digits)".to_owned())
    }
}
