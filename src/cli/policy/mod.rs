//! `policy`: the least privilege that this configuration needs, as IAM and CloudFormation read it.
//!
//! What is allowed to whom stands in `grants` and nowhere else; `template` puts it into
//! CloudFormation. AWS is not asked.

mod grants;
mod template;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

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
            "aws-root-exporter: policy: this configuration needs none: it asks nothing that takes \
             a right; switch sources.credential_report or sources.account_summary on"
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
    super::print(&format!("{document:#}\n"))
}
