//! `policy`: the least privilege that this configuration needs, as IAM and CloudFormation read it.
//!
//! What is allowed to whom stands in `grants` and nowhere else; `template` puts it into
//! CloudFormation. AWS is not asked.

mod grants;
mod size;
mod template;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use serde_json::{Value, json};

use self::grants::Grants;
use super::USAGE;
use super::args::{PolicyArgs, PolicyKind};
use crate::config::Config;

/// Prints the policy, and on standard error what a person must still fill in.
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
                    "this configuration needs none: it asks nothing that takes a right; switch \
                 sources.credential_report or sources.account_summary on"
                }
            }
        );
        return ExitCode::from(USAGE);
    };
    if arguments.kind == PolicyKind::AuditRole && arguments.hub.is_none() {
        eprintln!(
            "aws-root-exporter: policy: put the exporter's own role in place of {} and {}, or give \
             it with --hub",
            grants::HUB_ACCOUNT,
            grants::HUB_ROLE,
        );
    }
    super::print(&format!("{:#}\n", in_parts(arguments.kind, document)))
}

/// The document, or the list of those that it takes where IAM would refuse it as too long.
fn in_parts(kind: PolicyKind, document: Value) -> Value {
    if !matches!(kind, PolicyKind::Hub | PolicyKind::Remediate) {
        return document;
    }
    let parts = size::split(&document);
    if parts.len() <= 1 {
        return document;
    }
    eprintln!(
        "aws-root-exporter: policy: longer than one policy of IAM can be: attach each of these {} \
         as a managed policy",
        parts.len()
    );
    if parts.len() > size::POLICIES {
        eprintln!(
            "aws-root-exporter: policy: that is more than the {} that a role can have; use \
             [organization] instead of a list of accounts",
            size::POLICIES
        );
    }
    json!({ "Policies": parts })
}
