//! The audit role as a CloudFormation template, for a `StackSet`.

use serde_json::{Value, json};

use super::document::document;
use super::grants::{Grants, path_and_name};
use crate::account::Secret;

/// `deploy/aws/member-role.stackset.yaml`, with the configuration's values as the defaults of its
/// parameters.
pub(super) fn member_role(grants: &Grants<'_>) -> Option<Value> {
    let policy = document(&[grants.read_own_account()?]);
    let (role, external_id) = grants.member_role();
    let (path, name) = path_and_name(role);
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The role that aws-root-exporter enters in each account it watches. It may \
            make and read the account's credential report and read the account summary, and nothing \
            more. Roll it out with a StackSet over the organization (one Region is enough, IAM is \
            global), and as a stack of its own in the management account, which no service-managed \
            StackSet reaches.",
        "Parameters": {
            "HubRoleArn": {
                "Type": "String",
                "Description": "The exporter's identity.",
                "AllowedPattern": "^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
                "ConstraintDescription": "the ARN of an IAM role",
            },
            "RoleName": {
                "Type": "String",
                "Description": "The name of this role, the same in all accounts \
                    (organization.role_name in config.toml).",
                "Default": name,
                "AllowedPattern": "^[A-Za-z0-9_+=,.@-]{1,64}$",
                "ConstraintDescription": "the name of a role",
            },
            "OrganizationId": {
                "Type": "String",
                "Description": "The organization (o-...) the exporter must be of. Empty where \
                    there is none.",
                "Default": grants.organization.unwrap_or_default(),
                "AllowedPattern": "^$|^o-[a-z0-9]{10,32}$",
                "ConstraintDescription": "an organization's id, o- and 10 to 32 letters and \
                    digits, or nothing",
            },
            "ExternalId": {
                "Type": "String",
                "Description": "What the exporter must say to enter (organization.external_id in \
                    config.toml). Empty for nothing.",
                "Default": external_id.map_or("", Secret::expose),
                "AllowedPattern": "^$|^[A-Za-z0-9_+=,.@:/-]{2,1224}$",
                "ConstraintDescription": "2 to 1224 letters, digits and signs of _+=,.@:/- or \
                    nothing",
            },
        },
        "Rules": {
            "TrustIsBounded": {
                "Assertions": [{
                    "Assert": { "Fn::Or": [
                        { "Fn::Not": [equals("OrganizationId")] },
                        { "Fn::Not": [equals("ExternalId")] },
                    ] },
                    "AssertDescription": "give OrganizationId, ExternalId or both",
                }],
            },
        },
        "Conditions": {
            "InOrganization": { "Fn::Not": [equals("OrganizationId")] },
            "WithExternalId": { "Fn::Not": [equals("ExternalId")] },
        },
        "Resources": {
            "MemberRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": { "Ref": "RoleName" },
                    "Description": "aws-root-exporter - looks for root access keys, changes nothing",
                    "MaxSessionDuration": 3600,
                    "AssumeRolePolicyDocument": trust(),
                    "Policies": [{
                        "PolicyName": "aws-root-exporter",
                        "PolicyDocument": policy,
                    }],
                },
            },
        },
        "Outputs": {
            "RoleArn": {
                "Description": "The role_arn of the account in config.toml, where accounts are \
                    listed one by one.",
                "Value": { "Fn::GetAtt": ["MemberRole", "Arn"] },
            },
        },
    });
    if let Some(hub) = grants.hub {
        template["Parameters"]["HubRoleArn"]["Default"] = json!(hub);
    }
    if path != "/" {
        template["Resources"]["MemberRole"]["Properties"]["Path"] = json!(path);
    }
    Some(template)
}

fn equals(parameter: &str) -> Value {
    json!({ "Fn::Equals": [{ "Ref": parameter }, ""] })
}

/// The trust policy of [`Grants`], with the template's parameters in place of values.
fn trust() -> Value {
    document(&[json!({
        "Sid": "Exporter",
        "Effect": "Allow",
        "Principal": { "AWS": { "Fn::Sub": [
            "arn:${AWS::Partition}:iam::${HubAccount}:root",
            { "HubAccount": { "Fn::Select": [4, { "Fn::Split": [":", { "Ref": "HubRoleArn" }] }] } },
        ] } },
        "Action": "sts:AssumeRole",
        "Condition": {
            "ArnEquals": { "aws:PrincipalArn": { "Ref": "HubRoleArn" } },
            "StringEquals": { "Fn::If": [
                "InOrganization",
                {
                    "aws:PrincipalOrgID": { "Ref": "OrganizationId" },
                    "sts:ExternalId": { "Fn::If": [
                        "WithExternalId",
                        { "Ref": "ExternalId" },
                        { "Ref": "AWS::NoValue" },
                    ] },
                },
                { "sts:ExternalId": { "Ref": "ExternalId" } },
            ] },
        },
    })])
}
