//! `policy`: the least privilege that this configuration needs, for IAM and CloudFormation. It makes
//! no call to AWS.

mod document;
mod grants;
mod template;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use serde_json::{Value, json};

use self::grants::Grants;
use super::args::{PolicyArgs, PolicyKind};
use super::output::{USAGE, print};
use crate::config::Config;

/// Prints the policy, and on standard error which placeholders to replace.
pub(super) fn run(arguments: &PolicyArgs, config: &Config) -> ExitCode {
    let grants = Grants::new(
        config,
        arguments.hub.as_deref(),
        arguments.organization.as_deref(),
    );
    let document = match arguments.kind {
        PolicyKind::AuditRole => grants.audit_roles(),
        PolicyKind::Hub => grants.hub(),
        PolicyKind::Stackset => template::member_role(&grants),
        PolicyKind::Remediate => grants.remediation(),
    };
    let Some(document) = document else {
        eprintln!(
            "aws-root-exporter: policy: {}",
            match arguments.kind {
                PolicyKind::Remediate => {
                    "no account of this configuration has root user credentials (in China no account \
                 has): there is nothing to delete, and no policy for it"
                }
                PolicyKind::AuditRole | PolicyKind::Hub | PolicyKind::Stackset => {
                    "this configuration needs no permission, because no source is in use; switch on \
                     sources.credential_report or sources.account_summary"
                }
            }
        );
        return ExitCode::from(USAGE);
    };
    if arguments.kind == PolicyKind::AuditRole && arguments.hub.is_none() {
        eprintln!(
            "aws-root-exporter: policy: replace {} and {} by the exporter's own role, or name it \
             with --hub",
            grants::HUB_ACCOUNT,
            grants::HUB_ROLE,
        );
    }
    print(&format!("{:#}\n", in_parts(arguments.kind, document)))
}

/// The document, or a list of its parts where IAM would refuse it as too long.
fn in_parts(kind: PolicyKind, document: Value) -> Value {
    if !matches!(kind, PolicyKind::Hub | PolicyKind::Remediate) {
        return document;
    }
    let parts = document::split(&document);
    if parts.len() <= 1 {
        return document;
    }
    eprintln!(
        "aws-root-exporter: policy: too long for one IAM policy: attach each of these {} as a managed \
         policy",
        parts.len()
    );
    if parts.len() > document::POLICIES {
        eprintln!(
            "aws-root-exporter: policy: that is more than the {} that a role can have; use \
             [organization] instead of a list of accounts",
            document::POLICIES
        );
    }
    json!({ "Policies": parts })
}
