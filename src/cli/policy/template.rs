//! The audit role as a CloudFormation template, for a `StackSet`.

use serde_json::{Value, json};

use super::document::document;
use super::grants::{Grants, path_and_name};
use crate::account::Secret;

const TEMPLATE: &str = include_str!("../../../deploy/aws/member-role.stackset.yaml");

/// The template of `deploy/aws`, with the configuration's values as the defaults of its parameters.
pub(super) fn member_role(grants: &Grants<'_>) -> Option<Value> {
    let policy = document(&[grants.read_own_account()?]);
    let (role, external_id) = grants.member_role();
    let (path, name) = path_and_name(role);
    #[expect(clippy::expect_used, reason = "the file is part of the program")]
    let mut template: Value = serde_saphyr::from_str(TEMPLATE).expect("the template is YAML");
    let parameters = &mut template["Parameters"];
    parameters["RoleName"]["Default"] = json!(name);
    parameters["OrganizationId"]["Default"] = json!(grants.organization.unwrap_or_default());
    parameters["ExternalId"]["Default"] = json!(external_id.map_or("", Secret::expose));
    if let Some(hub) = grants.hub {
        parameters["HubRoleArn"]["Default"] = json!(hub);
    }
    let role = &mut template["Resources"]["MemberRole"]["Properties"];
    role["Policies"][0]["PolicyDocument"] = policy;
    if path != "/" {
        role["Path"] = json!(path);
    }
    Some(template)
}
